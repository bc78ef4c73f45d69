// Internal: used by the reader's state and by the awaitables of reads.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>

#include <weir/reactor/export.hpp>
#include <weir/reactor/ready_queue.hpp>
#include <weir/reactor/task/promise.hpp>

namespace WEIR_API weir {
namespace detail {

class ReaderState;

/// What a look at the buffer said about a read.
enum class Verdict : std::uint8_t {
  at_once,            // amount() bytes are the answer, as at_hand() has seen
  wait,               // not enough yet
  take,               // amount() bytes are the answer
  take_part,          // amount() bytes are a piece of it
  incomplete,         // the stream ended first; what is buffered is the partial answer
  overrun_found,      // the separator starts at amount(), beyond the limit
  overrun_not_found,  // amount() bytes hold no start of a separator, and that is beyond the limit
  failed,             // the stored exception
  bad_argument,       // the call itself is wrong
  over_cap,           // more than the reader's cap is asked for, or has come
};

/// The first look at a read checks its arguments and the stored exception; a read that was woken
/// only sees whether it has enough now.
enum class Look : std::uint8_t { first, again };

/// What a kind of read is: what the ready queue runs when such a read is woken, and what those who
/// wake it ask.
struct ReadKind : RunnableKind {
  const char* function;  // For texts: "read".
  Verdict (*look)(ReaderState&, const void* read);
  /// For texts: how many bytes it wants, or allows before the separator; 0 for no such number.
  std::size_t (*goal)(const ReaderState&, const void* read);
};

/// A read that waits: the node that a task is parked on. Lives in the reader's state; only while a
/// wait that was cancelled or woken has not been unwound does a second one, from the pool, stand
/// in.
struct ReadWait final : Queueable, Parked {
  explicit ReadWait(ReaderState& its_reader) noexcept;
  static std::string describe(const Runnable& runnable);
  /// Which read waits: set with the wait, and what the ready queue runs.
  void set_what(const ReadKind& what) noexcept { Queueable::kind = &what; }
  const ReadKind& what() const noexcept { return *static_cast<const ReadKind*>(Queueable::kind); }

  bool failed = false;  // Woken by set_exception() or a time-out, whatever arrives after that.
  ReaderState& reader;
  const void* read = nullptr;  // The awaitable, in the coroutine's frame.
  std::exception_ptr error;    // It had to go on waiting, and could not.
};

/// What a read that waits has: "no separator in 12 of at most 64 bytes".
std::string describe_progress(const ReadWait& wait);
/// "readuntil() of <SocketTransport fd=7 peer=…>: no separator in 12 of at most 64 bytes".
std::string describe_read(const ReadWait& wait);
/// For the kind of runnable that it is.
void note_look(Runnable& runnable, RunNote& note);

}  // namespace detail
}  // namespace weir

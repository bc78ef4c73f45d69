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
#include <weir/reactor/task/task_base.hpp>

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

/// The part of a read's awaitable, in the coroutine's frame, that does not depend on what is read.
struct AnyRead {
  ReaderState* reader;
};

/// What a kind of read is: what the ready queue runs when a task that waits for such a read is
/// woken, and what those who wake it ask.
struct ReadKind : RunnableKind {
  const char* function;  // For texts: "read".
  Verdict (*look)(const AnyRead&);
  /// For texts: how many bytes it wants, or allows before the separator; 0 for no such number.
  std::size_t (*goal)(const AnyRead&);
};

/// A read that waits: what a task is parked on. In the ready queue stands the task. Lives in the
/// reader's state; only while a wait that was cancelled or woken has not been unwound does a second
/// one, from the pool, stand in.
struct ReadWait final : Parked {
  ReadWait() noexcept;
  /// Of a task that is parked on one.
  static ReadWait& of(const TaskBase& task) noexcept {
    return static_cast<ReadWait&>(*task.parked());
  }
  static std::string describe(const Runnable& runnable);
  ReaderState& reader() const noexcept { return *read->reader; }
  const ReadKind& what() const noexcept { return static_cast<const ReadKind&>(task->turn()); }

  bool failed = false;  // Woken by set_exception() or a time-out, whatever arrives after that.
  const AnyRead* read = nullptr;
  std::exception_ptr error;  // It had to go on waiting, and could not.
};

/// What a read that waits has: "no separator in 12 of at most 64 bytes".
std::string describe_progress(const ReadWait& wait);
/// "readuntil() of <SocketTransport fd=7 peer=…>: no separator in 12 of at most 64 bytes".
std::string describe_read(const ReadWait& wait);
/// For the kind of runnable that it is.
void note_look(Runnable& runnable, RunNote& note);

}  // namespace detail
}  // namespace weir

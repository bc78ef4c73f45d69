// Internal: used by StreamReader, StreamWriter and StreamReaderProtocol.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

#include <weir/net/transport.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/ref.hpp>
#include <weir/reactor/task/task_base.hpp>
#include <weir/streams/byte_buffer.hpp>
#include <weir/streams/separators.hpp>

namespace weir::detail {

class ReaderState;

/// What a look at the buffer said about a read.
enum class Verdict : std::uint8_t {
  wait,               // not enough yet
  take,               // amount() bytes are the answer
  incomplete,         // the stream ended first; what is buffered is the partial answer
  overrun_found,      // the separator starts at amount(), beyond the limit
  overrun_not_found,  // amount() bytes hold no start of a separator, and that is beyond the limit
  failed,             // the stored exception
  bad_argument,       // the call itself is wrong
};

/// A read that waits: the node that a task is parked on. Lives in the reader's state; only while a cancelled wait has not
/// been unwound does a second one, from the pool, stand in.
struct ReadWait final : Parked, Runnable {
  explicit ReadWait(ReaderState& its_reader) noexcept;
  ReaderState& reader;
  const void* read = nullptr;  // The awaitable, in the coroutine's frame.
  Verdict (*look)(ReaderState&, const void* read) = nullptr;
};

/// What StreamReader handles share: the buffer, and every rule of asyncio's reader. The awaitables of stream_reader.hpp
/// ask look_…() whether they can finish, and take what it says; nothing here knows coroutines but the wait.
///
/// Source    CPython 3.13 streams.py StreamReader; where it is wrong, docs/asyncio_map.md says what is done instead.
class ReaderState final : public Counted<ReaderState>, public DrainHook {
 public:
  /// ValueError "Limit cannot be <= 0".
  ReaderState(EventLoop& loop, std::ptrdiff_t limit);
  ReaderState(const ReaderState&) = delete;
  ReaderState& operator=(const ReaderState&) = delete;
  ~ReaderState() = default;
  void destroy() noexcept { delete this; }

  // ---- The push side

  void feed(std::string_view data);
  /// feed() of bytes that stay where they are until the loop's event is drained.
  void feed_borrowed(std::string_view lent);
  void feed_eof();
  void set_exception(std::exception_ptr error);
  const std::exception_ptr& exception() const noexcept { return exception_; }
  bool at_eof() const noexcept { return eof_ && buffer_.empty(); }
  void set_transport(Transport& transport);
  void forget_transport() noexcept { transport_ = nullptr; }

  // ---- The pull side: look, then take

  Verdict look_read(std::ptrdiff_t wanted);
  Verdict look_exactly(std::ptrdiff_t wanted);
  Verdict look_until(std::string_view separator);
  Verdict look_until_any(const Separators& separators);
  std::size_t amount() const noexcept { return amount_; }

  /// The answer of Verdict::take, where it lies: valid until the next call on the reader or the next suspension.
  std::string_view take();
  /// All that is buffered, as an answer: readline() at the end of the stream.
  std::string_view take_all();
  /// All that is buffered, taken: the partial answer of an error.
  std::string take_rest();
  /// What readline() does about an overrun before it throws.
  void discard_overrun(Verdict verdict);
  /// What read(-1) collects; given back to the buffer if it does not finish.
  std::string& collected() noexcept { return collected_; }
  void collect();
  void give_back_collected();
  [[noreturn]] void throw_stored() const { std::rethrow_exception(exception_); }

  // ---- Waiting

  /// Parks the current task on this reader until look(*this, read) says something else than wait.
  ///
  /// Errors    RuntimeError "read() called while another coroutine is already waiting for incoming data".
  void wait(const char* function, const void* read, Verdict (*look)(ReaderState&, const void*), PromiseBase& waiter);
  /// After a suspension: true if the wait was cancelled. False at once if there was none.
  bool left_by_cancellation() noexcept {
    if (resuming_ == nullptr) [[likely]] return false;
    return finish_wait();
  }
  /// The verdict that ended the wait.
  Verdict verdict() const noexcept { return verdict_; }
  void set_verdict(Verdict verdict) noexcept { verdict_ = verdict; }

  std::size_t buffered_bytes() const noexcept { return buffer_.size(); }
  std::string_view buffered() const noexcept { return buffer_.view(); }
  std::uint64_t bytes_scanned() const noexcept { return bytes_scanned_; }
  std::size_t limit() const noexcept { return limit_; }
  bool paused() const noexcept { return paused_; }
  std::string repr() const;
  EventLoop& loop() const noexcept { return *loop_; }

 private:
  /// How far the buffer has been searched for one separator, or one set of them: no match starts before `position` of the
  /// stream. Positions only grow, so what other calls take away cannot make it lie.
  struct Memo {
    std::string key;
    std::uint64_t position = 0;
  };

  static const RunnableKind wait_runnable;
  static const Parked::Kind wait_parked;
  friend struct ReadWait;

  void received();
  void wake();
  void resume_if_low();
  void force_resume();
  void keep_or_trim();
  std::size_t search_start(std::string_view key);
  void remember(std::size_t offset) noexcept { memo_.position = buffer_.position() + offset; }
  Verdict not_found_verdict(std::size_t offset);
  Verdict found_verdict(std::size_t start, std::size_t length);
  void run_wait(ReadWait& node);
  bool finish_wait() noexcept;
  void drop_wait(ReadWait& node) noexcept;

  EventLoop* loop_;
  Ref<LoopToken> loop_token_;
  Transport* transport_ = nullptr;
  ByteBuffer buffer_;
  std::size_t limit_;
  std::size_t amount_ = 0;
  std::exception_ptr exception_;
  ReadWait* waiter_ = nullptr;    // The one that new bytes wake.
  ReadWait* resuming_ = nullptr;  // Set for the moment of a resumption.
  Memo memo_;
  std::uint64_t bytes_scanned_ = 0;
  std::string collected_;
  ReadWait own_wait_;
  bool own_wait_used_ = false;
  bool eof_ = false;
  bool paused_ = false;  // This reader paused the transport.
  Verdict verdict_ = Verdict::wait;
};

}  // namespace weir::detail

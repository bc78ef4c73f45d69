// Internal: used by StreamReader, StreamWriter and StreamReaderProtocol.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <weir/net/read_block.hpp>
#include <weir/net/transport.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/ref.hpp>
#include <weir/reactor/task/task_base.hpp>
#include <weir/streams/byte_buffer.hpp>
#include <weir/streams/lazy_timer.hpp>
#include <weir/streams/separators.hpp>

namespace weir::detail {

class ReaderState;

/// The limit as a size. ValueError "Limit cannot be <= 0".
std::size_t check_limit(std::ptrdiff_t limit);

/// What a look at the buffer said about a read.
enum class Verdict : std::uint8_t {
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

/// A read that waits: the node that a task is parked on. Lives in the reader's state; only while a
/// wait that was cancelled or woken has not been unwound does a second one, from the pool, stand
/// in.
struct ReadWait final : Parked, Queueable {
  explicit ReadWait(ReaderState& its_reader) noexcept;
  ReaderState& reader;
  const char* function = nullptr;  // For the error text: "read".
  const void* read = nullptr;      // The awaitable, in the coroutine's frame.
  Verdict (*look)(ReaderState&, const void* read) = nullptr;
  std::exception_ptr error;  // It had to go on waiting, and could not.
  bool failed = false;       // Woken by set_exception(), whatever arrives after that.
};

/// What StreamReader handles share: the buffer, and every rule of asyncio's reader. The awaitables
/// of stream_reader.hpp ask look_…() whether they can finish, and take what it says; nothing here
/// knows coroutines but the wait.
///
/// Source    CPython 3.13 streams.py StreamReader; where it is wrong, docs/asyncio_map.md says what
///           is done instead.
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
  /// feed() of bytes that stay where they are until the loop's event is drained. `block`, if they
  /// lie in it, takes the beginning of a record that came before them.
  void feed_borrowed(std::string_view lent, ReadBlock* block = nullptr);
  void feed_eof();
  /// ValueError "invalid exception object" for a null pointer.
  void set_exception(std::exception_ptr error);
  const std::exception_ptr& exception() const noexcept { return exception_; }
  bool at_eof() const noexcept { return eof_ && buffer_.empty(); }
  void set_transport(Transport& transport);
  /// The connection is lost: there is nobody left to pause, or to be idle.
  void forget_transport() noexcept {
    transport_ = nullptr;
    if (deadlines_) deadlines_->idle.reset();
  }
  const Transport* transport() const noexcept { return transport_; }

  // ---- The pull side: look, then take

  /// `read`: who asks. Two read(-1) must not mix what they have collected.
  Verdict look_read(std::ptrdiff_t wanted, const void* read, Look look);
  Verdict look_exactly(std::ptrdiff_t wanted, Look look);
  Verdict look_peek(std::ptrdiff_t wanted, Look look);
  Verdict look_until(std::string_view separator, Look look, std::size_t limit);
  Verdict look_until_any(const Separators& separators, Look look, std::size_t limit);
  Verdict look_piece(std::string_view separator, Look look, std::size_t limit);
  Verdict look_discard(std::string_view separator, Look look, std::uint64_t& discarded);
  std::size_t amount() const noexcept { return amount_; }

  /// The answer of Verdict::take, where it lies: valid until the next call on the reader or the
  /// next suspension.
  std::string_view take();
  /// All that is buffered, as an answer: readline() at the end of the stream.
  std::string_view take_all();
  /// All that is buffered, taken: the partial answer of an error.
  std::string take_rest();
  /// What readline() does about an overrun before it throws.
  void discard_overrun(Verdict verdict);
  /// What this read(-1) has collected, as its answer; nothing if another one is collecting.
  std::optional<std::string> take_collected(const void* read);
  /// It does not finish: what it has collected goes back into the buffer.
  void give_back_collected(const void* read) noexcept;
  [[noreturn]] void throw_stored() const { std::rethrow_exception(exception_); }
  /// Puts `bytes` before what is buffered.
  void unread(std::string_view bytes);
  /// What a peek was answered: not taken.
  std::string_view peeked() const noexcept { return {buffer_.data(), amount_}; }

  // ---- Options; all off at first

  static constexpr std::size_t no_cap = std::numeric_limits<std::size_t>::max();
  void set_cap(std::size_t bytes) noexcept { cap_ = bytes; }
  std::size_t cap() const noexcept { return cap_; }
  void set_buffer_first(bool enabled) noexcept { buffer_first_ = enabled; }
  void set_read_timeout(std::optional<Duration> timeout);
  void set_idle_timeout(std::optional<Duration> timeout);
  /// Something was received or written: the stream is not idle.
  void note_activity() {
    if (deadlines_) [[unlikely]]
      stay_active();
  }

  // ---- Waiting

  /// RuntimeError "read() called while another coroutine is already waiting for incoming data".
  void check_may_wait(const char* function) const;
  /// Parks the current task on this reader until look(*this, read) says something else than wait.
  /// No other task may be waiting.
  ///
  /// Errors    RuntimeError  the task belongs to another loop.
  void wait(const char* function, const void* read, Verdict (*look)(ReaderState&, const void*),
            PromiseBase& waiter);
  /// In await_resume(): whether there was a wait. It must then be finished before anything else.
  bool waited() const noexcept { return resuming_ != nullptr; }
  /// Throws CancelledError, or why the read could not go on waiting.
  void finish_wait();
  /// The verdict that ended the wait.
  Verdict verdict() const noexcept { return verdict_; }
  void set_verdict(Verdict verdict) noexcept { verdict_ = verdict; }
  /// A read that would have to wait fails at once instead: what was stored has waited until the
  /// buffer had no more answers.
  bool fails_instead_of_waiting() noexcept {
    if (!exception_) return false;
    verdict_ = Verdict::failed;
    return true;
  }

  std::size_t buffered_bytes() const noexcept { return buffer_.size(); }
  std::string_view buffered() const noexcept { return buffer_.view(); }
  std::uint64_t bytes_scanned() const noexcept { return bytes_scanned_; }
  std::size_t limit() const noexcept { return limit_; }
  bool paused() const noexcept { return paused_; }
  std::string repr() const;
  EventLoop& loop() const noexcept { return *loop_; }

 private:
  /// How far the stream has been searched for one separator: no match ends at `searched` or before,
  /// but for the one that starts at `match`. Positions only grow, so what other calls take away
  /// cannot make it lie; no byte is looked at twice.
  struct Scan {
    static constexpr std::uint64_t none = static_cast<std::uint64_t>(-1);
    std::uint64_t searched = 0;
    std::uint64_t match = none;
  };
  /// The scans of the separator, or of the set of them, that was looked for last.
  struct Memo {
    std::span<Scan> scans() noexcept { return is_set ? std::span(of_set) : std::span(&single, 1); }
    std::string key;
    bool is_set = false;  // A single separator may read like the key of a set.
    Scan single;
    std::vector<Scan> of_set;
  };
  /// In the buffer. Of length 0: none.
  struct Match {
    std::size_t start = 0;
    std::size_t length = 0;
    std::size_t end() const noexcept { return start + length; }
  };

  /// Only of readers that were given a time-out.
  struct Deadlines {
    explicit Deadlines(ReaderState& reader);
    LazyTimer timer;
    std::optional<Duration> read;
    std::optional<Duration> idle;
    TimePoint waiting_since{};  // Of the read that waits.
    TimePoint active_at{};
  };

  static const RunnableKind wait_runnable;
  static const Parked::Kind wait_parked;
  friend struct ReadWait;

  /// The stored exception beats the buffer, unless the reader was told otherwise.
  bool refused(Look look) const noexcept {
    return exception_ && look == Look::first && !buffer_first_;
  }
  /// Whether a read may rest on the end of the stream.
  bool ended() const noexcept { return eof_ && !(buffer_first_ && exception_); }

  void received();
  void wake(bool failed = false) noexcept;
  void pause_if_full();
  void resume_if_low();
  void force_resume();
  void keep_or_trim() noexcept;
  void fail_without_memory() noexcept;
  void trim_when_drained() noexcept;
  Verdict look_for(std::span<const std::string_view> separators, std::size_t limit);
  void start_account(std::string_view key, bool is_set, std::size_t count);
  Match search(std::span<const std::string_view> separators) noexcept;
  void collect(const void* read);
  void run_wait(ReadWait& node);
  bool must_go_on(ReadWait& node);
  void drop_wait(ReadWait& node) noexcept;
  Deadlines& deadlines();
  void stay_active();
  void time_wait();
  std::optional<TimePoint> expire(TimePoint now);

  EventLoop* loop_;
  Ref<LoopToken> loop_token_;
  Transport* transport_ = nullptr;
  ByteBuffer buffer_;
  std::size_t limit_;
  std::size_t amount_ = 0;
  std::exception_ptr exception_;
  ReadWait* waiter_ = nullptr;    // The one that new bytes wake; none from then on.
  ReadWait* resuming_ = nullptr;  // Set for the moment of a resumption.
  Memo memo_;
  std::uint64_t bytes_scanned_ = 0;
  std::string collected_;
  const void* collector_ = nullptr;  // Whose collected_ is, from its first look to its end.
  std::size_t cap_ = no_cap;
  std::unique_ptr<Deadlines> deadlines_;
  ReadWait own_wait_;
  bool own_wait_used_ = false;
  bool eof_ = false;
  bool paused_ = false;  // This reader paused the transport.
  bool buffer_first_ = false;
  Verdict verdict_ = Verdict::wait;
};

}  // namespace weir::detail

// Internal: used by StreamReader, StreamWriter and StreamReaderProtocol.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <weir/net/read_block.hpp>
#include <weir/net/transport.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/ref.hpp>
#include <weir/reactor/task/task_base.hpp>
#include <weir/streams/byte_buffer.hpp>
#include <weir/streams/match_memo.hpp>
#include <weir/streams/read_wait.hpp>
#include <weir/streams/reader_seldom.hpp>
#include <weir/streams/separators.hpp>

namespace WEIR_API weir {
namespace detail {

/// The limit as a size. ValueError "Limit cannot be <= 0".
std::size_t check_limit(std::ptrdiff_t limit);

/// What StreamReader handles share: the buffer, and every rule of asyncio's reader. The awaitables
/// of stream_reader.hpp ask look_…() whether they can finish, and take what it says; nothing here
/// knows coroutines but the wait.
///
/// Source    CPython 3.13 streams.py StreamReader; where it is wrong, docs/asyncio_map.md says what
///           is done instead.
class ReaderState final : public DrainHook, public Counted<ReaderState> {
 public:
  /// ValueError "Limit cannot be <= 0".
  ReaderState(EventLoop& loop, std::ptrdiff_t limit);
  ReaderState(const ReaderState&) = delete;
  ReaderState& operator=(const ReaderState&) = delete;
  ~ReaderState() = default;
  void destroy() noexcept;  // Not inline: g++ 12 takes a second count let go of for a use after it.

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
    if (ReaderDeadlines* its = deadlines()) its->idle.reset();
  }
  const Transport* transport() const noexcept { return transport_; }

  // ---- The pull side: look, then take. What can be answered at once is decided in the caller, by
  // a few instructions; look_…() hears of the rest.

  /// Whether the next record is there, in less than `reach` bytes before its separator, and nothing
  /// else matters. Then it ends at `answer_end_`.
  [[gnu::always_inline]] bool at_hand(std::string_view separator, std::size_t reach) noexcept {
    if (!memo_.knows(separator)) return false;
    std::uint64_t matches = memo_.matches();
    if (matches == 0) matches = search_on();
    if (matches == 0) return false;
    const std::uint64_t start = memo_.first_of(matches);
    if (start - buffer_.position() >= reach) return false;
    answer_end_ = start + separator.size();
    verdict_ = Verdict::at_once;
    return true;
  }
  /// For at_hand(): one more than limit(), or nothing while a stored exception goes first.
  std::size_t reach() const noexcept { return reach_; }
  std::size_t reach_for(std::size_t limit) const noexcept { return reach_ == 0 ? 0 : limit + 1; }
  /// Whether `least` bytes are buffered, of which up to `most` are the answer.
  [[gnu::always_inline]] bool at_hand(std::size_t least, std::size_t most) noexcept {
    if (buffer_.size() < least || exception_ || buffer_.position() >= turn_end_) return false;
    set_amount(std::min(buffer_.size(), most));
    verdict_ = Verdict::at_once;
    return true;
  }

  /// Whether a read of one byte or more, or of a record, must wait, and nothing else matters.
  bool must_wait() const noexcept { return buffer_.empty() && !exception_ && !eof_; }
  bool must_wait(std::string_view separator) const noexcept {
    return must_wait() && memo_.knows(separator);
  }

  /// `read`: who asks. Two read(-1) must not mix what they have collected.
  Verdict look_read(std::ptrdiff_t wanted, const void* read, Look look);
  Verdict look_exactly(std::ptrdiff_t wanted, Look look);
  Verdict look_peek(std::ptrdiff_t wanted, Look look);
  Verdict look_until(std::string_view separator, Look look, std::size_t limit);
  Verdict look_until_any(const Separators& separators, Look look, std::size_t limit);
  Verdict look_piece(std::string_view separator, Look look, std::size_t limit);
  Verdict look_discard(std::string_view separator, Look look, std::uint64_t& discarded);
  std::size_t amount() const noexcept {
    return static_cast<std::size_t>(answer_end_ - buffer_.position());
  }

  /// The answer of Verdict::take, where it lies: valid until the next call on the reader or the
  /// next suspension.
  std::string_view take() {
    memo_.drop_before(answer_end_);
    return take_front();
  }
  /// The same for a record: it ends with the next match.
  [[gnu::always_inline]] std::string_view take_record() {
    memo_.drop_next();
    return take_front();
  }
  std::string_view answer() const noexcept { return {buffer_.data(), amount()}; }
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
  void unread(std::string_view bytes);

  // ---- Options; all off at first

  void set_cap(std::size_t bytes) { seldom().cap = bytes; }
  std::size_t cap() const noexcept { return seldom_ ? seldom_->cap : ReaderSeldom::no_cap; }
  void set_buffer_first(bool enabled) noexcept {
    buffer_first_ = enabled;
    measure_reach();
  }
  void set_read_timeout(std::optional<Duration> timeout);
  void set_idle_timeout(std::optional<Duration> timeout);
  /// Something was received or written: the stream is not idle.
  void note_activity() {
    if (keeps_time()) [[unlikely]]
      stay_active();
  }
  bool keeps_time() const noexcept { return deadlines() != nullptr; }

  // ---- Waiting

  /// RuntimeError "read() called while another coroutine is already waiting for incoming data".
  void check_may_wait(const char* function) const {
    if (waiter_ != nullptr) [[unlikely]]
      throw_may_not_wait(function);
  }
  /// Parks the current task on this reader until look(*this, read) says something else than wait.
  /// No other task may be waiting.
  ///
  /// Errors    RuntimeError  the task belongs to another loop.
  void wait(const ReadKind& what, const AnyRead& read, PromiseBase& waiter);
  /// A task that was answered at once for `turn_bytes` in one pass has had its turn: others may run
  /// before it is answered now.
  bool had_its_turn() noexcept { return buffer_.position() >= turn_end_ && ends_turn(); }
  /// Whether the read at `node` was woken by bytes alone.
  bool only_has_bytes(const ReadWait& node) const noexcept {
    return !node.cancelled && !node.failed && &node == &own_wait_;
  }
  /// It has its answer, and nothing is left to finish.
  void end_own_wait() noexcept { own_wait_used_ = false; }
  void look_again(ReadWait& node);  // Any other that is woken: resumes it, or waits on.
  /// Parks the current task until the next pass: a wait, but not for data.
  void end_turn(const ReadKind& what, const AnyRead& read, PromiseBase& waiter);
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
  std::uint64_t bytes_scanned() const noexcept {
    return memo_.bytes_scanned() + (seldom_ ? seldom_->set_bytes_scanned : 0);
  }
  std::size_t limit() const noexcept { return limit_; }
  bool paused() const noexcept { return paused_; }
  std::string repr() const;
  EventLoop& loop() const noexcept { return *loop_token_->loop; }

  static constexpr std::uint64_t turn_bytes = 256 * 1024;

 private:
  /// In the buffer. Of length 0: none.
  struct Match {
    std::size_t start = 0;
    std::size_t length = 0;
    std::size_t end() const noexcept { return start + length; }
  };

  static const Parked::Kind wait_parked;
  friend struct ReadWait;

  /// The stored exception beats the buffer, unless the reader was told otherwise.
  bool refused(Look look) const noexcept {
    return exception_ && look == Look::first && !buffer_first_;
  }
  bool ended() const noexcept { return eof_ && !(buffer_first_ && exception_); }  // For a read.

  void feed_unusually(std::string_view lent, ReadBlock* block);
  void received();
  /// What wakes the read first decides: what comes after that changes nothing. Until it runs the
  /// reader has no waiter, as in asyncio: others may read, or wait.
  void wake(bool failed = false) noexcept {
    if (waiter_ == nullptr) return;
    waiter_->failed = failed;
    loop().ready().push(*std::exchange(waiter_, nullptr)->task);
  }
  void pause_if_full();
  void resume_if_low();
  void force_resume();
  [[gnu::always_inline]] std::string_view take_front() {
    const std::string_view taken = answer();
    buffer_.consume_to(answer_end_);
    if (buffer_.position() >= attend_from_) [[unlikely]]
      attend();
    return taken;
  }
  void measure_reach() noexcept { reach_ = exception_ && !buffer_first_ ? 0 : limit_ + 1; }
  void set_amount(std::size_t bytes) noexcept { answer_end_ = buffer_.position() + bytes; }
  void attend();
  void watch_level() noexcept;
  void keep_or_trim() noexcept;
  void fail_without_memory() noexcept;
  void trim_when_drained() noexcept;
  Verdict judge(const Match& match, std::size_t shortest, std::size_t longest,
                std::size_t limit) noexcept;
  void start_account(std::string key, std::size_t count);
  Match search(std::span<const std::string_view> separators) noexcept;
  void collect(const void* read);
  [[noreturn]] static void throw_may_not_wait(const char* function);
  void forget_matches() noexcept;
  void wait_unusually(const ReadKind& what, const AnyRead& read, PromiseBase& waiter);
  bool must_go_on(ReadWait& node);
  ReadWait& new_wait(const AnyRead& read);
  void drop_wait(ReadWait& node) noexcept;
  std::uint64_t search_on() noexcept;
  bool ends_turn() noexcept;
  ReaderSeldom& seldom() {
    if (!seldom_) seldom_ = std::make_unique<ReaderSeldom>();
    return *seldom_;
  }
  ReaderDeadlines* deadlines() const noexcept {
    return seldom_ ? seldom_->deadlines.get() : nullptr;
  }
  ReaderDeadlines& make_deadlines();
  void stay_active();
  void time_wait();
  std::optional<TimePoint> expire(TimePoint now);

  // First, where the count has left four bytes.
  Verdict verdict_ = Verdict::wait;
  bool own_wait_used_ = false;
  bool eof_ = false;
  bool paused_ : 1 = false;  // This reader paused the transport.
  bool buffer_first_ : 1 = false;
  // What a read that is answered at once touches.
  ByteBuffer buffer_;
  [[no_unique_address]] MatchMemo memo_;  // Of the single separator that was looked for last.
  std::uint32_t turn_pass_ = 0;           // In its last bytes: when the turn began. It ends:
  std::uint64_t turn_end_ = turn_bytes;
  std::size_t limit_;
  std::size_t reach_;
  // Not how long the answer is: each record would wait for the end of the last one.
  std::uint64_t answer_end_ = 0;
  std::uint64_t attend_from_ = ByteBuffer::never;  // From this position on, attend() to the buffer.
  std::exception_ptr exception_;
  ReadWait* resuming_ = nullptr;  // Set for the moment of a resumption.
  Ref<LoopToken> loop_token_;
  Transport* transport_ = nullptr;
  ReadWait* waiter_ = nullptr;  // The one that new bytes wake; none from then on.
  std::unique_ptr<ReaderSeldom> seldom_;
  ReadWait own_wait_;
};

}  // namespace detail
}  // namespace weir

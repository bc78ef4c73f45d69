// SPDX-License-Identifier: MIT
#include <weir/streams/reader_state.hpp>

#include <algorithm>
#include <new>
#include <utility>

#include <weir/reactor/error.hpp>
#include <weir/reactor/pool.hpp>

namespace weir::detail {

// ---- Construction

const Parked::Kind ReaderState::wait_parked = {
    [](Parked& parked, const std::string&) {
      auto& node = static_cast<ReadWait&>(parked);
      ReaderState& reader = node.reader();
      if (node.cancelled) return false;
      node.cancelled = true;
      if (node.task->position == 0) reader.loop().ready().push(*node.task);
      // The reader is free again at once: a cancelled wait is none.
      if (reader.waiter_ == &node) reader.waiter_ = nullptr;
      return true;
    },
    [](Parked& parked) noexcept {
      auto& node = static_cast<ReadWait&>(parked);
      node.reader().drop_wait(node);
    },
    nullptr,
    [](const Parked& parked) { return describe_read(static_cast<const ReadWait&>(parked)); },
};

ReadWait::ReadWait() noexcept : Parked(ReaderState::wait_parked) {}

std::string ReadWait::describe(const Runnable& runnable) {
  return static_cast<const TaskBase&>(runnable).describe_task();
}

std::size_t check_limit(std::ptrdiff_t limit) {
  if (limit <= 0) throw ValueError("Limit cannot be <= 0");
  return static_cast<std::size_t>(limit);
}

ReaderState::ReaderState(EventLoop& loop, std::ptrdiff_t limit)
    : DrainHook([](DrainHook& hook) { static_cast<ReaderState&>(hook).keep_or_trim(); }),
      limit_(check_limit(limit)),
      reach_(limit_ + 1),
      loop_token_(loop.token()) {
  // A WEIR_SIMD that names nothing is told here: a search could only end the program.
  static_cast<void>(match_kernels());
}

void ReaderState::destroy() noexcept { delete this; }

// ---- The push side

void ReaderState::feed(std::string_view data) {
  require(!eof_, "feed_data after feed_eof");
  if (data.empty()) return;
  buffer_.append(data);
  received();
}

// BYTE 5/7: the byte joins what the reader holds, and a read that waits is queued to look again.
// Next: EventLoop::run_ready (reactor/event_loop.cpp)
void ReaderState::feed_borrowed(std::string_view lent, ReadBlock* block) {
  const bool usual = buffer_.empty() && !linked() && !eof_ && !paused_ && seldom_ == nullptr &&
                     !lent.empty() && lent.size() / 2 < limit_;
  if (!usual) [[unlikely]]
    return feed_unusually(lent, block);
  buffer_.borrow(lent);
  attend_from_ = ByteBuffer::never;
  loop().when_drained(*this);
  wake();
}

void ReaderState::feed_unusually(std::string_view lent, ReadBlock* block) {
  if (eof_ || lent.empty() || buffer_.borrowed()) return feed(lent);
  std::string_view all = lent;
  if (!buffer_.empty()) {  // A record has begun, and stays in one run.
    all = block != nullptr ? block->put_before(lent, buffer_.view()) : std::string_view();
    if (all.empty()) return feed(lent);
  }
  buffer_.borrow(all);
  loop().when_drained(*this);
  received();
}

void ReaderState::received() {
  note_activity();
  wake();
  pause_if_full();
  watch_level();
}

void ReaderState::pause_if_full() {
  if (transport_ == nullptr || paused_ || buffer_.size() / 2 < limit_) return;
  if (buffer_.size() <= 2 * limit_) return;
  try {
    transport_->pause_reading();
    paused_ = true;
  } catch (const NotImplementedError&) {
    transport_ = nullptr;  // It cannot be paused: asyncio lets the buffer grow, and so must we.
  }
}

void ReaderState::feed_eof() {
  eof_ = true;
  wake();
}

void ReaderState::set_exception(std::exception_ptr error) {
  if (!error) throw ValueError("invalid exception object");
  exception_ = std::move(error);
  measure_reach();
  wake(true);
}

void ReaderState::set_transport(Transport& transport) {
  require(transport_ == nullptr, "Transport already set");
  transport_ = &transport;
}

/// The event is over: the lent block goes back, and with it the views; an idle reader holds no
/// memory.
void ReaderState::keep_or_trim() noexcept {
  if (buffer_.give_back_if_read()) {  // Nothing is left to keep, as with nearly every event.
    attend_from_ = ByteBuffer::never;
    if (paused_) [[unlikely]]
      watch_level();
    return;
  }
  try {
    buffer_.settle();
  } catch (const std::bad_alloc&) {
    return fail_without_memory();
  }
  buffer_.trim();
  watch_level();
}

/// Received bytes are lost, for want of memory to keep them. What comes after them must not be
/// taken for what comes next: reads fail from now on, and the connection ends.
void ReaderState::fail_without_memory() noexcept {
  buffer_.drop();
  memo_.forget();
  if (seldom_) {
    seldom_->collected.clear();
    seldom_->collector = nullptr;
  }
  if (!exception_) exception_ = std::make_exception_ptr(std::bad_alloc());
  measure_reach();
  wake(true);
  if (transport_ != nullptr) transport_->abort();
}

/// Views stay valid until the event is drained, so memory goes back then, not now. A reader that
/// has outlived its loop keeps it.
void ReaderState::trim_when_drained() noexcept {
  if (buffer_.wasteful() && loop_token_->loop != nullptr) loop().when_drained(*this);
}

/// Called when attend_from_ has been passed: after the read that brings the buffer down to where
/// memory can be given back, or the transport resumed.
void ReaderState::attend() {
  trim_when_drained();
  resume_if_low();
  watch_level();
}

inline void ReaderState::watch_level() noexcept {
  attend_from_ = linked() ? ByteBuffer::never : buffer_.wasteful_from();
  if (!paused_) return;
  const std::uint64_t low = buffer_.end() - std::min<std::uint64_t>(buffer_.end(), limit_);
  attend_from_ = std::min(attend_from_, low);
}

// ---- Flow control

/// After a successful read. Above the limit the transport stays paused: the next reads have enough.
void ReaderState::resume_if_low() {
  if (!paused_ || buffer_.size() > limit_) return;
  paused_ = false;
  if (transport_ != nullptr) transport_->resume_reading();
}

/// Before waiting: whatever is buffered is not enough, so more must come, or the read would wait
/// for ever.
void ReaderState::force_resume() {
  if (!paused_) return;
  paused_ = false;
  if (transport_ != nullptr) transport_->resume_reading();
}

// ---- The pull side

Verdict ReaderState::look_read(std::ptrdiff_t wanted, const void* read, Look look) {
  // read(-1) is a read() for every piece, and each of them looks at the exception; the last one,
  // woken by the end, has all.
  const bool has_all = wanted >= 0 || (ended() && buffer_.empty());
  if (refused(look) || (exception_ && !has_all)) return Verdict::failed;
  if (wanted < 0) {
    if (waiter_ != nullptr) return Verdict::wait;  // It will be refused: the bytes are not its own.
    const ReaderSeldom& its = seldom();
    const bool collects = its.collector == nullptr || its.collector == read;
    if ((collects ? its.collected.size() : 0) + buffer_.size() > its.cap) return Verdict::over_cap;
    if (collects) collect(read);
    set_amount(buffer_.size());
    return eof_ ? Verdict::take : Verdict::wait;
  }
  if (buffer_.empty() && !ended() && wanted != 0) return Verdict::wait;
  set_amount(std::min(static_cast<std::size_t>(wanted), buffer_.size()));
  return Verdict::take;
}

Verdict ReaderState::look_exactly(std::ptrdiff_t wanted, Look look) {
  if (wanted < 0) return Verdict::bad_argument;
  set_amount(static_cast<std::size_t>(wanted));
  if (amount() > cap()) return Verdict::over_cap;
  if (refused(look)) return Verdict::failed;
  if (buffer_.size() >= amount()) return Verdict::take;
  return ended() ? Verdict::incomplete : Verdict::wait;
}

Verdict ReaderState::look_peek(std::ptrdiff_t wanted, Look look) {
  const Verdict verdict = look_exactly(wanted, look);
  if (verdict != Verdict::incomplete) return verdict;
  set_amount(buffer_.size());
  return Verdict::take;
}

std::string_view ReaderState::take_all() {
  const std::string_view rest = buffer_.view();
  buffer_.consume(rest.size());
  memo_.drop_before(buffer_.position());
  trim_when_drained();
  return rest;
}

std::string ReaderState::take_rest() { return std::string(take_all()); }

void ReaderState::discard_overrun(Verdict verdict) {
  // Found: the over-long line goes, with its newline. Not found: everything goes, and the rest of
  // that line, when it comes, will look like a line of its own. That is asyncio's rule.
  buffer_.consume(verdict == Verdict::overrun_found ? amount() + 1 : buffer_.size());
  memo_.drop_before(buffer_.position());
  attend();
}

void ReaderState::collect(const void* read) {
  seldom_->collector = read;
  if (buffer_.empty()) return;
  seldom_->collected += buffer_.view();
  set_amount(buffer_.size());
  take();
}

std::optional<std::string> ReaderState::take_collected(const void* read) {
  if (!seldom_ || seldom_->collector != read) return std::nullopt;
  seldom_->collector = nullptr;
  return std::exchange(seldom_->collected, std::string());
}

void ReaderState::give_back_collected(const void* read) noexcept {
  if (!seldom_ || seldom_->collector != read) return;
  seldom_->collector = nullptr;
  if (seldom_->collected.empty()) return;
  try {
    buffer_.prepend(seldom_->collected);
  } catch (const std::bad_alloc&) {
    return fail_without_memory();
  }
  seldom_->collected = std::string();
  forget_matches();  // The bytes that came back were never searched.
  watch_level();
  wake();  // Another read may wait by now, for just these bytes.
}

void ReaderState::unread(std::string_view bytes) {
  if (bytes.empty()) return;
  if (seldom_ && !seldom_->collected.empty()) {  // All of that comes before what is buffered.
    seldom_->collected.insert(0, bytes);
  } else {
    buffer_.prepend(bytes);
    forget_matches();  // They need not be those that were taken.
  }
  wake();
  pause_if_full();
  watch_level();
}

void ReaderState::forget_matches() noexcept {
  memo_.forget();
  if (seldom_) seldom_->set.key.clear();
}

// ---- Waiting

void ReaderState::throw_may_not_wait(const char* function) {
  throw RuntimeError(std::string(function) +
                     "() called while another coroutine is already waiting for incoming data");
}

/// A node for the read. Another one has the reader's own if that was cancelled or woken, and has
/// not been unwound yet.
ReadWait& ReaderState::new_wait(const AnyRead& read) {
  ReadWait* node = &own_wait_;
  if (own_wait_used_) {
    node = ::new (pool_allocate(sizeof(ReadWait))) ReadWait();
  } else {
    own_wait_used_ = true;
  }
  node->read = &read;
  node->failed = false;
  if (ReaderDeadlines* its = deadlines()) [[unlikely]]
    its->waiting_since = its->timer.now();
  return *node;
}

/// The usual wait is a few stores into the reader's own node. What it takes to keep that so:
/// nothing here calls anything that returns, so no register is saved.
void ReaderState::wait(const ReadKind& what, const AnyRead& read, PromiseBase& promise) {
  TaskBase& task = *current_task;
  const bool usual =
      task.future().token == loop_token_ && !own_wait_used_ && !paused_ && seldom_ == nullptr;
  if (!usual) [[unlikely]]
    return wait_unusually(what, read, promise);
  if (buffer_.give_back_if_read()) unlink();  // The views have ended: no hook need settle it.
  own_wait_used_ = true;
  own_wait_.read = &read;
  own_wait_.failed = false;
  waiter_ = &own_wait_;
  task.set_turn(what);
  task.park(own_wait_, promise);
}

void ReaderState::wait_unusually(const ReadKind& what, const AnyRead& read, PromiseBase& promise) {
  if (current_task->future().token != loop_token_) {
    throw RuntimeError("Task " + current_task->describe_task() + " got " + repr() +
                       " attached to a different loop");
  }
  force_resume();
  ReadWait& node = new_wait(read);
  time_wait();
  waiter_ = &node;
  current_task->set_turn(what);
  current_task->park(node, promise);
}

/// A turn is over in the pass that it began in; spread over several it has starved nobody.
bool ReaderState::ends_turn() noexcept {
  if (loop_token_->loop == nullptr || current_task->future().token != loop_token_) return false;
  const auto pass = static_cast<std::uint32_t>(loop().stats().passes);
  turn_end_ = buffer_.position() + turn_bytes;
  const bool ends = turn_pass_ == pass;
  turn_pass_ = ends ? pass + 1 : pass;  // It goes on in the next one.
  return ends;
}

/// What has been found stays found: the read looks again in the next pass, and if others have taken
/// it by then, waits.
void ReaderState::end_turn(const ReadKind& what, const AnyRead& read, PromiseBase& promise) {
  ReadWait& node = new_wait(read);
  current_task->set_turn(what);
  loop().ready().push(*current_task);
  current_task->park(node, promise);
}

void ReaderState::look_again(ReadWait& node) {
  verdict_ = Verdict::wait;  // What it says may be that of a read that was answered at once.
  if (!node.cancelled && must_go_on(node)) return;
  resuming_ = &node;
  node.task->step();  // The reader may be gone after this.
}

bool ReaderState::must_go_on(ReadWait& node) {
  if (node.error) return false;  // It took too long.
  try {
    verdict_ = node.failed && !buffer_first_ ? Verdict::failed : node.what().look(*node.read);
    // An exception that came after what woke it: asyncio does not look here, and waits for ever.
    if (verdict_ == Verdict::wait && exception_) verdict_ = Verdict::failed;
    if (verdict_ != Verdict::wait) return false;
    if (waiter_ != nullptr) [[unlikely]]
      throw_may_not_wait(node.what().function);
    force_resume();
    if (node.cancelled) return true;  // By the transport, just now: then the task is queued.
    time_wait();
    waiter_ = &node;
    return true;
  } catch (...) {  // The coroutine's to throw: the loop has nobody to tell.
    node.error = std::current_exception();
    return false;
  }
}

void ReaderState::finish_wait() {
  ReadWait& node = *std::exchange(resuming_, nullptr);
  const bool cancelled = node.cancelled;
  const std::exception_ptr error = std::exchange(node.error, nullptr);
  drop_wait(node);
  if (cancelled) throw_cancelled(current_task->cancel_text());
  if (error) std::rethrow_exception(error);
}

void ReaderState::drop_wait(ReadWait& node) noexcept {
  if (waiter_ == &node) waiter_ = nullptr;
  if (&node == &own_wait_) {
    node.error = nullptr;
    own_wait_used_ = false;
  } else {
    node.~ReadWait();
    pool_free(&node, sizeof(ReadWait));
  }
}

std::string ReaderState::repr() const {
  std::string text = "<StreamReader";
  if (!buffer_.empty()) text += " " + std::to_string(buffer_.size()) + " bytes";
  if (eof_) text += " eof";
  if (limit_ != 64 * 1024) text += " limit=" + std::to_string(limit_);
  if (waiter_ != nullptr) text += " waiter=" + waiter_->task->describe_task();
  if (exception_) text += " exception=" + describe(exception_);
  if (transport_ != nullptr) text += " transport=" + transport_->repr();
  if (paused_) text += " paused";
  return text + ">";
}

}  // namespace weir::detail

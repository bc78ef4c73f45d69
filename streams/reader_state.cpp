// SPDX-License-Identifier: MIT
#include <weir/streams/reader_state.hpp>

#include <algorithm>
#include <new>
#include <utility>

#include <weir/reactor/error.hpp>
#include <weir/reactor/pool.hpp>
#include <weir/streams/find_separator.hpp>

namespace weir::detail {

// ---- Construction

const RunnableKind ReaderState::wait_runnable = {
    [](Runnable& runnable) {
      auto& node = static_cast<ReadWait&>(runnable);
      node.reader.run_wait(node);
    },
    [](const Runnable& runnable) { return static_cast<const ReadWait&>(runnable).task->describe_task(); }};

const Parked::Kind ReaderState::wait_parked = {
    [](Parked& parked, const std::string&) {
      auto& node = static_cast<ReadWait&>(parked);
      ReaderState& reader = node.reader;
      if (node.cancelled) return false;
      node.cancelled = true;
      // The reader is free again at once: a cancelled wait is none.
      if (reader.waiter_ == &node) reader.waiter_ = nullptr;
      if (node.position == 0) reader.loop().ready().push(node);
      return true;
    },
    [](Parked& parked) noexcept {
      auto& node = static_cast<ReadWait&>(parked);
      node.reader.drop_wait(node);
    }};

ReadWait::ReadWait(ReaderState& its_reader) noexcept
    : Parked(ReaderState::wait_parked), Runnable(ReaderState::wait_runnable), reader(its_reader) {}

namespace {
std::size_t checked_limit(std::ptrdiff_t limit) {
  if (limit <= 0) throw ValueError("Limit cannot be <= 0");
  return static_cast<std::size_t>(limit);
}
}  // namespace

ReaderState::ReaderState(EventLoop& loop, std::ptrdiff_t limit)
    : DrainHook([](DrainHook& hook) { static_cast<ReaderState&>(hook).keep_or_trim(); }),
      loop_(&loop),
      loop_token_(loop.token()),
      limit_(checked_limit(limit)),
      own_wait_(*this) {}

// ---- The push side

void ReaderState::feed(std::string_view data) {
  require(!eof_, "feed_data after feed_eof");
  if (data.empty()) return;
  buffer_.append(data);
  received();
}

// BYTE 5/7: the byte joins what the reader holds, and a read that waits is queued to look again.
// Next: EventLoop::run_ready (reactor/event_loop.cpp)
void ReaderState::feed_borrowed(std::string_view lent) {
  if (!buffer_.empty() || eof_ || lent.empty()) return feed(lent);  // A record has begun: it stays in one run.
  buffer_.borrow(lent);
  loop_->when_drained(*this);
  received();
}

void ReaderState::received() {
  wake();
  if (transport_ == nullptr || paused_ || buffer_.size() / 2 < limit_) return;
  if (buffer_.size() <= 2 * limit_) return;
  try {
    transport_->pause_reading();
    paused_ = true;
  } catch (const NotImplementedError&) {
    transport_ = nullptr;  // It cannot be paused: asyncio lets the buffer grow, and so must we.
  }
}

void ReaderState::wake() {
  if (waiter_ != nullptr && waiter_->position == 0) loop_->ready().push(*waiter_);
}

void ReaderState::feed_eof() {
  eof_ = true;
  wake();
}

void ReaderState::set_exception(std::exception_ptr error) {
  exception_ = std::move(error);
  wake();
}

void ReaderState::set_transport(Transport& transport) {
  require(transport_ == nullptr, "Transport already set");
  transport_ = &transport;
}

/// The event is over: the lent block goes back, and with it the views; an idle reader holds no memory.
void ReaderState::keep_or_trim() {
  buffer_.settle();
  buffer_.trim();
}

// ---- Flow control

/// After a successful read. Above the limit the transport stays paused: the next reads have enough.
void ReaderState::resume_if_low() {
  if (!paused_ || buffer_.size() > limit_) return;
  paused_ = false;
  if (transport_ != nullptr) transport_->resume_reading();
}

/// Before waiting: whatever is buffered is not enough, so more must come, or the read would wait for ever.
void ReaderState::force_resume() {
  if (!paused_) return;
  paused_ = false;
  if (transport_ != nullptr) transport_->resume_reading();
}

// ---- The pull side

Verdict ReaderState::look_read(std::ptrdiff_t wanted) {
  if (exception_) return Verdict::failed;
  if (wanted < 0) {
    collect();
    return eof_ ? Verdict::take : Verdict::wait;
  }
  if (buffer_.empty() && !eof_ && wanted != 0) return Verdict::wait;
  amount_ = std::min(static_cast<std::size_t>(wanted), buffer_.size());
  return Verdict::take;
}

Verdict ReaderState::look_exactly(std::ptrdiff_t wanted) {
  if (wanted < 0) return Verdict::bad_argument;
  if (exception_) return Verdict::failed;
  amount_ = static_cast<std::size_t>(wanted);
  if (buffer_.size() >= amount_) return Verdict::take;
  return eof_ ? Verdict::incomplete : Verdict::wait;
}

Verdict ReaderState::look_until(std::string_view separator) {
  if (separator.empty()) return Verdict::bad_argument;
  if (exception_) return Verdict::failed;
  if (buffer_.size() >= separator.size()) {
    const std::size_t from = search_start(separator);
    const std::size_t start = find_separator(buffer_.view(), separator, from);
    if (start != not_found) {
      bytes_scanned_ += start + separator.size() - from;
      remember(start);
      return found_verdict(start, separator.size());
    }
    bytes_scanned_ += buffer_.size() - from;
    const Verdict verdict = not_found_verdict(buffer_.size() + 1 - separator.size());
    if (verdict != Verdict::wait) return verdict;
  }
  return eof_ ? Verdict::incomplete : Verdict::wait;
}

namespace {

struct Match {
  std::size_t start = not_found;
  std::size_t length = 0;
};

/// The match that ends first; of two that end together the shorter separator, which is looked for first.
Match find_first_end(std::string_view text, const Separators& separators, std::size_t from) noexcept {
  Match best;
  for (const std::string_view separator : separators) {
    // A match that ends where the best one does, or later, loses: what lies behind need not be searched.
    const std::size_t end = best.start == not_found ? text.size() : best.start + best.length - 1;
    const std::size_t start = find_separator(text.substr(0, end), separator, from);
    if (start != not_found) best = {start, separator.size()};
  }
  return best;
}

/// All of them in one string that no other set gives.
std::string key_of(const Separators& separators) {
  std::string key;
  for (const std::string_view separator : separators) {
    key += std::to_string(separator.size()) + ":";
    key += separator;
  }
  return key;
}

}  // namespace

Verdict ReaderState::look_until_any(const Separators& separators) {
  if (separators.empty() || separators.shortest().empty()) return Verdict::bad_argument;
  if (exception_) return Verdict::failed;
  if (buffer_.size() >= separators.shortest().size()) {
    const std::size_t from = search_start(key_of(separators));
    const Match match = find_first_end(buffer_.view(), separators, from);
    if (match.start != not_found) {
      bytes_scanned_ += match.start + match.length - from;
      // None ends before this one; whatever starts a longest separator's length before its end is still in question.
      const std::size_t end = match.start + match.length;
      const std::size_t longest = separators.longest().size();
      remember(std::max(from, end > longest ? end - longest : 0));
      return found_verdict(match.start, match.length);
    }
    bytes_scanned_ += buffer_.size() - from;
    const std::size_t longest = separators.longest().size();
    const Verdict verdict = not_found_verdict(buffer_.size() >= longest ? buffer_.size() + 1 - longest : 0);
    if (verdict != Verdict::wait) return verdict;
  }
  return eof_ ? Verdict::incomplete : Verdict::wait;
}

/// Where the search for `key` goes on: where the last one for it stopped, or at the start of the record.
std::size_t ReaderState::search_start(std::string_view key) {
  if (memo_.key != key) {
    memo_.key = key;
    memo_.position = buffer_.position();
  }
  if (memo_.position <= buffer_.position()) return 0;
  return static_cast<std::size_t>(memo_.position - buffer_.position());
}

Verdict ReaderState::not_found_verdict(std::size_t offset) {
  remember(offset);
  if (offset <= limit_) return Verdict::wait;
  amount_ = offset;
  return Verdict::overrun_not_found;
}

Verdict ReaderState::found_verdict(std::size_t start, std::size_t length) {
  if (start > limit_) {
    amount_ = start;
    return Verdict::overrun_found;
  }
  amount_ = start + length;
  return Verdict::take;
}

/// Views stay valid until the event is drained, so memory goes back then, not now.
std::string_view ReaderState::take() {
  const std::string_view taken(buffer_.data(), amount_);
  buffer_.consume(amount_);
  if (buffer_.idle()) loop_->when_drained(*this);
  resume_if_low();
  return taken;
}

std::string_view ReaderState::take_all() {
  const std::string_view rest = buffer_.view();
  buffer_.consume(rest.size());
  if (buffer_.idle()) loop_->when_drained(*this);
  return rest;
}

std::string ReaderState::take_rest() { return std::string(take_all()); }

void ReaderState::discard_overrun(Verdict verdict) {
  // Found: the over-long line goes, with its newline. Not found: everything goes, and the rest of that line, when it
  // comes, will look like a line of its own. That is asyncio's rule.
  buffer_.consume(verdict == Verdict::overrun_found ? amount_ + 1 : buffer_.size());
  if (buffer_.idle()) loop_->when_drained(*this);
  resume_if_low();
}

void ReaderState::collect() {
  if (buffer_.empty()) return;
  collected_ += buffer_.view();
  amount_ = buffer_.size();
  take();
}

void ReaderState::give_back_collected() {
  if (collected_.empty()) return;
  buffer_.prepend(collected_);
  collected_ = std::string();
  memo_.key.clear();  // The bytes that came back were never searched.
}

// ---- Waiting

void ReaderState::wait(const char* function, const void* read, Verdict (*look)(ReaderState&, const void*),
                       PromiseBase& promise) {
  if (waiter_ != nullptr) {
    throw RuntimeError(std::string(function) +
                       "() called while another coroutine is already waiting for incoming data");
  }
  ReadWait* node = &own_wait_;
  if (own_wait_used_) {  // A cancelled wait that has not been unwound yet.
    node = ::new (pool_allocate(sizeof(ReadWait))) ReadWait(*this);
  } else {
    own_wait_used_ = true;
  }
  force_resume();
  node->read = read;
  node->look = look;
  waiter_ = node;
  current_task->park(*node, promise);
}

// BYTE 7/7: the read looks again. If it can finish, its coroutine resumes with the bytes; else it goes on waiting, and
// the coroutine hears nothing of it.
void ReaderState::run_wait(ReadWait& node) {
  if (!node.cancelled) {
    verdict_ = node.look(*this, node.read);
    if (verdict_ == Verdict::wait) return force_resume();
    waiter_ = nullptr;
  }
  resuming_ = &node;
  node.task->step();  // The reader may be gone after this.
}

/// In await_resume(), before anything else can happen to the reader.
bool ReaderState::finish_wait() noexcept {
  ReadWait* node = std::exchange(resuming_, nullptr);
  const bool cancelled = node->cancelled;
  drop_wait(*node);
  return cancelled;
}

void ReaderState::drop_wait(ReadWait& node) noexcept {
  if (waiter_ == &node) waiter_ = nullptr;
  if (node.position != 0) loop_->ready().remove(node);
  if (&node == &own_wait_) {
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

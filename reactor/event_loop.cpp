// SPDX-License-Identifier: MIT
#include <weir/reactor/event_loop.hpp>

#include <algorithm>
#include <cstdlib>
#include <new>

#include <weir/reactor/error.hpp>
#include <weir/reactor/letter.hpp>
#include <weir/reactor/no_alloc.hpp>
#include <weir/reactor/report.hpp>
#include <weir/reactor/trace/session.hpp>
#include <weir/reactor/trace/tracer.hpp>

namespace weir {
namespace {

// When to ask the kernel for events while callbacks keep each other busy. A poll with nothing to
// report costs 180 ns, a pass with one callback 5 ns, a look at the clock 23 ns: hence at most
// every 256 passes, and every 16, 32, 64 or 128 if 10 us have gone by. Polls and looks then cost 1
// ns a pass; events wait 20 us, or 16 passes that take longer.
constexpr int passes_before_first_look = 8;  // Doubled by each look.
constexpr int max_passes_without_poll = 256;
constexpr Duration busy_time_without_poll = std::chrono::microseconds(10);

// How many passes the events of one poll may spend, together, on draining what they woke. An event
// gets at least one, so timers wait for at most (events of the batch + this many) passes.
constexpr int max_drain_passes = 64;

// Room for the events of one wait, made at once: a wait must not fail for want of it. A poller that
// finds more tells the rest the next time.
constexpr std::size_t events_per_poll = 128;

// A poller that refuses a change is out of memory, or of watches: that may pass, as for accept().
constexpr Duration interest_retry_delay = std::chrono::seconds(1);

// How often a closing loop runs what the cancelled tasks still have to say before it destroys them.
constexpr int max_closing_passes = 1000;

}  // namespace

namespace detail {
constinit thread_local EventLoop* running_loop = nullptr;
}  // namespace detail

/// Makes the loop the running one of this thread, and undoes that however the scope is left.
class EventLoop::RunningScope {
 public:
  RunningScope(EventLoop& loop, State state) noexcept
      : loop_(loop), outer_(std::exchange(detail::running_loop, &loop)), before_(loop.state_) {
    loop_.state_ = state;
    loop_.thread_ = std::this_thread::get_id();
  }
  RunningScope(const RunningScope&) = delete;
  RunningScope& operator=(const RunningScope&) = delete;
  ~RunningScope() {
    loop_.state_ = before_;
    loop_.thread_ = std::thread::id();
    detail::running_loop = outer_;
  }

 private:
  EventLoop& loop_;
  EventLoop* outer_;
  State before_;
};

EventLoop::EventLoop(Kernel& kernel)
    : kernel_(detail::traced_as_wished(kernel)),
      poller_(kernel_.make_poller()),
      io_(*poller_),
      mailbox_(std::make_shared<detail::Mailbox>(*poller_)),
      signals_(kernel_, *poller_),
      token_(new detail::LoopToken(*this)),
      exception_handler_(std::make_shared<ExceptionHandler>()),  // NOLINT: nothing to throw.
      log_sink_(std::make_shared<LogSink>(log_to_stderr)),
      next_look_(passes_before_first_look) {
  events_.reserve(events_per_poll);
  tracer_ = kernel_.tracer();
  const char* debug = std::getenv("WEIR_DEBUG");
  set_debug(debug != nullptr && *debug != '\0');
}

EventLoop::~EventLoop() {
  if (state_ != State::closed) {
    log(LogLevel::warning, "unclosed event loop");
    try {
      close();
    } catch (const KeyboardInterrupt&) {  // All is closed, and a destructor has nobody to tell.
    }
  }
  token_->loop = nullptr;
}

// ---- Scheduling

void EventLoop::call_soon_threadsafe(Callback callback, std::source_location where) {
  detail::check_callable(callback, "call_soon_threadsafe()");
  if (!detail::Letter(*this, std::move(callback), where).send()) throw_closed();
}

// ---- Signals

void EventLoop::add_signal_handler(int number, Callback callback, std::source_location where) {
  check_closed();
  detail::check_callable(callback, "add_signal_handler()");
  signals_.add(number, *this, std::move(callback), where);
}
bool EventLoop::remove_signal_handler(int number) { return signals_.remove(number); }

// ---- Running

void EventLoop::run_forever() {
  check_closed();
  if (state_ != State::idle) throw RuntimeError("This event loop is already running");
  if (detail::running_loop != nullptr) {
    throw RuntimeError("Cannot run the event loop while another loop is running");
  }
  const RunningScope running(*this, State::running);
  struct ResetStop {
    bool& stopping;
    ~ResetStop() { stopping = false; }
  } reset{stopping_};
  // Those that an exception has kept the last run from running: what was gathered is sent, and
  // nothing is received into a block that is still lent.
  run_hooks();
  do {
    run_once();
  } while (!stopping_);
}

// [run_once]
/// One pass. Ready callbacks are called here, and in the drain of each event, and nowhere else.
inline void EventLoop::run_once() {
  if (io_.any_changed() || io_.any_refused()) [[unlikely]]
    flush_interest();
  // stop() before the run: asyncio documents that the one pass looks at the sockets all the same.
  if (ready_.empty() || poll_is_due() || stopping_) {
    poll();
  } else {
    receive();
  }
  if (stopping_) [[unlikely]] {
    run_last();
  } else {
    if (!timers_.empty()) queue_due_timers();
    run_ready(ready_.end());
  }
  run_hooks();
}
// [/run_once]

/// Whether the kernel has waited long enough.
inline bool EventLoop::poll_is_due() {
  if (++passes_since_poll_ < next_look_) [[likely]]
    return false;
  const TimePoint now = time();
  if (passes_since_poll_ == passes_before_first_look) busy_since_ = now;
  next_look_ *= 2;
  return passes_since_poll_ == max_passes_without_poll ||
         now - busy_since_ >= busy_time_without_poll;
}

/// The pass that stop() ends runs what was ready and what is due. What its events have woken waits
/// for the next run, like all that the callbacks of a last pass schedule (docs.python.org,
/// loop.stop).
void EventLoop::run_last() {
  const detail::QueuePosition woken_end = ready_.end();
  ready_.move_to_back(batch_start_);
  queue_due_timers();
  const detail::QueuePosition end = ready_.end();
  ready_.move_to_back(woken_end);
  if (tracer_ != nullptr) tracer_->renumber(ready_);
  run_ready(end);
}

void EventLoop::flush_interest() {
  if (io_.any_refused() && time() >= interest_retry_) [[unlikely]] {
    io_.retry_refused();
    interest_retry_ = detail::deadline_after(time(), interest_retry_delay);
  }
  int fd = -1;
  while (const int error = io_.flush(&fd)) {
    interest_retry_ = detail::deadline_after(time(), interest_retry_delay);
    report("The poller refused a change of interest", make_os_error(error),
           [fd](ExceptionContext context) {
             return std::move(context).with("socket", "fd " + std::to_string(fd));
           });
  }
}

inline void EventLoop::poll() {
  events_.clear();
  ++stats_.polls;
  passes_since_poll_ = 0;
  next_look_ = passes_before_first_look;
  if (const int error = poller_->wait(time_to_wait(), events_); error != 0) throw_os_error(error);
  receive();
  drain_passes_left_ = max_drain_passes;
  batch_start_ = ready_.end();
  for (const Ready& event : events_) dispatch(event);
}

/// None: until something happens.
inline std::optional<Duration> EventLoop::time_to_wait() {
  if (!ready_.empty() || stopping_ || mailbox_->has_mail() || signals_.any_pending()) {
    return Duration::zero();
  }
  if (timers_.empty() && !io_.any_refused()) [[likely]]
    return std::nullopt;
  TimePoint until = timers_.next_deadline().value_or(TimePoint::max());
  if (io_.any_refused()) until = std::min(until, interest_retry_);
  const TimePoint now = time();
  // Compared first: the distance to a deadline long past may not fit into a Duration.
  return until > now ? until - now : Duration::zero();
}

// BYTE 2/7: one fd is ready: its reader runs, and all that it wakes, before the next fd's does.
// Next: SocketTransport::read_ready (net/socket_transport_reading.cpp)
inline void EventLoop::dispatch(const Ready& event) {
  if (!io_.current(event)) [[unlikely]] {
    ++stats_.stale_events;
    return;
  }
  // Readable first: bytes that came before a hang-up or a reset are read before it is noticed.
  if (event.readable) {
    if (detail::Runnable* reader = io_.reader(event.fd)) call(*reader);
  }
  // The reader may have closed the descriptor, or stopped the writing.
  if (event.writable && io_.current(event)) {
    if (detail::Runnable* writer = io_.writer(event.fd)) call(*writer);
  }
  if (!ready_.empty() && !stopping_) drain();
  run_hooks();
}

void EventLoop::drain() {
  do {
    --drain_passes_left_;
    run_ready(ready_.end());
  } while (!ready_.empty() && !stopping_ && drain_passes_left_ > 0);
}

void EventLoop::queue_due_timers() {
  if (timers_.empty()) return;
  const TimePoint now = time();
  const detail::NoAllocScope expiry;
  timers_.queue_due(now, ready_);
}

/// What came from other threads and from signals.
inline void EventLoop::receive() {
  if (mailbox_->has_mail()) [[unlikely]]
    mailbox_->take(ready_);
  if (signals_.any_pending()) [[unlikely]]
    signals_.queue_pending(ready_);
}

// BYTE 6/7: what the byte woke runs: the parked read looks whether it can finish now.
// Next: ReadAwaitable::run (streams/read_awaitable.hpp)
inline void EventLoop::run_ready(detail::QueuePosition end) {
  ++stats_.passes;
  // Exactly those that were ready when the pass began: what they schedule runs in the next one.
  while (detail::Queueable* runnable = ready_.pop_before(end)) call(*runnable);
}

inline void EventLoop::run_hooks() {
  while (detail::DrainHook* hook = hooks_.pop_front()) hook->run(*hook);
  while (detail::Queueable* flush = flushes_.pop()) flush->run();
}

// ---- Closing

void EventLoop::close() {
  if (state_ == State::running) throw RuntimeError("Cannot close a running event loop");
  if (state_ != State::idle) return;
  std::exception_ptr interrupt;
  {
    const RunningScope closing(*this, State::closing);
    interrupt = wind_down();
    mailbox_->close();
    for (const auto* threads : {&executor_, &lookups_}) {
      if (*threads) (*threads)->shutdown(false);
    }
    // Again and again, for the destructors are the user's, and may schedule.
    for (int round = 0; round < max_closing_passes && let_go(); ++round) {
    }
  }
  state_ = State::closed;
  if (tracer_ != nullptr) tracer_->finish();
  if (interrupt) std::rethrow_exception(interrupt);
}

/// Runs what the aborted transports and the cancelled tasks have to say. Returns a
/// KeyboardInterrupt that came up, for later: a loop that is half closed is no use to anybody.
std::exception_ptr EventLoop::wind_down() {
  std::exception_ptr interrupt;
  detail::IntrusiveList<detail::Owned> ending;
  const auto quiet = [this] {
    return owned_.empty() && ready_.empty() && hooks_.empty() && flushes_.empty();
  };
  for (int pass = 0; pass < max_closing_passes; ++pass) {
    io_.for_each_owner([](detail::Runnable& owner) {
      if (owner.kind->abort != nullptr) owner.kind->abort(owner);
    });
    if (quiet()) break;
    while (detail::Owned* owned = owned_.pop_front()) {
      ending.push_back(*owned);
      owned->kind->abort(*owned);
    }
    try {
      run_ready(ready_.end());
      run_hooks();
    } catch (const KeyboardInterrupt&) {
      interrupt = std::current_exception();
    }
  }
  owned_.take(ending);
  return interrupt;
}

/// Destroys all that the loop still has. Returns whether there was anything.
bool EventLoop::let_go() {
  bool found = !owned_.empty() || !signals_.empty() || !services_.empty();
  io_.for_each_owner([&found](detail::Runnable& owner) {
    if (owner.kind->drop == nullptr) return;
    found = true;
    owner.kind->drop(owner);
  });
  while (detail::Owned* left = owned_.pop_front()) left->kind->destroy(*left);
  found = drop_scheduled() || found;
  for (int fd = 0; fd < io_.size(); ++fd) {
    found = unwatch(fd, false) || found;
    found = unwatch(fd, true) || found;
  }
  signals_.remove_all();
  while (!services_.empty()) services_.destroy_last();
  return found;
}

bool EventLoop::drop_scheduled() {
  const bool found = !ready_.empty() || !timers_.empty();
  const auto drop = [](detail::Queueable* runnable) {
    if (runnable->kind->drop != nullptr) runnable->kind->drop(*runnable);
  };
  while (detail::Queueable* runnable = ready_.pop()) drop(runnable);
  while (detail::Timer* timer = timers_.pop_any()) drop(timer);
  return found;
}

// ---- Errors and debugging

void EventLoop::set_exception_handler(ExceptionHandler handler) {
  exception_handler_ = std::make_shared<ExceptionHandler>(std::move(handler));
}

void EventLoop::call_exception_handler(const ExceptionContext& context) noexcept {
  const detail::MayAllocScope reporting;
  try {
    const std::shared_ptr<const ExceptionHandler> handler = exception_handler_;
    if (!*handler) return default_exception_handler(context);
    try {
      (*handler)(*this, context);
    } catch (...) {
      default_exception_handler(
          ExceptionContext("Unhandled error in exception handler", std::current_exception())
              .with("context", to_string(context)));
    }
  } catch (const std::bad_alloc&) {  // No details, then.
    log(LogLevel::error, context.message.empty() ? "out of memory" : context.message);
  } catch (...) {
    log(LogLevel::error, "Exception in default exception handler");
  }
}

/// Needs no memory. Without a handler of the user's the message is all that can be told.
void EventLoop::report_briefly(const char* message, const std::exception_ptr& error) noexcept {
  if (!*exception_handler_) return log(LogLevel::error, message);
  ExceptionContext context;
  context.message = "out of memory";  // Short enough for the string itself.
  context.exception = error;
  call_exception_handler(context);
}

void EventLoop::default_exception_handler(const ExceptionContext& context) {
  log(LogLevel::error, to_string(context));
}

void EventLoop::log(LogLevel level, std::string_view text) noexcept {
  const detail::MayAllocScope logging;
  try {
    const std::shared_ptr<const LogSink> sink = log_sink_;
    *sink ? (*sink)(level, text) : log_to_stderr(level, text);
  } catch (...) {  // A sink that fails has nowhere to say so.
  }
}

Executor& EventLoop::default_executor() {
  check_closed();
  if (!executor_) executor_ = kernel_.make_executor(default_max_threads());
  return *executor_;
}

Executor& EventLoop::lookup_executor() {
  check_closed();
  if (!lookups_) lookups_ = kernel_.make_executor(default_max_threads());
  return *lookups_;
}

void EventLoop::check_thread() const {
  if (thread_ != std::thread::id() && thread_ != std::this_thread::get_id()) {
    throw RuntimeError(
        "Non-thread-safe operation invoked on an event loop other than the current one");
  }
}

void EventLoop::throw_closed() { throw RuntimeError("Event loop is closed"); }

EventLoop& get_running_loop() {
  if (detail::running_loop == nullptr) throw RuntimeError("no running event loop");
  return *detail::running_loop;
}

}  // namespace weir

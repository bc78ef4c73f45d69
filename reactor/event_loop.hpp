// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <weir/reactor/callback.hpp>
#include <weir/reactor/clock.hpp>
#include <weir/reactor/executor.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/handle.hpp>
#include <weir/reactor/intrusive_list.hpp>
#include <weir/reactor/io_table.hpp>
#include <weir/reactor/kernel.hpp>
#include <weir/reactor/log.hpp>
#include <weir/reactor/loop_stats.hpp>
#include <weir/reactor/mailbox.hpp>
#include <weir/reactor/owned.hpp>
#include <weir/reactor/ready_queue.hpp>
#include <weir/reactor/ref.hpp>
#include <weir/reactor/running_loop.hpp>
#include <weir/reactor/services.hpp>
#include <weir/reactor/signals.hpp>
#include <weir/reactor/timer_heap.hpp>

namespace WEIR_API weir {

/// The loop: runs what is ready, waits for descriptors and deadlines, and runs what they wake.
///
/// Shape     One pass is: tell the poller what changed, poll, serve each ready descriptor to the
///           end, queue due timers, run what was ready, send what was gathered. docs/design has the
///           reasons.
/// Errors    Every scheduling function throws RuntimeError "Event loop is closed" after close(),
///           and ValueError "a callable object was expected by call_soon(), got None" for an empty
///           callback. What a callback throws goes to the exception handler, and the loop goes on;
///           KeyboardInterrupt alone comes out of run_forever().
/// Threads   One thread at a time, except call_soon_threadsafe(). In debug mode call_soon and
///           call_at check it.
/// Lifetime  Must outlive nothing: handles, futures and streams that outlive it become inert.
/// Source    CPython base_events.py, selector_events.py.
class EventLoop {
 public:
  using ExceptionHandler = std::function<void(EventLoop&, const ExceptionContext&)>;

  /// Errors    OSError  the kernel gives no poller. ValueError  WEIR_POLLER names an unknown one.
  explicit EventLoop(Kernel& kernel = Kernel::posix());
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  /// Closes the loop if that was not done, and logs a warning that it was not.
  ~EventLoop();

  // ---- Scheduling

  /// Runs `callback` in the next pass, after everything scheduled before it.
  ///
  /// Errors    RuntimeError  the loop is closed; in debug mode, called from another thread.
  /// Cost      No allocation in steady state for callables of up to 48 bytes.
  template <MakesCallback F>
  Handle call_soon(F&& callback, std::source_location where = std::source_location::current()) {
    auto node = make_handle(std::forward<F>(callback), "call_soon()", where);
    node->add_ref();  // The queue's.
    ready_.push(*node);
    return Handle(std::move(node));
  }

  /// Runs `callback` once `delay` has passed; a delay of zero or less is due now. Equal deadlines
  /// run in the order they were scheduled, never early.
  template <MakesCallback F>
  TimerHandle call_later(Delay delay, F&& callback,
                         std::source_location where = std::source_location::current()) {
    return call_at(detail::deadline_after(time(), delay.value()), std::forward<F>(callback), where);
  }
  template <MakesCallback F>
  TimerHandle call_at(TimePoint when, F&& callback,
                      std::source_location where = std::source_location::current()) {
    auto node = make_handle(std::forward<F>(callback), "call_at()", where);
    timers_.add(*node, when);
    node->add_ref();  // The heap's.
    return TimerHandle(std::move(node));
  }

  /// call_soon() from any thread. Returns no handle: handles do not cross threads.
  ///
  /// Errors    RuntimeError  the loop is closed; `callback` has not run and will not.
  /// Threads   Any, also while the loop closes. Not from signal handlers: see add_signal_handler().
  void call_soon_threadsafe(Callback callback,
                            std::source_location where = std::source_location::current());

  /// The loop's clock: monotonic, of the loop's kernel.
  TimePoint time() { return kernel_.now(); }

  // ---- Descriptors

  /// Calls `callback` whenever `fd` can be read (or has hung up), in place of the one it had.
  ///
  /// Errors    ValueError "Invalid file descriptor: -1". OSError  the kernel cannot watch it.
  ///           RuntimeError  a transport owns the descriptor.
  /// Lifetime  Remove it before the descriptor is closed.
  void add_reader(int fd, Callback callback,
                  std::source_location where = std::source_location::current());
  /// Returns whether there was one. RuntimeError: a transport owns the descriptor.
  bool remove_reader(int fd);
  void add_writer(int fd, Callback callback,
                  std::source_location where = std::source_location::current());
  bool remove_writer(int fd);

  // ---- Signals

  /// Calls `callback` on the loop whenever signal `number` arrives. Arrivals in one pass merge.
  ///
  /// Errors    ValueError "invalid signal number 0". RuntimeError "sig 9 cannot be caught", "sig 10
  ///           is handled by another loop".
  /// Threads   The loop's thread may be any thread.
  void add_signal_handler(int number, Callback callback,
                          std::source_location where = std::source_location::current());
  /// Puts back the disposition that the signal had. Returns whether there was a handler. ValueError
  /// as above.
  bool remove_signal_handler(int number);

  // ---- Running

  /// Runs until stop(). Called before it, stop() makes this one pass, which does not wait.
  ///
  /// Errors    RuntimeError "This event loop is already running", "Cannot run the event loop while
  ///           another loop is running", "Event loop is closed". OSError  the poller failed.
  void run_forever();

  /// Runs until `awaitable` (a Coro, Task, Future or any weir awaitable) is done; returns its
  /// result or throws.
  ///
  /// Errors    RuntimeError "Event loop stopped before Future completed."
  /// Source    Defined in reactor/task/run_until_complete.hpp.
  template <class Awaitable>
  decltype(auto) run_until_complete(Awaitable&& awaitable);

  /// Ends run_forever() when the current pass is over. What its callbacks schedule stays ready for
  /// the next run.
  void stop() noexcept { stopping_ = true; }

  /// Ends everything: aborts transports and listeners, cancels tasks, runs what that makes ready,
  /// destroys and reports what is left. Never waits: neither for descriptors, nor for timers, nor
  /// for threads. Idempotent.
  ///
  /// Errors    RuntimeError "Cannot close a running event loop". KeyboardInterrupt that a callback
  ///           throws comes out when all is closed.
  void close();

  bool is_running() const noexcept { return state_ == State::running; }
  bool is_closed() const noexcept { return state_ == State::closed; }

  // ---- Tasks, futures, threads (defined in reactor/task/)

  /// Starts a coroutine (or any weir awaitable) as a Task; its first step runs in the next pass.
  /// The loop keeps it alive. (reactor/task/task.hpp)
  template <class Awaitable>
  auto create_task(Awaitable awaitable, std::string name = {});
  /// A pending Future<T>. (reactor/task/future.hpp)
  template <class T>
  auto create_future();
  /// Runs `function` on a thread of the default executor; a Future of what it returns or throws.
  /// (reactor/task/run_in_executor.hpp)
  template <class F>
  auto run_in_executor(F function);
  template <class F>
  auto run_in_executor(Executor& executor, F function);
  /// The default executor: min(32, CPUs + 4) threads, made at first use.
  Executor& default_executor();
  /// The threads that look up names, as many again: slow answers hold up no other job.
  Executor& lookup_executor();

  // ---- Errors and debugging

  /// Replaces the exception handler; an empty one brings back the default, which logs.
  void set_exception_handler(ExceptionHandler handler);
  const ExceptionHandler& get_exception_handler() const noexcept { return *exception_handler_; }
  /// Hands a failure that no caller could be told to the exception handler. Never throws: a handler
  /// that throws is reported to the default one.
  void call_exception_handler(const ExceptionContext& context) noexcept;
  void default_exception_handler(const ExceptionContext& context);

  void set_log_sink(LogSink sink) { log_sink_ = std::make_shared<LogSink>(std::move(sink)); }
  void log(LogLevel level, std::string_view text) noexcept;

  /// Debug mode checks threads and logs slow callbacks. On from the start if WEIR_DEBUG says so.
  void set_debug(bool enabled) noexcept;
  bool get_debug() const noexcept { return debug_; }
  /// In debug mode a callback that takes this long or longer is logged.
  Duration slow_callback_duration = std::chrono::milliseconds(100);
  const LoopStats& stats() const noexcept { return stats_; }

  // ---- For weir's own layers. report() and log_text(), in reactor/report.hpp, need no memory.
  template <class Describe>
  void report(const char* message, const std::exception_ptr& error, Describe describe) noexcept;
  template <class Text>
  void log_text(LogLevel level, const char* otherwise, Text text) noexcept;
  Kernel& kernel() noexcept { return kernel_; }
  detail::Tracer* tracer() const noexcept { return tracer_; }  // Null: nobody watches.
  Poller& poller() noexcept { return *poller_; }
  detail::ReadyQueue& ready() noexcept { return ready_; }
  detail::TimerHeap& timers() noexcept { return timers_; }
  detail::IoTable& io() noexcept { return io_; }
  const std::shared_ptr<detail::Mailbox>& mailbox() const noexcept { return mailbox_; }
  const detail::Ref<detail::LoopToken>& token() const noexcept { return token_; }
  const detail::IntrusiveList<detail::Owned>& owned() const noexcept { return owned_; }
  bool owns_nothing() const noexcept { return owned_.empty() && !io_.any_owner(); }
  /// call_soon() of a handle that is made already. The queue has the reference then.
  void schedule(detail::Ref<detail::HandleNode> node) noexcept { ready_.push(*node.detach()); }
  void own(detail::Owned& member) noexcept { owned_.push_back(member); }
  void when_drained(detail::DrainHook& hook) noexcept {
    if (!hook.linked()) hooks_.push_back(hook);
  }
  void flush_when_drained(detail::Queueable& item) noexcept {
    if (item.position == 0) flushes_.push(item);
  }
  detail::ReadyQueue& flushes() noexcept { return flushes_; }
  void check_closed() const {
    if (state_ == State::closed) throw_closed();
  }
  /// The loop's own S, made from (EventLoop&) at first use, destroyed when the loop closes.
  template <class S>
  S& service() {
    return services_.get<S>(*this);
  }

 private:
  enum class State { idle, running, closing, closed };
  class RunningScope;
  template <class F>
  detail::Ref<detail::HandleNode> make_handle(F&& callback, const char* function,
                                              const std::source_location& where) {
    check_closed();
    if (debug_) check_thread();
    auto node =
        detail::HandleNode::make(*this, detail::once_handle, std::forward<F>(callback), where);
    detail::check_callable(node->callback, function);
    return node;
  }
  void run_once();
  void flush_interest();
  bool poll_is_due();
  void poll();
  std::optional<Duration> time_to_wait();
  void dispatch(const Ready& event);
  void drain();
  void queue_due_timers();
  void receive();
  void run_ready(detail::QueuePosition end);
  void run_last();
  void call(detail::Runnable& runnable) { watched_ ? run_watched(runnable) : runnable.run(); }
  void run_watched(detail::Runnable& runnable);
  void run_hooks();
  std::exception_ptr wind_down();
  bool let_go();
  bool drop_scheduled();
  void watch(int fd, bool for_write, Callback callback, const std::source_location& where);
  bool unwatch(int fd, bool for_write);
  void report_briefly(const char* message, const std::exception_ptr& error) noexcept;
  void check_thread() const;
  void check_unowned(int fd) const;
  [[noreturn]] static void throw_closed();

  Kernel& kernel_;
  std::unique_ptr<Poller> poller_;
  detail::ReadyQueue ready_;
  detail::TimerHeap timers_;
  detail::IoTable io_;
  std::shared_ptr<detail::Mailbox> mailbox_;
  detail::Signals signals_;
  detail::Ref<detail::LoopToken> token_;
  detail::IntrusiveList<detail::DrainHook> hooks_;
  detail::ReadyQueue flushes_;  // Transports that have gathered what was written.
  detail::IntrusiveList<detail::Owned> owned_;
  std::unique_ptr<Executor> executor_, lookups_;
  detail::Services services_;
  std::vector<Ready> events_;  // The batch that poll() fills.
  // Shared: one that replaces itself stays until it returns, and a copy might need memory.
  std::shared_ptr<const ExceptionHandler> exception_handler_;
  std::shared_ptr<const LogSink> log_sink_;
  LoopStats stats_;
  TimePoint interest_retry_;               // When what the poller has refused is tried again.
  std::thread::id thread_;                 // The one that runs it.
  detail::QueuePosition batch_start_ = 0;  // ready_.end() when the last poll had come back.
  int passes_since_poll_ = 0;
  int next_look_;              // After so many passes the clock says whether to poll.
  TimePoint busy_since_;       // What it said at the first look.
  int drain_passes_left_ = 0;  // Of the batch of events being served.
  State state_ = State::idle;
  bool stopping_ = false, debug_ = false, watched_ = false;  // Watched: in debug mode, or traced.
  detail::Tracer* tracer_ = nullptr;
};

}  // namespace weir

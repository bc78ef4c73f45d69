// SPDX-License-Identifier: MIT
#include <signal.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <string>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/gather.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/run_in_executor.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/reactor/task/task_group.hpp>
#include <weir/reactor/task/timeouts.hpp>

#include <tests/faults/party.hpp>
#include <tests/faults/scenario_lists.hpp>

// The loop by itself: timers, threads, signals, descriptors, tasks.

namespace weir::faults {
namespace {

using namespace std::chrono_literals;

/// A future of the scenario's own is its own to end, whatever fails.
struct CancelAtEnd {
  explicit CancelAtEnd(const Future<>& its) : future(its) {}
  CancelAtEnd(const CancelAtEnd&) = delete;
  CancelAtEnd& operator=(const CancelAtEnd&) = delete;
  ~CancelAtEnd() { future.cancel(); }
  Future<> future;
};

Coro<> timers(Stage stage) {
  EventLoop& loop = get_running_loop();
  // Shared: the timers may be due when the scenario has ended.
  const auto order = std::make_shared<std::string>();
  loop.call_later(20ms, [order] { *order += 'b'; });
  loop.call_later(10ms, [order] { *order += 'a'; });
  loop.call_later(20ms, [order] { *order += 'c'; });
  TimerHandle cancelled = loop.call_later(15ms, [order] { *order += 'x'; });
  cancelled.cancel();
  const Future<> last = loop.create_future<void>();
  stage.oracle.must_end("the last timer", last);
  const CancelAtEnd end(last);
  loop.call_later(30ms, [last] {
    if (!last.done()) last.set_result();
  });
  co_await last;
  stage.oracle.result(*order);
}

/// A thread of the executor, which the machine runs when the loop waits, wakes the loop.
Coro<> wake_up_from_thread(Stage stage) {
  EventLoop& loop = get_running_loop();
  // Shared: the wake-up may come when the scenario has ended.
  const auto woken = std::make_shared<bool>(false);
  const Future<int> job = loop.run_in_executor([&loop, woken] {
    loop.call_soon_threadsafe([woken] { *woken = true; });
    return 42;
  });
  stage.oracle.must_end("the job", job);
  const int answer = co_await job;
  co_await until([&] { return *woken; });
  stage.oracle.result("job-" + std::to_string(answer));
}

Coro<> failing_and_cancelled_jobs(Stage stage) {
  EventLoop& loop = get_running_loop();
  const Future<int> bad = loop.run_in_executor([]() -> int { throw ValueError("a job's own"); });
  stage.oracle.must_end("the failing job", bad);
  const Outcome<int> failed = co_await outcome(bad);
  if (!failed.failed_with<ValueError>()) static_cast<void>(failed.value());
  const Future<int> unwanted = loop.run_in_executor([] { return 1; });
  stage.oracle.must_end("the cancelled job", unwanted);
  unwanted.cancel();
  const Outcome<int> cancelled = co_await outcome(unwanted);
  if (!cancelled.cancelled()) static_cast<void>(cancelled.value());
  co_await sleep(1ms);
  stage.oracle.result("failed-and-cancelled");
}

Coro<> signals(Stage stage) {
  EventLoop& loop = get_running_loop();
  int heard = 0;
  loop.add_signal_handler(SIGUSR1, [&] { ++heard; });
  struct Removal {
    EventLoop& loop;
    ~Removal() { loop.remove_signal_handler(SIGUSR1); }
  } const removal{loop};
  bool caught = false;
  {
    const Exempt exempt;
    caught = stage.machine.raise_signal(SIGUSR1);
  }
  if (caught) co_await until([&] { return heard > 0; });
  stage.oracle.result("heard-" + std::to_string(heard));
}

/// A descriptor of the program's own, with a reader and a writer.
Coro<> watched_descriptor(Stage stage) {
  EventLoop& loop = get_running_loop();
  int fds[2];
  {
    const Exempt exempt;
    static_cast<void>(stage.machine.socketpair(AF_UNIX, SOCK_STREAM, fds));
  }
  const Peer ours(stage, fds[0]);
  Peer theirs(stage, fds[1]);
  int readable = 0;
  int writable = 0;
  struct Removal {
    EventLoop& loop;
    int fd;
    ~Removal() {
      loop.remove_reader(fd);
      loop.remove_writer(fd);
    }
  } const removal{loop, fds[0]};
  // Each goes as soon as it has been called: what stays ready is told for ever.
  loop.add_writer(fds[0], [&, fd = fds[0]] {
    ++writable;
    loop.remove_writer(fd);
  });
  co_await until([&] { return writable > 0; });
  loop.add_reader(fds[0], [&, fd = fds[0]] {
    ++readable;
    loop.remove_reader(fd);
  });
  theirs.put("x");
  co_await until([&] { return readable > 0; });
  stage.oracle.result("watched");
}

Coro<int> after(Duration delay, int value) {
  co_await sleep(delay);
  co_return value;
}

Coro<> fail_after(Duration delay) {
  co_await sleep(delay);
  throw ValueError("on purpose");
}

Coro<> gather_and_wait_for(Stage stage) {
  const auto both = co_await gather(after(10ms, 1), after(20ms, 2));
  const Outcome<int> late = co_await outcome(wait_for(after(1s, 3), 100ms));
  if (!late.failed_with<TimeoutError>()) static_cast<void>(late.value());
  stage.oracle.result("gathered-" + std::to_string(std::get<0>(both) + std::get<1>(both)));
}

Coro<> start_two(TaskGroup group) {
  group.create_task(fail_after(10ms));
  group.create_task(fail_after(1s));
  co_return;
}

Coro<> task_group(Stage stage) {
  const TaskGroup group;
  const Outcome<> ended = co_await outcome(group.run(start_two(group)));
  if (!ended.failed_with<ExceptionGroup>()) ended.value();
  stage.oracle.result("failed-together");
}

constexpr Scenario list[] = {
    {"timers", timers},
    {"wake_up_from_thread", wake_up_from_thread},
    {"failing_and_cancelled_jobs", failing_and_cancelled_jobs},
    {"signals", signals},
    {"watched_descriptor", watched_descriptor},
    {"gather_and_wait_for", gather_and_wait_for},
    {"task_group", task_group},
};

}  // namespace

std::span<const Scenario> loop_scenarios() { return list; }

}  // namespace weir::faults

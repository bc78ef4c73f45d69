// SPDX-License-Identifier: MIT
#include <tests/faults/scenario.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/timeouts.hpp>

#include <tests/faults/scenario_lists.hpp>

namespace weir::faults {
namespace {

using namespace std::chrono_literals;

constexpr Duration time_limit = 60s;
constexpr Duration settling_time = 5s;
constexpr Duration settling_step = 50ms;

/// Counts the polls that report something: a loop that is kept busy for ever is stopped.
void watch_for_spinning(Stage stage, int max_waits) {
  stage.machine.set_ready_filter([left = max_waits](std::vector<Ready>& found) mutable {
    if (found.empty()) return;
    if (--left < 0) throw std::runtime_error("the loop spins");
  });
}

void listen_to(EventLoop& loop, Oracle& oracle) {
  loop.set_exception_handler([&oracle](EventLoop&, const ExceptionContext& context) {
    oracle.told(Place::report, context.message, context.exception);
  });
  loop.set_log_sink([&oracle](LogLevel level, std::string_view text) {
    if (level >= LogLevel::warning) oracle.told(Place::log, text, nullptr);
  });
}

/// True unless the loop itself has failed.
bool run_main(EventLoop& loop, const Scenario& scenario, Stage stage, std::uint32_t cancel_at,
              bool& reached) {
  std::optional<Task<>> task;
  try {
    task = loop.create_task(wait_for(scenario.main(stage), time_limit));
    stage.oracle.must_end("the scenario's task", *task);
    weir::detail::TaskBase& base = static_cast<weir::detail::TaskState<void>&>(task->state());
    base.cancel_at_wait(cancel_at);
    loop.run_until_complete(*task);
    reached = base.waits_left() == 0;
    return true;
  } catch (...) {
    const std::exception_ptr error = std::current_exception();
    const bool loop_failed = task && !task->done();
    stage.oracle.told(loop_failed ? Place::loop : Place::call, scenario.name, error);
    if (task) {
      reached = static_cast<weir::detail::TaskState<void>&>(task->state()).waits_left() == 0;
    }
    return !loop_failed;
  }
}

std::string leftovers(const EventLoop& loop) {
  std::string left;
  loop.owned().for_each([&](const weir::detail::Owned& owned) {
    const auto* task = weir::detail::TaskBase::from(owned);
    left += task != nullptr ? task->describe_task() + " " : std::string("server/job ");
  });
  if (left.empty() && !loop.owns_nothing()) left = "transport ";
  return left;
}

/// What was closed takes some passes to end, and what was told to wait some time.
void settle(EventLoop& loop, Oracle& oracle) {
  const auto quiet = [&loop] { return loop.owns_nothing() && loop.timers().empty(); };
  try {
    for (Duration passed{}; passed < settling_time; passed += settling_step) {
      {
        const Exempt exempt;
        loop.call_later(settling_step, [&loop] { loop.stop(); });
      }
      loop.run_forever();
      if (quiet()) return;
    }
  } catch (...) {
    return oracle.told(Place::loop, "settling", std::current_exception());
  }
  const Exempt exempt;
  const std::string left = leftovers(loop);
  if (!left.empty()) oracle.wrong("left over when all should have ended: " + left);
  if (!loop.timers().empty()) oracle.wrong("a timer is left over when all should have ended");
}

void check_ledger(FakeKernel& machine, Oracle& oracle) {
  const Exempt exempt;
  for (const std::string& misuse : machine.misuses()) oracle.wrong("misuse: " + misuse);
  for (const int fd : machine.registered_fds()) {
    oracle.wrong("descriptor " + std::to_string(fd) + " is still registered");
  }
  for (const int fd : machine.open_fds()) {
    oracle.wrong("descriptor " + std::to_string(fd) + " is still open");
  }
}

void play(const Scenario& scenario, Stage stage, const RunOptions& options, bool& reached) {
  EventLoop loop(stage.kernel);
  {
    const Exempt exempt;
    listen_to(loop, stage.oracle);
  }
  const bool loop_works = run_main(loop, scenario, stage, options.cancel_at, reached);
  if (loop_works) settle(loop, stage.oracle);
  try {
    loop.close();
  } catch (...) {
    stage.oracle.told(Place::call, "close", std::current_exception());
    stage.oracle.wrong("EventLoop::close() has thrown");
  }
}

}  // namespace

bool run(const Scenario& scenario, Stage stage, const RunOptions& options) {
  bool reached = false;
  {
    const Exempt exempt;
    watch_for_spinning(stage, options.max_waits);
  }
  try {
    play(scenario, stage, options, reached);
  } catch (...) {
    stage.oracle.told(Place::call, "EventLoop", std::current_exception());
  }
  const Exempt exempt;
  stage.machine.set_ready_filter(nullptr);
  stage.oracle.check_end();
  check_ledger(stage.machine, stage.oracle);
  for (const Told& told : stage.oracle.errors()) {
    if (told.text().find("the loop spins") != std::string::npos) {
      stage.oracle.wrong("the loop spins");
      break;
    }
  }
  return reached;
}

std::span<const Scenario> scenarios() {
  static const std::vector<Scenario> all = [] {
    std::vector<Scenario> joined;
    for (const auto list : {connect_scenarios(), server_scenarios(), transport_scenarios(),
                            stream_scenarios(), unix_scenarios(), loop_scenarios()}) {
      joined.insert(joined.end(), list.begin(), list.end());
    }
    return joined;
  }();
  return all;
}

const Scenario* find_scenario(std::string_view name) {
  for (const auto list : {scenarios(), canaries()}) {
    for (const Scenario& scenario : list) {
      if (name == scenario.name) return &scenario;
    }
  }
  return nullptr;
}

}  // namespace weir::faults

// SPDX-License-Identifier: MIT
#include <weir/reactor/testing/cancel_sweep.hpp>

namespace weir::testing {

SweepRun::SweepRun() {
  loop.set_log_sink([](LogLevel, std::string_view) {});
  loop.set_exception_handler(
      [this](EventLoop&, const ExceptionContext& report) { reports.push_back(to_string(report)); });
}

SweepRun::~SweepRun() { loop.close(); }

void SweepRun::settle() {
  while (!loop.ready().empty()) {
    loop.stop();
    loop.run_forever();
  }
}

std::string SweepRun::leftovers() const {
  if (!reports.empty()) return "the exception handler was told: " + reports.front();
  std::string left;
  loop.owned().for_each([&](const weir::detail::Owned& owned) {
    if (!left.empty()) return;
    const auto* task = weir::detail::TaskBase::from(owned);
    left = task != nullptr ? "left over: " + task->describe_task()
                           : std::string("a server or a job is left open");
  });
  if (left.empty() && !loop.owns_nothing()) left = "a transport or a listener is left open";
  return left;
}

namespace detail {
namespace {

std::string what_is_wrong(SweepRun& run, const CancelOutcome& outcome,
                          const std::function<std::string(SweepRun&)>& check,
                          const CancelSweepOptions& options) {
  if (!outcome.otherwise.empty()) return outcome.otherwise;
  if (outcome.reached && outcome.finished && !options.may_finish) {
    return "swallows the cancellation";
  }
  if (std::string left = run.leftovers(); !left.empty()) return left;
  return check && outcome.reached ? check(run) : std::string();
}

}  // namespace

std::string sweep_points(const CancelRun& run_once,
                         const std::function<std::string(SweepRun&)>& check,
                         const CancelSweepOptions& options) {
  for (std::uint32_t point = 1; point <= options.max_points; ++point) {
    SweepRun run;
    const CancelOutcome outcome = run_once(run, point);
    const std::string wrong = what_is_wrong(run, outcome, check, options);
    std::string where = outcome.reached ? "cancelled at await point " + std::to_string(point)
                                        : std::string("not cancelled");
    if (!wrong.empty()) return where.append(": ").append(wrong);
    if (!outcome.reached) return {};
  }
  return "more than " + std::to_string(options.max_points) + " await points";
}

}  // namespace detail

}  // namespace weir::testing

// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/trace.hpp>

using weir::EventLoop;
using weir::FakeKernel;
using weir::Trace;
using weir::detail::TraceEvent;
using weir::detail::TraceRecord;

namespace {

void run_passes(EventLoop& loop, int count) {
  for (; count > 0; --count) {
    loop.stop();
    loop.run_forever();
  }
}

std::vector<TraceRecord> records_of(const Trace& trace, TraceEvent event) {
  std::vector<TraceRecord> found;
  for (std::size_t i = 0; i < trace.records().size(); ++i) {
    if (trace.records()[i].event == event) found.push_back(trace.records()[i]);
  }
  return found;
}

}  // namespace

TEST_SUITE("reactor/trace") {
  TEST_CASE("trace: a loop with another kernel has no tracer") {
    FakeKernel kernel;
    EventLoop loop(kernel);
    CHECK(loop.tracer() == nullptr);
    loop.close();
  }

  TEST_CASE("trace: a wake names the run that it came from, and the run that it led to") {
    FakeKernel kernel;
    Trace trace(kernel);
    EventLoop loop(trace.kernel());
    loop.call_soon([&] { loop.call_soon([] {}); });
    run_passes(loop, 2);
    const auto wakes = records_of(trace, TraceEvent::wake);
    const auto runs = records_of(trace, TraceEvent::run);
    REQUIRE(wakes.size() == 2);
    REQUIRE(runs.size() == 2);
    CHECK(wakes[0].run == 0);
    CHECK(runs[0].wake == wakes[0].wake);
    CHECK(wakes[1].run == runs[0].run);
    CHECK(runs[1].wake == wakes[1].wake);
    loop.close();
  }

  TEST_CASE("trace: a callback that is cancelled is recorded, and does not run") {
    FakeKernel kernel;
    Trace trace(kernel);
    EventLoop loop(trace.kernel());
    loop.call_soon([] {}).cancel();
    run_passes(loop, 1);
    CHECK(records_of(trace, TraceEvent::cancel).size() == 1);
    CHECK(records_of(trace, TraceEvent::run).empty());
    loop.close();
  }

  TEST_CASE("trace: a callback that throws ends its run") {
    FakeKernel kernel;
    Trace trace(kernel);
    EventLoop loop(trace.kernel());
    loop.set_exception_handler([](EventLoop&, const weir::ExceptionContext&) {});
    loop.call_soon([] { throw 1; });
    run_passes(loop, 1);
    CHECK(records_of(trace, TraceEvent::run_end).size() == 1);
    loop.close();
  }

  TEST_CASE("trace: the last records are kept, and what was lost is counted") {
    FakeKernel kernel;
    Trace trace(kernel, 4);
    EventLoop loop(trace.kernel());
    for (int i = 0; i < 10; ++i) loop.call_soon([] {});
    run_passes(loop, 1);
    CHECK(trace.records().size() == 4);
    CHECK(trace.dropped() > 0);
    CHECK(trace.records()[3].event == TraceEvent::run_end);
    loop.close();
  }

  TEST_CASE("json: an arrow whose beginning was lost is left out") {
    FakeKernel kernel;
    Trace trace(kernel, 4);
    EventLoop loop(trace.kernel());
    for (int i = 0; i < 10; ++i) loop.call_soon([] {});
    run_passes(loop, 1);
    CHECK(trace.json().find("\"ph\":\"f\"") == std::string::npos);
    loop.close();
  }

  TEST_CASE("explain: a timer says that it was due, and where it was set") {
    FakeKernel kernel;
    Trace trace(kernel);
    EventLoop loop(trace.kernel());
    std::string told;
    trace.explain_to([&](std::string_view line) { told += line; });
    loop.call_later(std::chrono::milliseconds(1), [] {});
    kernel.advance(std::chrono::milliseconds(1));
    run_passes(loop, 1);
    trace.flush();
    CHECK(told.find("a timer is due: a callback runs, scheduled in ") != std::string::npos);
    loop.close();
  }
}

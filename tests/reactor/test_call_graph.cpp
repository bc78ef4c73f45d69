// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <signal.h>

#include <chrono>
#include <source_location>
#include <stdexcept>
#include <string>
#include <vector>

#include <weir/reactor/place.hpp>
#include <weir/reactor/task/call_graph.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task.hpp>

#include <tests/support/task_fixture.hpp>

using weir::Coro;
using weir::Future;
using weir::Task;
using weir::TaskCallGraph;
using weir::detail::short_function_name;
using weir::test::TestLoop;
using namespace std::chrono_literals;

namespace {

constexpr unsigned here(std::source_location place = std::source_location::current()) {
  return place.line();
}

unsigned inner_line = 0;
unsigned outer_line = 0;

Coro<> inner(Future<> future) {
  inner_line = here() + 1;
  co_await future;
}
Coro<> outer(Future<> future) {
  outer_line = here() + 1;
  co_await inner(future);
}
Coro<> fails_after(Future<> future) {
  co_await future;
  throw std::out_of_range("far");
}
Coro<> takes_long(TestLoop* test) {
  co_await weir::sleep(1ms);
  test->kernel.advance(1s);
}
Coro<> refuses() {
  for (;;) {
    try {
      co_await weir::sleep(1h);
    } catch (const weir::CancelledError&) {
    }
  }
}

}  // namespace

TEST_SUITE("reactor/task/call_graph") {
  TEST_CASE("call graph: the innermost coroutine stands first, each at its co_await") {
    TestLoop test;
    const Future<> future = test.loop.create_future<void>();
    const Task<> task = test.loop.create_task(outer(future), "worker");
    test.settle();
    const std::vector<TaskCallGraph> graphs = weir::capture_call_graph(test.loop);
    REQUIRE(graphs.size() == 1);
    CHECK(graphs[0].name == "worker");
    CHECK(graphs[0].waits_for == "a Future");
    REQUIRE(graphs[0].call_stack.size() == 2);
    CHECK(graphs[0].call_stack[0].function == "inner");
    CHECK(graphs[0].call_stack[0].line == inner_line);
    CHECK(graphs[0].call_stack[1].function == "outer");
    CHECK(graphs[0].call_stack[1].line == outer_line);
    CHECK(graphs[0].call_stack[0].file.ends_with("test_call_graph.cpp"));
  }

  TEST_CASE("call graph: a task that has not started, or is woken, waits for its turn") {
    TestLoop test;
    const Future<> future = test.loop.create_future<void>();
    const Task<> task = test.loop.create_task(outer(future), "worker");
    CHECK(weir::dump_tasks(test.loop) == "1 task\nworker waits for its first turn");
    test.settle();
    future.set_result();
    const std::vector<TaskCallGraph> graphs = weir::capture_call_graph(test.loop);
    REQUIRE(graphs.size() == 1);
    CHECK(graphs[0].waits_for == "its turn");
    CHECK(graphs[0].call_stack.size() == 2);
  }

  TEST_CASE("dump_tasks: names every task, what it waits for, and where") {
    TestLoop test;
    const Task<> first = test.loop.create_task(outer(test.loop.create_future<void>()), "first");
    const Task<> second = test.loop.create_task(refuses(), "second");
    test.settle();
    const std::string file = std::source_location::current().file_name();
    const std::string dump = weir::dump_tasks(test.loop);
    CHECK(dump.starts_with("2 tasks\nfirst waits for a Future\n  at inner (" + file + ":" +
                           std::to_string(inner_line) + ")\n"));
    CHECK(dump.find("\nsecond waits for sleep(), 3600.000 s left\n  at refuses (") !=
          std::string::npos);
    test.loop.close();
    CHECK(test.take_reports().size() == 1);
  }

  TEST_CASE("reports: a task that is destroyed while it waits says where") {
    TestLoop test;
    const Task<> task = test.loop.create_task(refuses(), "stubborn");
    test.settle();
    test.loop.close();
    const auto reports = test.take_reports();
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].get("stack").starts_with("refuses ("));
  }

  TEST_CASE("reports: an exception that nobody fetched comes with the task's last co_await") {
    TestLoop test;
    const Future<> future = test.loop.create_future<void>();
    test.loop.create_task(fails_after(future));
    test.settle();
    future.set_result();
    test.settle();
    const auto reports = test.take_reports();
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].get("last await").starts_with("fails_after ("));
  }

  TEST_CASE("reports: a slow step says from which co_await the task was resumed") {
    TestLoop test;
    std::vector<std::string> logged;
    test.loop.set_log_sink(
        [&](weir::LogLevel, std::string_view text) { logged.emplace_back(text); });
    test.loop.set_debug(true);
    const Task<> task = test.loop.create_task(takes_long(&test), "slow");
    test.settle();
    test.advance(1ms);
    REQUIRE(logged.size() == 1);
    CHECK(logged[0].find("took 1.000 seconds, resumed at takes_long (") != std::string::npos);
  }

  TEST_CASE("short_function_name: what g++ and clang say of a function is the same name") {
    CHECK(short_function_name("void one(one(int)::_Z3onei.Frame*)") == "one");
    CHECK(short_function_name("Co one(int)") == "one");
    CHECK(short_function_name("void ns::S::two(ns::S::two<double>(double)::_ZN2.Frame*)") ==
          "ns::S::two");
    CHECK(short_function_name("static Co ns::S::two(T) [T = double]") == "ns::S::two");
    CHECK(short_function_name("weir::Coro<> {anonymous}::f()") == "f");
    CHECK(short_function_name("Coro<> (anonymous namespace)::f()") == "f");
    CHECK(short_function_name("std::map<int, long> f(int) const") == "f");
  }

  TEST_CASE("short_function_name: a lambda is named after the function that it is in") {
    CHECK(short_function_name("three()::<lambda(int)>") == "three::lambda");
    CHECK(short_function_name("void three()::<lambda(int)>::operator()(three()::<lambda(int)>::_Z"
                              ".Frame*)") == "three::lambda");
    CHECK(short_function_name("auto three()::(anonymous class)::operator()(int) const") ==
          "three::lambda");
  }
}

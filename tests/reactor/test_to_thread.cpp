// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/to_thread.hpp>

#include <tests/support/task_fixture.hpp>

using weir::Coro;
using weir::to_thread;
using weir::test::TestLoop;

TEST_SUITE("reactor/task/to_thread") {
  // CPython: test_threads.py test_to_thread
  TEST_CASE("to_thread: gives what the function returns for its arguments") {
    TestLoop test;
    const auto adds = [](int a, const std::string& b) { return std::to_string(a) + b; };
    CHECK(test.loop.run_until_complete(to_thread(adds, 1, std::string("x"))) == "1x");
  }

  TEST_CASE("to_thread: arguments and results may be what can only be moved") {
    TestLoop test;
    const auto doubles = [](std::unique_ptr<int> n) { return std::make_unique<int>(*n * 2); };
    CHECK(*test.loop.run_until_complete(to_thread(doubles, std::make_unique<int>(4))) == 8);
  }

  // CPython: test_threads.py test_to_thread_exception
  TEST_CASE("to_thread: throws what the function throws") {
    TestLoop test;
    const auto fails = [] { throw std::out_of_range("far"); };
    CHECK_THROWS_WITH_AS(test.loop.run_until_complete(to_thread(fails)), "far", std::out_of_range);
  }

  // CPython: test_threads.py test_to_thread_once
  TEST_CASE("to_thread: runs the function when it is awaited, once") {
    TestLoop test;
    int calls = 0;
    Coro<> job = to_thread([&calls] { ++calls; });
    test.settle();
    CHECK(calls == 0);
    test.loop.run_until_complete(std::move(job));
    CHECK(calls == 1);
  }
}

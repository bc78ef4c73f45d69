// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <array>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/task.hpp>

#include <tests/support/task_fixture.hpp>

using weir::CancelledError;
using weir::Coro;
using weir::DoneCallback;
using weir::EventLoop;
using weir::FakeKernel;
using weir::Future;
using weir::InvalidStateError;
using weir::KeyboardInterrupt;
using weir::RuntimeError;
using weir::Task;
using weir::ValueError;
using weir::test::Alive;
using weir::test::cancel_message_of;
using weir::test::TestLoop;

namespace {

enum class End { result, exception, cancelled };

Future<int> ended(EventLoop& loop, End how) {
  Future<int> future(loop);
  switch (how) {
    case End::result: future.set_result(1); break;
    case End::exception: future.set_exception(std::out_of_range("far")); break;
    case End::cancelled: future.cancel("first"); break;
  }
  return future;
}

template <class T>
Coro<T> awaits(Future<T> future) {
  co_return co_await future;
}

Coro<> appends_when_done(Future<> future, std::string* trace, std::string word) {
  co_await future;
  *trace += word;
}

}  // namespace

TEST_SUITE("reactor/task/future") {
  TEST_CASE("future: pending, it has neither a result nor an exception") {
    TestLoop test;
    const Future<int> future(test.loop);
    CHECK_FALSE(future.done());
    CHECK_FALSE(future.cancelled());
    CHECK_THROWS_WITH_AS(future.result(), "Result is not set.", InvalidStateError);
    CHECK_THROWS_WITH_AS(future.exception(), "Exception is not set.", InvalidStateError);
  }

  // CPython: test_futures.py test_constructor_use_running_loop
  TEST_CASE("future: made in a coroutine, it belongs to the running loop") {
    TestLoop test;
    const auto makes_one = []() -> Coro<EventLoop*> {
      const Future<int> future = weir::get_running_loop().create_future<int>();
      co_return &future.get_loop();
    };
    CHECK(test.loop.run_until_complete(makes_one()) == &test.loop);
  }

  // CPython: test_futures.py test_result
  TEST_CASE("future: with a result, result() gives it and exception() is null") {
    TestLoop test;
    const Future<int> future = ended(test.loop, End::result);
    CHECK(future.done());
    CHECK_FALSE(future.cancelled());
    CHECK(future.result() == 1);
    CHECK_FALSE(future.exception());
  }

  // CPython: test_futures.py test_exception
  TEST_CASE("future: with an exception, result() throws it and exception() gives it") {
    TestLoop test;
    const Future<int> future(test.loop);
    const auto error = std::make_exception_ptr(std::out_of_range("far"));
    future.set_exception(error);
    CHECK(future.done());
    CHECK_FALSE(future.cancelled());
    CHECK_THROWS_WITH_AS(future.result(), "far", std::out_of_range);
    CHECK((future.exception() == error));
  }

  // CPython: test_futures.py test_cancel, test_future_cancel_message_getter
  TEST_CASE("future: cancelled, result() and exception() throw the message") {
    TestLoop test;
    const Future<int> future = ended(test.loop, End::cancelled);
    CHECK(future.done());
    CHECK(future.cancelled());
    CHECK(cancel_message_of([&] { future.result(); }) == "first");
    CHECK(cancel_message_of([&] { future.exception(); }) == "first");
  }

  // CPython: test_futures.py test_result, test_exception, test_cancel
  TEST_CASE("B84: once a future is done, nothing sets it again") {
    TestLoop test;
    End how = End::result;
    SUBCASE("with a result") { how = End::result; }
    SUBCASE("with an exception") { how = End::exception; }
    SUBCASE("cancelled") { how = End::cancelled; }
    const Future<int> future = ended(test.loop, how);
    CHECK_THROWS_WITH_AS(future.set_result(2), "invalid state", InvalidStateError);
    CHECK_THROWS_WITH_AS(future.set_exception(ValueError("x")), "invalid state", InvalidStateError);
    CHECK(future.cancelled() == (how == End::cancelled));
    if (how == End::result) CHECK(future.result() == 1);
    if (how == End::exception) CHECK_THROWS_AS(future.result(), std::out_of_range);
  }

  TEST_CASE("future: no exception at all is refused, and it stays pending") {
    TestLoop test;
    const Future<> future(test.loop);
    CHECK_THROWS_WITH_AS(future.set_exception(std::exception_ptr()), "invalid exception object",
                         ValueError);
    CHECK_FALSE(future.done());
    future.set_result();
    CHECK_THROWS_WITH_AS(future.set_exception(std::exception_ptr()), "invalid state",
                         InvalidStateError);
  }

  TEST_CASE("future: a value that cannot be made leaves it pending") {
    struct Picky {
      explicit Picky(int value) {
        if (value < 0) throw std::out_of_range("negative");
      }
    };
    TestLoop test;
    const Future<Picky> future(test.loop);
    CHECK_THROWS_AS(future.set_result(-1), std::out_of_range);
    CHECK_FALSE(future.done());
    CHECK_NOTHROW(future.set_result(1));
  }

  // CPython: test_futures.py test_cancel
  TEST_CASE("cancel: ends a pending future, and no other") {
    TestLoop test;
    const Future<int> pending(test.loop);
    CHECK(pending.cancel());
    CHECK(pending.cancelled());
    for (const End how : {End::result, End::exception, End::cancelled}) {
      const Future<int> done = ended(test.loop, how);
      CHECK_FALSE(done.cancel("second"));
      CHECK(done.cancelled() == (how == End::cancelled));
    }
  }

  TEST_CASE("cancel: the first message stays") {
    TestLoop test;
    const Future<int> future = ended(test.loop, End::cancelled);
    future.cancel("second");
    CHECK(cancel_message_of([&] { future.result(); }) == "first");
  }

  // CPython: test_futures.py test_callbacks_invoked_on_set_result
  TEST_CASE("callbacks: run through the loop in the order they were added, twice if added twice") {
    TestLoop test;
    const Future<int> future(test.loop);
    std::string trace;
    const auto a = [&trace](const Future<int>& done) { trace += done.done() ? "a" : "?"; };
    future.add_done_callback(a);
    future.add_done_callback([&trace](const Future<int>&) { trace += "b"; });
    future.add_done_callback(a);
    future.set_result(1);
    test.loop.call_soon([&trace] { trace += "c"; });
    CHECK(trace.empty());
    test.pass();
    CHECK(trace == "abac");
  }

  // CPython: test_futures.py test_callbacks_invoked_on_set_exception
  TEST_CASE("callbacks: run once, however the future ends") {
    TestLoop test;
    for (const End how : {End::result, End::exception, End::cancelled}) {
      const Future<int> future(test.loop);
      int calls = 0;
      future.add_done_callback([&calls](const Future<int>&) { ++calls; });
      if (how == End::result) future.set_result(1);
      if (how == End::exception) future.set_exception(ValueError("x"));
      if (how == End::cancelled) future.cancel();
      test.pass(3);
      CHECK(calls == 1);
      if (how == End::exception) CHECK(future.exception());
    }
  }

  TEST_CASE("callbacks: added to a done future, one is scheduled and not called") {
    TestLoop test;
    const Future<int> future = ended(test.loop, End::result);
    int calls = 0;
    future.add_done_callback([&calls](const Future<int>&) { ++calls; });
    CHECK(calls == 0);
    test.pass();
    CHECK(calls == 1);
  }

  TEST_CASE("callbacks: added by a callback, one runs in the pass after") {
    TestLoop test;
    const Future<int> future = ended(test.loop, End::result);
    std::string trace;
    future.add_done_callback([&trace](const Future<int>& done) {
      done.add_done_callback([&trace](const Future<int>&) { trace += "b"; });
      trace += "a";
    });
    test.pass();
    CHECK(trace == "a");
    test.pass();
    CHECK(trace == "ab");
  }

  // CPython: test_futures.py test_remove_done_callback
  TEST_CASE("callbacks: one that was taken back is not called; the others are") {
    TestLoop test;
    const Future<int> future(test.loop);
    std::string trace;
    const DoneCallback a = future.add_done_callback([&](const Future<int>&) { trace += "a"; });
    future.add_done_callback([&](const Future<int>&) { trace += "b"; });
    CHECK(future.remove_done_callback(a));
    CHECK_FALSE(future.remove_done_callback(a));
    CHECK_FALSE(future.remove_done_callback(DoneCallback()));
    future.set_result(1);
    test.pass();
    CHECK(trace == "b");
  }

  // CPython: test_futures.py test_callbacks_remove_first_callback and the two that follow
  TEST_CASE("callbacks: whichever are taken back, the others run in order") {
    std::string taken;
    std::string left;
    SUBCASE("the first") { taken = "a", left = "bc"; }
    SUBCASE("the first and the second") { taken = "ab", left = "c"; }
    SUBCASE("the third") { taken = "c", left = "ab"; }
    SUBCASE("all, from the end") { taken = "cba", left = ""; }
    TestLoop test;
    const Future<int> future(test.loop);
    std::string trace;
    std::map<char, DoneCallback> tokens;
    for (const char letter : {'a', 'b', 'c'}) {
      tokens[letter] =
          future.add_done_callback([&trace, letter](const Future<int>&) { trace += letter; });
    }
    for (const char letter : taken) CHECK(future.remove_done_callback(tokens[letter]));
    future.set_result(1);
    CHECK(trace.empty());
    test.pass();
    CHECK(trace == left);
  }

  TEST_CASE("callbacks: once the future is done, it is too late to take one back") {
    TestLoop test;
    const Future<int> future(test.loop);
    int calls = 0;
    const DoneCallback token = future.add_done_callback([&](const Future<int>&) { ++calls; });
    future.set_result(1);
    CHECK_FALSE(future.remove_done_callback(token));
    test.pass();
    CHECK(calls == 1);
  }

  // CPython: test_futures.py test_schedule_callbacks_list_mutation_1; bpo-28963
  TEST_CASE("callbacks: one that runs is too late to take another one back") {
    TestLoop test;
    const Future<int> future(test.loop);
    std::string trace;
    DoneCallback last;
    future.add_done_callback([&](const Future<int>& done) {
      trace += done.remove_done_callback(last) ? "took " : "a ";
    });
    future.add_done_callback([&](const Future<int>&) { trace += "b "; });
    last = future.add_done_callback([&](const Future<int>&) { trace += "c "; });
    future.set_result(1);
    test.pass();
    CHECK(trace == "a b c ");
  }

  TEST_CASE("callbacks: another future's is not taken back") {
    TestLoop test;
    const Future<int> mine(test.loop);
    const Future<int> other(test.loop);
    int calls = 0;
    const DoneCallback token = other.add_done_callback([&](const Future<int>&) { ++calls; });
    CHECK_FALSE(mine.remove_done_callback(token));
    other.set_result(1);
    test.pass();
    CHECK(calls == 1);
  }

  TEST_CASE("callbacks: one that throws is reported, and the others run") {
    TestLoop test;
    const Future<int> future = ended(test.loop, End::result);
    int calls = 0;
    future.add_done_callback([](const Future<int>&) { throw std::out_of_range("far"); });
    future.add_done_callback([&](const Future<int>&) { ++calls; });
    test.pass();
    CHECK(calls == 1);
    const auto reports = test.take_reports();
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].message == "Exception in callback of <Future finished>");
    CHECK(weir::describe(reports[0].exception) == "std::out_of_range: far");
    CHECK(reports[0].get("future") == "<Future finished>");
  }

  TEST_CASE("callbacks: Ctrl-C in one leaves run_forever, and the others run the next time") {
    TestLoop test;
    const Future<int> future = ended(test.loop, End::result);
    int calls = 0;
    future.add_done_callback([](const Future<int>&) { throw KeyboardInterrupt(); });
    future.add_done_callback([&](const Future<int>&) { ++calls; });
    CHECK_THROWS_AS(test.pass(), KeyboardInterrupt);
    CHECK(calls == 0);
    test.pass();
    CHECK(calls == 1);
  }

  TEST_CASE("callbacks: a future that is never done takes its callbacks with it") {
    const int before = Alive::count;
    TestLoop test;
    DoneCallback token;
    {
      const Future<int> future(test.loop);
      token = future.add_done_callback([alive = Alive()](const Future<int>&) {});
      CHECK(Alive::count == before + 1);
    }
    CHECK(Alive::count == before);
  }

  TEST_CASE("callbacks: a done future lives until its callbacks have run, and no longer") {
    const int before = Alive::count;
    TestLoop test;
    int result = 0;
    {
      const Future<std::pair<int, Alive>> future(test.loop);
      future.add_done_callback(
          [&](const Future<std::pair<int, Alive>>& done) { result = done.result().first; });
      future.set_result(7, Alive());
    }
    CHECK(Alive::count == before + 1);
    test.pass();
    CHECK(result == 7);
    CHECK(Alive::count == before);
  }

  // CPython: test_futures.py test_tb_logger_exception_unretrieved
  TEST_CASE("B86: an exception that nobody retrieves is reported once, when the last handle goes") {
    TestLoop test;
    {
      std::optional<Future<int>> first = ended(test.loop, End::exception);
      const Future<int> second = *first;
      first.reset();
      test.settle();
      CHECK(test.take_reports().empty());
    }
    const auto reports = test.take_reports();
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].message == "Future exception was never retrieved");
    CHECK(weir::describe(reports[0].exception) == "std::out_of_range: far");
    CHECK(reports[0].get("future") == "<Future finished exception=std::out_of_range: far>");
  }

  // CPython: test_futures.py test_tb_logger_exception_retrieved,
  // test_tb_logger_not_called_after_cancel
  TEST_CASE("never retrieved: silent once somebody has looked, or cancelled") {
    TestLoop test;
    Future<int> future = ended(test.loop, End::exception);
    SUBCASE("by result()") { CHECK_THROWS(future.result()); }
    SUBCASE("by exception()") { CHECK(future.exception()); }
    SUBCASE("by cancel()") { CHECK_FALSE(future.cancel()); }
    SUBCASE("by awaiting it") {
      const Task<int> task = test.loop.create_task(awaits(future));
      test.settle();
      CHECK_THROWS_AS(task.result(), std::out_of_range);
    }
    future = Future<int>(test.loop);
    CHECK(test.take_reports().empty());
  }

  // CPython: test_futures.py test_tb_logger_result_unretrieved, test_tb_logger_result_retrieved
  TEST_CASE("never retrieved: a result is no failure, whether somebody fetched it or not") {
    TestLoop test;
    {
      const Future<int> future = ended(test.loop, End::result);
    }
    {
      const Future<int> future = ended(test.loop, End::result);
      CHECK(future.result() == 1);
    }
    {
      const Future<int> future = ended(test.loop, End::cancelled);
    }
    CHECK(test.take_reports().empty());
  }

  // CPython: test_futures.py test_tb_logger_abandoned
  TEST_CASE("never retrieved: a future that nobody completed is no failure") {
    TestLoop test;
    {
      const Future<int> future(test.loop);
    }
    CHECK(test.take_reports().empty());
  }

  TEST_CASE("await: a done future is passed without giving up a pass") {
    TestLoop test;
    const Task<int> task = test.loop.create_task(awaits(ended(test.loop, End::result)));
    test.pass();
    CHECK(task.done());
  }

  TEST_CASE("B82: a pending future resumes in the pass after its completion, never inline") {
    TestLoop test;
    const Future<int> future(test.loop);
    const Task<int> task = test.loop.create_task(awaits(future));
    test.pass();
    future.set_result(1);
    CHECK_FALSE(task.done());
    test.pass();
    CHECK(task.result() == 1);
  }

  // CPython: test_futures.py test_yield_from_twice
  TEST_CASE("await: a second time gives the same result, and does not suspend") {
    TestLoop test;
    const Future<int> future(test.loop);
    const auto awaits_twice = [](Future<int> it) -> Coro<std::pair<int, int>> {
      const int first = co_await it;
      const int second = co_await it;
      co_return std::pair(first, second);
    };
    const Task<std::pair<int, int>> task = test.loop.create_task(awaits_twice(future));
    test.pass();
    future.set_result(42);
    test.pass();
    REQUIRE(task.done());
    CHECK(task.result() == std::pair(42, 42));
  }

  TEST_CASE("await: tasks and callbacks hear of the end in the order they came") {
    TestLoop test;
    const Future<> future(test.loop);
    std::string trace;
    const Task<> a = test.loop.create_task(appends_when_done(future, &trace, "a"));
    test.pass();
    future.add_done_callback([&trace](const Future<>&) { trace += "b"; });
    const Task<> c = test.loop.create_task(appends_when_done(future, &trace, "c"));
    test.pass();
    future.set_result();
    test.pass();
    CHECK(trace == "abc");
  }

  // CPython: test_tasks.py test_other_loop_future
  TEST_CASE("await: a pending future of another loop is refused") {
    TestLoop test;
    TestLoop other;
    const Task<int> task = test.loop.create_task(awaits(Future<int>(other.loop)), "mine");
    test.pass();
    CHECK_THROWS_WITH_AS(task.result(),
                         "Task <Task pending name='mine'> got <Future pending> attached to a "
                         "different loop",
                         RuntimeError);
  }

  TEST_CASE("await: the wait keeps the future alive when its last handle goes") {
    TestLoop test;
    auto holder = std::make_unique<Future<int>>(test.loop);
    const Future<int>* awaited = holder.get();
    const auto awaits_by_pointer = [](const Future<int>* future) -> Coro<int> {
      co_return co_await *future;
    };
    const Task<int> task = test.loop.create_task(awaits_by_pointer(awaited));
    test.pass();
    holder->add_done_callback([](const Future<int>&) {});
    holder.reset();
    task.cancel();
    test.pass();
    CHECK(task.cancelled());
  }

  TEST_CASE("await: a result that can only be moved is given out once") {
    TestLoop test;
    const Future<std::unique_ptr<int>> future(test.loop);
    future.set_result(std::make_unique<int>(7));
    const Task<std::unique_ptr<int>> first = test.loop.create_task(awaits(future));
    const Task<std::unique_ptr<int>> second = test.loop.create_task(awaits(future));
    test.pass();
    CHECK(*first.result() == 7);
    CHECK_THROWS_WITH_AS(second.result(), "Result was already taken: it can only be moved, once.",
                         InvalidStateError);
  }

  TEST_CASE("result: once a result that can only be moved is taken, that is an error") {
    TestLoop test;
    const Future<std::unique_ptr<int>> future(test.loop);
    future.set_result(std::make_unique<int>(7));
    CHECK(*future.result() == 7);
    const Task<std::unique_ptr<int>> task = test.loop.create_task(awaits(future));
    test.pass();
    CHECK_THROWS_WITH_AS(future.result(), "Result was already taken: it can only be moved, once.",
                         InvalidStateError);
  }

  TEST_CASE("await: a large result comes through whole, to everybody who waits") {
    using Large = std::array<int, 4096>;
    TestLoop test;
    const Future<Large> future(test.loop);
    const Task<Large> first = test.loop.create_task(awaits(future));
    const Task<Large> second = test.loop.create_task(awaits(future));
    test.pass();
    Large value{};
    for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<int>(i);
    future.set_result(value);
    test.pass();
    CHECK((first.result() == value));
    CHECK((second.result() == value));
  }

  TEST_CASE("loop: a closed one makes no futures") {
    TestLoop test;
    test.loop.close();
    CHECK_THROWS_WITH_AS(test.loop.create_future<int>(), "Event loop is closed", RuntimeError);
  }

  TEST_CASE("loop: a future that outlives it answers, and is inert") {
    std::optional<Future<int>> done;
    std::optional<Future<int>> pending;
    {
      TestLoop test;
      done = ended(test.loop, End::result);
      pending = Future<int>(test.loop);
    }
    CHECK(done->result() == 1);
    CHECK_THROWS_WITH_AS(done->add_done_callback([](const Future<int>&) {}), "Event loop is closed",
                         RuntimeError);
    CHECK_THROWS_WITH_AS(done->get_loop(), "Event loop is closed", RuntimeError);
    pending->set_result(2);
    CHECK(pending->result() == 2);
  }

  TEST_CASE("loop: a future whose callbacks can no longer run says so, and is done") {
    TestLoop test;
    const Future<int> future(test.loop);
    int calls = 0;
    future.add_done_callback([&](const Future<int>&) { ++calls; });
    test.loop.close();
    CHECK_THROWS_WITH_AS(future.set_result(1), "Event loop is closed", RuntimeError);
    CHECK(future.result() == 1);
    CHECK(calls == 0);
  }

  TEST_CASE("repr: names the state, and the exception") {
    TestLoop test;
    CHECK(Future<int>(test.loop).repr() == "<Future pending>");
    CHECK(ended(test.loop, End::result).repr() == "<Future finished>");
    CHECK(ended(test.loop, End::cancelled).repr() == "<Future cancelled>");
    const Future<int> failed = ended(test.loop, End::exception);
    CHECK(failed.repr() == "<Future finished exception=std::out_of_range: far>");
    CHECK(failed.exception());
  }
}

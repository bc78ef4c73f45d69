// SPDX-License-Identifier: MIT
// What the chapter "Futures" shows.
#include <doctest/doctest.h>

#include <chrono>
#include <exception>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/outcome.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/task.hpp>

#include "stage.hpp"

using namespace std::chrono_literals;

namespace {

using book::Stage;

// [pending]
/// Questions under way, by number: the answer may come in any order, from any callback.
class Questions {
 public:
  explicit Questions(weir::EventLoop& loop) : loop_(loop) {}

  weir::Coro<std::string> ask(int number) {
    const auto answer = loop_.create_future<std::string>();
    asked_.emplace(number, answer);
    co_return co_await answer;
  }
  void answered(int number, const std::string& text) {
    const auto found = asked_.find(number);
    if (found == asked_.end()) return;  // Nobody asked.
    const weir::Future<std::string> answer = found->second;
    asked_.erase(found);
    if (!answer.done()) answer.set_result(text);  // It is done if the asker was cancelled.
  }

 private:
  weir::EventLoop& loop_;
  std::map<int, weir::Future<std::string>> asked_;
};
// [/pending]

}  // namespace

TEST_SUITE("book/futures") {
  TEST_CASE_FIXTURE(Stage, "futures: settling one runs nobody, it only queues") {
    // [posted]
    const weir::Future<int> future = loop.create_future<int>();
    future.add_done_callback([this](const weir::Future<int>& done) {
      trace += "told " + std::to_string(done.result()) + " ";
    });
    future.set_result(42);
    trace += "settled ";
    // [/posted]
    pass();
    CHECK(trace == "settled told 42 ");
  }

  TEST_CASE_FIXTURE(Stage, "futures: awaiting one that is done does not suspend") {
    // [done]
    const auto future = loop.create_future<int>();
    future.set_result(1);
    const auto both = [](Stage* stage, weir::Future<int> its) -> weir::Coro<> {
      stage->loop.call_soon([stage] { stage->trace += "loop "; });
      co_await its;  // Done already: goes straight on,
      stage->trace += "awaited ";
    };
    const auto task = loop.create_task(both(this, future));
    // [/done]
    run_for(1ms);
    CHECK(trace == "awaited loop ");
    CHECK(task.done());
  }

  TEST_CASE_FIXTURE(Stage, "futures: the answers may come in another order than the questions") {
    Questions questions(loop);
    const auto one = loop.create_task(questions.ask(1));
    const auto two = loop.create_task(questions.ask(2));
    pass();
    questions.answered(2, "two");
    questions.answered(1, "one");
    questions.answered(3, "nobody asked");
    run_for(1ms);
    CHECK(one.result() + two.result() == "onetwo");
  }

  TEST_CASE_FIXTURE(Stage, "futures: an asker who is cancelled does not disturb the answer") {
    Questions questions(loop);
    const auto one = loop.create_task(questions.ask(1));
    pass();
    one.cancel();
    run_for(1ms);
    CHECK(one.cancelled());
    CHECK_NOTHROW(questions.answered(1, "too late"));
  }

  TEST_CASE_FIXTURE(Stage, "futures: an exception that nobody fetches is reported") {
    // [unseen]
    {
      const weir::Future<> future = loop.create_future<void>();
      future.set_exception(std::runtime_error("nobody looks"));
    }  // The last handle goes.
    CHECK(reports.size() == 1);
    CHECK(reports.front() == "Future exception was never retrieved");
    // [/unseen]
  }

  TEST_CASE_FIXTURE(Stage, "futures: one is settled once") {
    const weir::Future<int> future = loop.create_future<int>();
    future.set_result(1);
    CHECK_THROWS_AS(future.set_result(2), weir::InvalidStateError);
  }
}

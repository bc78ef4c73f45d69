// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <weir/reactor/error.hpp>
#include <weir/reactor/task/outcome.hpp>

using weir::CancelledError;
using weir::InvalidStateError;
using weir::OSError;
using weir::Outcome;
using weir::TimeoutError;

namespace {

template <class T = int, class E>
Outcome<T> failed(E error) {
  Outcome<T> outcome;
  outcome.set_exception(std::make_exception_ptr(std::move(error)));
  return outcome;
}

}  // namespace

TEST_SUITE("reactor/task/outcome") {
  TEST_CASE("outcome: a new one has neither value nor exception, and value() says so") {
    const Outcome<int> outcome;
    CHECK_FALSE(outcome.has_value());
    CHECK_FALSE(outcome.exception());
    CHECK_THROWS_WITH_AS(outcome.value(), "Result is not set.", InvalidStateError);
  }

  TEST_CASE("outcome: a value is kept, and can be looked at more than once") {
    Outcome<std::string> outcome;
    outcome.set_value("text");
    CHECK(outcome.has_value());
    CHECK_FALSE(outcome.exception());
    CHECK(outcome.value() == "text");
    CHECK(outcome.value() == "text");
  }

  TEST_CASE("outcome: value() rethrows the exception, as the type that it was") {
    const Outcome<int> outcome = failed(OSError(5, "no such luck"));
    CHECK_FALSE(outcome.has_value());
    CHECK_THROWS_WITH_AS(outcome.value(), "[Errno 5] no such luck", OSError);
  }

  TEST_CASE("outcome: failed_with() knows the type and its bases, and no other") {
    const Outcome<int> outcome = failed(TimeoutError());
    CHECK(outcome.failed_with<TimeoutError>());
    CHECK(outcome.failed_with<OSError>());
    CHECK(outcome.failed_with<std::exception>());
    CHECK_FALSE(outcome.failed_with<std::logic_error>());
    CHECK_FALSE(outcome.cancelled());
    CHECK_FALSE(Outcome<int>().failed_with<std::exception>());
  }

  TEST_CASE("outcome: a cancellation is seen by cancelled(), and is no std::exception") {
    const Outcome<int> outcome = failed(CancelledError("enough"));
    CHECK(outcome.cancelled());
    CHECK_FALSE(outcome.failed_with<std::exception>());
    CHECK_THROWS_AS(outcome.value(), CancelledError);
  }

  TEST_CASE("outcome: a value that can only be moved is moved out of an rvalue") {
    Outcome<std::unique_ptr<int>> outcome;
    outcome.set_value(std::make_unique<int>(7));
    const std::unique_ptr<int> taken = std::move(outcome).value();
    CHECK(*taken == 7);
  }

  TEST_CASE("outcome: without a type it is a success or an exception") {
    Outcome<> outcome;
    outcome.set_value();
    CHECK(outcome.has_value());
    CHECK_NOTHROW(std::move(outcome).value());
    CHECK_THROWS_AS(failed<void>(std::out_of_range("far")).value(), std::out_of_range);
  }

  TEST_CASE("outcome: a copy holds the same exception object") {
    const Outcome<int> outcome = failed(std::out_of_range("far"));
    const Outcome<int> copy = outcome;
    CHECK((copy.exception() == outcome.exception()));
  }
}

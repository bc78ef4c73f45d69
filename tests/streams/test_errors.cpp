// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include <weir/reactor/error.hpp>
#include <weir/streams/errors.hpp>

using weir::IncompleteReadError;
using weir::LimitOverrunError;

TEST_SUITE("streams/errors") {
  // CPython: test_streams.py test_IncompleteReadError_pickleable
  TEST_CASE("IncompleteReadError: a copy keeps text and fields") {
    const IncompleteReadError error("ab", 5);
    const IncompleteReadError copy = error;  // NOLINT: the copy is what is tested
    CHECK(std::string_view(copy.what()) == "2 bytes read on a total of 5 expected bytes");
    CHECK(copy.partial == "ab");
    CHECK(copy.expected == 5);
  }

  TEST_CASE("IncompleteReadError: without an expected size the text says undefined") {
    const IncompleteReadError error("", std::nullopt);
    CHECK(std::string_view(error.what()) == "0 bytes read on a total of undefined expected bytes");
    CHECK_FALSE(error.expected.has_value());
  }

  TEST_CASE("IncompleteReadError: is an EOFError and no OSError") {
    CHECK(std::is_base_of_v<weir::EOFError, IncompleteReadError>);
    CHECK_FALSE(std::is_base_of_v<weir::OSError, IncompleteReadError>);
    CHECK_THROWS_AS(throw IncompleteReadError("a", 2), weir::EOFError);
  }

  TEST_CASE("IncompleteReadError: a partial answer may hold NUL bytes") {
    const IncompleteReadError error(std::string("a\0b", 3), std::nullopt);
    CHECK(error.partial.size() == 3);
    CHECK(std::string_view(error.what()) == "3 bytes read on a total of undefined expected bytes");
  }

  // CPython: test_streams.py test_LimitOverrunError_pickleable
  TEST_CASE("LimitOverrunError: a copy keeps text and consumed") {
    const LimitOverrunError error("message", 10);
    const LimitOverrunError copy = error;  // NOLINT: the copy is what is tested
    CHECK(std::string_view(copy.what()) == "message");
    CHECK(copy.consumed == 10);
  }

  TEST_CASE("LimitOverrunError: is a runtime_error, but neither EOFError nor ValueError") {
    CHECK(std::is_base_of_v<std::runtime_error, LimitOverrunError>);
    CHECK_FALSE(std::is_base_of_v<weir::EOFError, LimitOverrunError>);
    CHECK_FALSE(std::is_base_of_v<weir::ValueError, LimitOverrunError>);
  }

  TEST_CASE("errors: thrown through an exception_ptr they keep their fields") {
    const std::exception_ptr error = std::make_exception_ptr(IncompleteReadError("xyz", 7));
    std::string partial;
    try {
      std::rethrow_exception(error);
    } catch (const IncompleteReadError& caught) {
      partial = caught.partial;
    }
    CHECK(partial == "xyz");
  }
}

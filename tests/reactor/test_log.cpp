// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <unistd.h>

#include <cstdio>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>

#include <weir/reactor/error.hpp>
#include <weir/reactor/log.hpp>

using namespace weir;

namespace {

/// What `action` writes on standard error.
std::string on_stderr(const std::function<void()>& action) {
  std::FILE* const file = std::tmpfile();
  REQUIRE(file != nullptr);
  std::fflush(stderr);
  const int saved = dup(STDERR_FILENO);
  dup2(fileno(file), STDERR_FILENO);
  action();
  std::fflush(stderr);
  dup2(saved, STDERR_FILENO);
  close(saved);
  std::rewind(file);
  std::string text(4096, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

}  // namespace

TEST_SUITE_BEGIN("reactor/log");

TEST_CASE("log_to_stderr: warnings and errors are a line each, the rest is silence") {
  const std::string text = on_stderr([] {
    log_to_stderr(LogLevel::debug, "one");
    log_to_stderr(LogLevel::info, "two");
    log_to_stderr(LogLevel::warning, "three");
    log_to_stderr(LogLevel::error, "four");
  });
  CHECK(text == "weir warning: three\nweir error: four\n");
}

TEST_CASE("log_to_stderr: a text is not a format") {
  CHECK(on_stderr([] { log_to_stderr(LogLevel::error, "%s %n"); }) == "weir error: %s %n\n");
}

TEST_CASE("log_to_stderr: a view into the middle of a text ends where it ends") {
  const std::string_view text = "abcdef";
  CHECK(on_stderr([&] { log_to_stderr(LogLevel::error, text.substr(1, 2)); }) ==
        "weir error: bc\n");
}

TEST_CASE("to_string: a level has its name") {
  CHECK(std::string(to_string(LogLevel::debug)) == "debug");
  CHECK(std::string(to_string(LogLevel::info)) == "info");
  CHECK(std::string(to_string(LogLevel::warning)) == "warning");
  CHECK(std::string(to_string(LogLevel::error)) == "error");
}

// CPython: base_events.py default_exception_handler
TEST_CASE("to_string: a context is its message, and the keys in alphabetical order") {
  const ExceptionContext context =
      ExceptionContext("It went wrong", std::make_exception_ptr(ValueError("bad")))
          .with("transport", "<T>")
          .with("handle", "<H>");
  CHECK(to_string(context) ==
        "It went wrong\nexception: ValueError: bad\nhandle: <H>\ntransport: <T>");
}

TEST_CASE("to_string: a context without a message gets asyncio's") {
  CHECK(to_string(ExceptionContext()) == "Unhandled exception in event loop");
}

TEST_CASE("to_string: exceptions of any kind have a description") {
  std::exception_ptr error;
  std::string expected;
  SUBCASE("the standard library's") {
    error = std::make_exception_ptr(std::out_of_range("far"));
    expected = "std::out_of_range: far";
  }
  SUBCASE("a cancellation") {
    error = std::make_exception_ptr(CancelledError());
    expected = "CancelledError";
  }
  SUBCASE("a cancellation with a reason") {
    error = std::make_exception_ptr(CancelledError("late"));
    expected = "CancelledError: late";
  }
  SUBCASE("no class at all") {
    error = std::make_exception_ptr(7);
    expected = "int";
  }
  CHECK(to_string(ExceptionContext("m", error)) == "m\nexception: " + expected);
}

TEST_CASE("get: is the description under a key, or nothing") {
  const ExceptionContext context = ExceptionContext("m").with("handle", "<H>");
  CHECK(context.get("handle") == "<H>");
  CHECK(context.get("task") == "");
}

TEST_SUITE_END();

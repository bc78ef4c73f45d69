// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <netdb.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <memory>
#include <ostream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <typeinfo>

#include <weir/reactor/error.hpp>

using weir::describe;
using weir::make_os_error;
using weir::message_of;
using weir::OSError;

namespace {

/// What `error` is caught as when handlers for Wanted stand before one for everything.
template <class Wanted>
bool is_caught_as(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Wanted&) {
    return true;
  } catch (...) {
    return false;
  }
}

template <class Wanted>
bool has_exact_type(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Wanted& caught) {
    return typeid(caught) == typeid(Wanted);
  } catch (...) {
    return false;
  }
}

}  // namespace

TEST_SUITE_BEGIN("reactor/error");

TEST_CASE("make_os_error: errno chooses the class") {
  CHECK(has_exact_type<weir::BlockingIOError>(make_os_error(EAGAIN)));
  CHECK(has_exact_type<weir::BlockingIOError>(make_os_error(EWOULDBLOCK)));
  CHECK(has_exact_type<weir::BlockingIOError>(make_os_error(EALREADY)));
  CHECK(has_exact_type<weir::BlockingIOError>(make_os_error(EINPROGRESS)));
  CHECK(has_exact_type<weir::ChildProcessError>(make_os_error(ECHILD)));
  CHECK(has_exact_type<weir::FileExistsError>(make_os_error(EEXIST)));
  CHECK(has_exact_type<weir::FileNotFoundError>(make_os_error(ENOENT)));
  CHECK(has_exact_type<weir::InterruptedError>(make_os_error(EINTR)));
  CHECK(has_exact_type<weir::IsADirectoryError>(make_os_error(EISDIR)));
  CHECK(has_exact_type<weir::NotADirectoryError>(make_os_error(ENOTDIR)));
  CHECK(has_exact_type<weir::PermissionError>(make_os_error(EACCES)));
  CHECK(has_exact_type<weir::PermissionError>(make_os_error(EPERM)));
  CHECK(has_exact_type<weir::ProcessLookupError>(make_os_error(ESRCH)));
  CHECK(has_exact_type<weir::BrokenPipeError>(make_os_error(EPIPE)));
  CHECK(has_exact_type<weir::BrokenPipeError>(make_os_error(ESHUTDOWN)));
  CHECK(has_exact_type<weir::ConnectionAbortedError>(make_os_error(ECONNABORTED)));
  CHECK(has_exact_type<weir::ConnectionRefusedError>(make_os_error(ECONNREFUSED)));
  CHECK(has_exact_type<weir::ConnectionResetError>(make_os_error(ECONNRESET)));
  CHECK(has_exact_type<weir::TimeoutError>(make_os_error(ETIMEDOUT)));
}

TEST_CASE("make_os_error: an errno without a class of its own is a plain OSError") {
  CHECK(has_exact_type<OSError>(make_os_error(EMFILE)));
  CHECK(has_exact_type<OSError>(make_os_error(EADDRINUSE)));
  CHECK(has_exact_type<OSError>(make_os_error(98765)));
}

TEST_CASE("make_os_error: the four broken connections are caught as ConnectionError") {
  for (const int error : {EPIPE, ECONNABORTED, ECONNREFUSED, ECONNRESET}) {
    CAPTURE(error);
    CHECK(is_caught_as<weir::ConnectionError>(make_os_error(error)));
  }
  CHECK_FALSE(is_caught_as<weir::ConnectionError>(make_os_error(ETIMEDOUT)));
}

TEST_CASE("throw_os_error: the number stands before the system's text") {
  const std::string text = std::string("[Errno 111] ") + std::strerror(ECONNREFUSED);
  CHECK_THROWS_WITH_AS(weir::throw_os_error(ECONNREFUSED), text.c_str(),
                       weir::ConnectionRefusedError);
}

TEST_CASE("throw_os_error: a text of the caller takes the place of the system's") {
  CHECK_THROWS_WITH_AS(weir::throw_os_error(ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"),
                       "[Errno 111] Connect call failed ('127.0.0.1', 1)",
                       weir::ConnectionRefusedError);
}

TEST_CASE("OSError: code() is errno, comparable with std::errc") {
  const OSError error(ENOENT, "no such door");
  CHECK(error.code() == std::error_code(ENOENT, std::system_category()));
  CHECK(error.code() == std::errc::no_such_file_or_directory);
}

TEST_CASE("OSError: built from a text alone, it says just that and has no number") {
  const OSError error("getaddrinfo() returned empty list");
  CHECK(error.what() == std::string("getaddrinfo() returned empty list"));
  CHECK_FALSE(error.code());
}

TEST_CASE("OSError: a copy keeps text and code when the original is gone") {
  auto original = std::make_unique<weir::ConnectionResetError>(ECONNRESET, "gone");
  const weir::ConnectionResetError copy = *original;
  original.reset();
  CHECK(copy.what() == std::string("[Errno 104] gone"));
  CHECK(copy.code().value() == ECONNRESET);
}

TEST_CASE("TimeoutError: a deadline of ours has no text") {
  CHECK(weir::TimeoutError().what() == std::string());
  CHECK(describe(std::make_exception_ptr(weir::TimeoutError())) == "TimeoutError");
}

TEST_CASE("GaiError: the number is the resolver's, and no errno of the same value") {
  const weir::GaiError error(EAI_NONAME, "Name or service not known");
  CHECK(error.what() == std::string("[Errno -2] Name or service not known"));
  CHECK(error.code().value() == EAI_NONAME);
  CHECK(weir::GaiError(ENOENT, "").code() != std::error_code(ENOENT, std::system_category()));
}

TEST_CASE("CancelledError: a handler for std::exception does not catch it") {
  CHECK_FALSE(is_caught_as<std::exception>(std::make_exception_ptr(weir::CancelledError("stop"))));
  CHECK_FALSE(is_caught_as<std::exception>(std::make_exception_ptr(weir::KeyboardInterrupt())));
}

TEST_CASE("ExceptionGroup: the text counts what failed, as Python prints it") {
  const std::exception_ptr far = std::make_exception_ptr(std::out_of_range("far"));
  const weir::ExceptionGroup one("unhandled errors in a TaskGroup", {far});
  CHECK(std::string(one.what()) == "unhandled errors in a TaskGroup (1 sub-exception)");
  CHECK(one.message() == "unhandled errors in a TaskGroup");
  const weir::ExceptionGroup two("create_connection failed", {far, make_os_error(EPIPE)});
  CHECK(describe(std::make_exception_ptr(two)) ==
        "ExceptionGroup: create_connection failed (2 sub-exceptions)");
  CHECK(two.exceptions().front() == far);
}

TEST_CASE("ExceptionGroup: one of nothing is refused") {
  CHECK_THROWS_WITH_AS(weir::ExceptionGroup("nothing", {}),
                       "second argument (exceptions) must be a non-empty sequence",
                       weir::ValueError);
}

TEST_CASE("ExceptionGroup: what is no exception is refused, by its place") {
  const std::exception_ptr far = std::make_exception_ptr(std::out_of_range("far"));
  CHECK_THROWS_WITH_AS(weir::ExceptionGroup("nothing", {far, nullptr}),
                       "Item 1 of second argument (exceptions) is not an exception",
                       weir::ValueError);
}

TEST_CASE("describe: type and text, in weir's names without the namespace") {
  CHECK(describe(std::make_exception_ptr(weir::ValueError("too big"))) == "ValueError: too big");
  CHECK(describe(std::make_exception_ptr(std::out_of_range("far"))) == "std::out_of_range: far");
  CHECK(describe(make_os_error(EPIPE, "gone")) == "BrokenPipeError: [Errno 32] gone");
}

TEST_CASE("describe: what does not derive from std::exception is named all the same") {
  CHECK(describe(std::make_exception_ptr(weir::CancelledError("stop"))) == "CancelledError: stop");
  CHECK(describe(std::make_exception_ptr(weir::CancelledError())) == "CancelledError");
  CHECK(describe(std::make_exception_ptr(weir::KeyboardInterrupt())) == "KeyboardInterrupt");
  CHECK(describe(std::make_exception_ptr(42)) == "int");
  CHECK(describe(nullptr) == "none");
}

TEST_CASE("message_of: only the text, without the type") {
  CHECK(message_of(std::make_exception_ptr(weir::ValueError("too big"))) == "too big");
  CHECK(message_of(std::make_exception_ptr(weir::CancelledError("stop"))) == "stop");
  CHECK(message_of(std::make_exception_ptr(42)).empty());
  CHECK(message_of(nullptr).empty());
}

TEST_CASE("require: a broken assertion throws in every build") {
  CHECK_NOTHROW(weir::detail::require(true, "holds"));
  CHECK_THROWS_WITH_AS(weir::detail::require(false, "feed_data after feed_eof"),
                       "feed_data after feed_eof", weir::AssertionError);
}

TEST_SUITE_END();

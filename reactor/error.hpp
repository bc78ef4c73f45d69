// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {

// The errors of Python that asyncio raises, under Python's names. `what()` is what Python's str()
// would print. docs/asyncio_map.md has the table; tests/messages.tsv has every text.

/// An argument that no call could make sense of.
struct ValueError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// A call that is wrong now, in this state: a second reader, a closed loop, no running loop.
struct RuntimeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A future asked for a result that it does not have, or given one that it cannot take.
struct InvalidStateError : std::logic_error {
  using std::logic_error::logic_error;
};

/// What is an `assert` in asyncio. Always on here: never undefined behaviour.
struct AssertionError : std::logic_error {
  using std::logic_error::logic_error;
};

struct NotImplementedError : std::logic_error {
  using std::logic_error::logic_error;
};

/// The stream ended before the answer was complete (streams/errors.hpp has the one that is thrown).
struct EOFError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Thrown into a coroutine whose task was cancelled. Derives from nothing, as in Python it is no
/// Exception: a `catch (const std::exception&)` cannot swallow a cancellation by accident.
class CancelledError {
 public:
  CancelledError() = default;
  explicit CancelledError(std::string message) : message_(std::move(message)) {}
  const std::string& message() const noexcept { return message_; }

 private:
  std::string message_;
};

/// The user pressed Ctrl-C while run() was driving something that has no exit code.
struct KeyboardInterrupt {};

/// The operating system said no. `code()` holds errno in std::system_category().
///
/// Shape     what() is "[Errno 111] Connection refused", or the bare text when built from a text
///           alone.
/// Source    CPython OSError; subclasses by errno as in PEP 3151.
class OSError : public std::system_error {
 public:
  OSError(int error, const std::string& text);
  explicit OSError(const std::string& text);
  const char* what() const noexcept override { return text_.c_str(); }

 protected:
  OSError(std::error_code code, std::string text);

 private:
  std::string text_;
};

struct BlockingIOError : OSError {
  using OSError::OSError;
};  // EAGAIN EWOULDBLOCK EALREADY EINPROGRESS
struct ChildProcessError : OSError {
  using OSError::OSError;
};  // ECHILD
struct FileExistsError : OSError {
  using OSError::OSError;
};  // EEXIST
struct FileNotFoundError : OSError {
  using OSError::OSError;
};  // ENOENT
struct InterruptedError : OSError {
  using OSError::OSError;
};  // EINTR
struct IsADirectoryError : OSError {
  using OSError::OSError;
};  // EISDIR
struct NotADirectoryError : OSError {
  using OSError::OSError;
};  // ENOTDIR
struct PermissionError : OSError {
  using OSError::OSError;
};  // EACCES EPERM
struct ProcessLookupError : OSError {
  using OSError::OSError;
};  // ESRCH
struct ConnectionError : OSError {
  using OSError::OSError;
};
struct BrokenPipeError : ConnectionError {
  using ConnectionError::ConnectionError;
};  // EPIPE ESHUTDOWN
struct ConnectionAbortedError : ConnectionError {
  using ConnectionError::ConnectionError;
};  // ECONNABORTED
struct ConnectionRefusedError : ConnectionError {
  using ConnectionError::ConnectionError;
};  // ECONNREFUSED
struct ConnectionResetError : ConnectionError {
  using ConnectionError::ConnectionError;
  std::exception_ptr cause;  // Of drain()'s "Connection lost": what ended it. Python: __cause__.
};  // ECONNRESET

/// A deadline passed (no text, as in asyncio), or the kernel said ETIMEDOUT.
struct TimeoutError : OSError {
  using OSError::OSError;
  TimeoutError() : OSError(std::string()) {}
};

/// getaddrinfo() failed. `code().value()` is the EAI_… number; what() is "[Errno -2] Name or
/// service not known".
struct GaiError : OSError {
  GaiError(int gai_code, const std::string& text);
};

/// Several failures at once: of the tasks of a TaskGroup, of the addresses that were tried.
///
/// Shape     what() is "unhandled errors in a TaskGroup (2 sub-exceptions)".
/// Errors    ValueError "second argument (exceptions) must be a non-empty sequence", "Item 0 of
///           second argument (exceptions) is not an exception" for a null pointer.
/// Source    CPython ExceptionGroup (PEP 654).
class ExceptionGroup : public std::runtime_error {
 public:
  ExceptionGroup(std::string message, std::vector<std::exception_ptr> exceptions);
  /// The text alone, without the count.
  const std::string& message() const noexcept { return message_; }
  /// What failed, in the order it did. Never empty, never a null.
  const std::vector<std::exception_ptr>& exceptions() const noexcept { return exceptions_; }

 private:
  std::string message_;
  std::vector<std::exception_ptr> exceptions_;
};

/// The OSError subclass that belongs to `error`, as an exception object. `text` defaults to
/// strerror(error). A std::bad_alloc instead where there is no memory for a text.
std::exception_ptr make_os_error(int error, std::string_view text = {}) noexcept;
/// Throws it.
[[noreturn]] void throw_os_error(int error, std::string_view text = {});

/// `type: text` of any exception, as a log line wants it; "CancelledError" too. "out of memory"
/// where there is none for that. Never throws.
std::string describe(const std::exception_ptr& error) noexcept;
/// Only the text of any exception: what Python's str() would print. Never throws.
std::string message_of(const std::exception_ptr& error) noexcept;

namespace detail {
/// AssertionError unless `holds`. On in every build.
inline void require(bool holds, const char* text) {
  if (!holds) [[unlikely]]
    throw AssertionError(text);
}

/// Whether `error` is an exception of type E, or one derived from it.
template <class E>
bool is_a(const std::exception_ptr& error) noexcept {
  if (!error) return false;
  try {
    std::rethrow_exception(error);
  } catch (const E&) {
    return true;
  } catch (...) {
    return false;
  }
}

/// The exception that `make` returns, or what it throws while making it: std::bad_alloc.
template <class Make>
std::exception_ptr exception_of(Make make) noexcept {
  try {
    return std::make_exception_ptr(make());
  } catch (...) {
    return std::current_exception();
  }
}

/// Throws CancelledError(message). A cancellation must not turn into another failure: where there
/// is no memory for a copy of a long text, it goes without.
[[noreturn]] void throw_cancelled(const std::string& message);
std::exception_ptr make_cancelled(const std::string& message) noexcept;
/// The text, or none where there is no memory for a long one.
std::string copy_if_possible(const std::string& text) noexcept;
}  // namespace detail

}  // namespace weir

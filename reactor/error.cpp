// SPDX-License-Identifier: MIT
#include <weir/reactor/error.hpp>

#include <cxxabi.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <typeinfo>
#include <utility>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/no_alloc.hpp>

namespace weir {
namespace {

/// getaddrinfo's error numbers are no errno: a category of their own keeps the two apart.
class GaiCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "getaddrinfo"; }
  std::string message(int code) const override {
    return "getaddrinfo error " + std::to_string(code);
  }
};

const std::error_category& gai_category() {
  static const GaiCategory category;
  return category;
}

std::string numbered(int error, std::string_view text) {
  return "[Errno " + std::to_string(error) + "] " + std::string(text);
}

// Short enough to need no memory of its own.
constexpr const char* no_memory_text = "out of memory";

template <class Error>
std::exception_ptr made(int error, std::string_view given) noexcept {
  const detail::MayAllocScope a_text;
  return detail::exception_of(
      [&] { return Error(error, given.empty() ? std::strerror(error) : std::string(given)); });
}

std::string counted(const std::string& message, const std::vector<std::exception_ptr>& exceptions) {
  if (exceptions.empty()) {
    throw ValueError("second argument (exceptions) must be a non-empty sequence");
  }
  const std::size_t count = exceptions.size();
  for (std::size_t i = 0; i < count; ++i) {
    if (exceptions[i]) continue;
    throw ValueError("Item " + std::to_string(i) +
                     " of second argument (exceptions) is not an exception");
  }
  return message + " (" + std::to_string(count) + " sub-exception" + (count == 1 ? ")" : "s)");
}

std::string type_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free);
  std::string text = status == 0 ? name.get() : type.name();
  if (text.starts_with("weir::")) text.erase(0, 6);
  return text;
}

struct Description {
  std::string type;
  std::string text;
};

Description description_of(const std::exception_ptr& error) {
  if (!error) return {"none", {}};
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return {type_name(typeid(e)), e.what()};
  } catch (const CancelledError& e) {
    return {"CancelledError", e.message()};
  } catch (const KeyboardInterrupt&) {
    return {"KeyboardInterrupt", {}};
  } catch (...) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    return {type != nullptr ? type_name(*type) : "unknown exception", {}};
  }
}

}  // namespace

OSError::OSError(int error, const std::string& text)
    : OSError(std::error_code(error, std::system_category()), numbered(error, text)) {}

OSError::OSError(const std::string& text) : OSError(std::error_code(), text) {}

OSError::OSError(std::error_code code, std::string text)
    : std::system_error(code), text_(std::move(text)) {}

GaiError::GaiError(int gai_code, const std::string& text)
    : OSError(std::error_code(gai_code, gai_category()), numbered(gai_code, text)) {}

ExceptionGroup::ExceptionGroup(std::string message, std::vector<std::exception_ptr> exceptions)
    : std::runtime_error(counted(message, exceptions)),
      message_(std::move(message)),
      exceptions_(std::move(exceptions)) {}

std::exception_ptr make_os_error(int error, std::string_view text) noexcept {
  switch (error) {
    case EAGAIN:
    case EALREADY:
    case EINPROGRESS: return made<BlockingIOError>(error, text);
    case ECHILD: return made<ChildProcessError>(error, text);
    case EEXIST: return made<FileExistsError>(error, text);
    case ENOENT: return made<FileNotFoundError>(error, text);
    case EINTR: return made<InterruptedError>(error, text);
    case EISDIR: return made<IsADirectoryError>(error, text);
    case ENOTDIR: return made<NotADirectoryError>(error, text);
    case EACCES:
    case EPERM: return made<PermissionError>(error, text);
    case ESRCH: return made<ProcessLookupError>(error, text);
    case EPIPE:
    case ESHUTDOWN: return made<BrokenPipeError>(error, text);
    case ECONNABORTED: return made<ConnectionAbortedError>(error, text);
    case ECONNREFUSED: return made<ConnectionRefusedError>(error, text);
    case ECONNRESET: return made<ConnectionResetError>(error, text);
    case ETIMEDOUT: return made<TimeoutError>(error, text);
    default: return made<OSError>(error, text);
  }
}

void throw_os_error(int error, std::string_view text) {
  std::rethrow_exception(make_os_error(error, text));
}

std::string describe(const std::exception_ptr& error) noexcept {
  try {
    const Description found = description_of(error);
    return found.text.empty() ? found.type : found.type + ": " + found.text;
  } catch (...) {
    return no_memory_text;
  }
}

std::string message_of(const std::exception_ptr& error) noexcept {
  try {
    return description_of(error).text;
  } catch (...) {
    return no_memory_text;
  }
}

namespace detail {
void throw_nan_delay() { throw ValueError("Invalid delay: NaN (not a number)"); }

void throw_cancelled(const std::string& message) {
  throw CancelledError(copy_if_possible(message));
}

std::exception_ptr make_cancelled(const std::string& message) noexcept {
  // Caught, because copying the exception would copy its text once more.
  try {
    throw_cancelled(message);
  } catch (...) {
    return std::current_exception();
  }
}

std::string copy_if_possible(const std::string& text) noexcept {
  const MayAllocScope a_long_text;
  try {
    return text;
  } catch (const std::bad_alloc&) {
    return {};
  }
}

}  // namespace detail

}  // namespace weir

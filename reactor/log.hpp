// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {

enum class LogLevel { debug, info, warning, error };
const char* to_string(LogLevel level) noexcept;

/// Where a loop writes what nobody else wanted to hear. An exception that it throws is swallowed:
/// there is nowhere left to report it.
using LogSink = std::function<void(LogLevel, std::string_view)>;

/// The default sink: one line on standard error for warnings and errors, nothing for the rest.
void log_to_stderr(LogLevel level, std::string_view text);

/// What happened where no caller could be told. `extra` has asyncio's further keys ("handle",
/// "future", "task", "protocol", "transport", "socket") with a description of each object.
struct ExceptionContext {
  ExceptionContext() = default;
  explicit ExceptionContext(std::string its_message, std::exception_ptr its_exception = nullptr)
      : message(std::move(its_message)), exception(std::move(its_exception)) {}

  ExceptionContext&& with(std::string key, std::string value) && {
    extra.emplace_back(std::move(key), std::move(value));
    return std::move(*this);
  }
  /// The description under `key`, or the empty text.
  std::string_view get(std::string_view key) const noexcept;

  std::string message;
  std::exception_ptr exception;
  std::vector<std::pair<std::string, std::string>> extra;
};

/// What the default exception handler logs: the message, then `key: value` lines sorted by key.
std::string to_string(const ExceptionContext& context);

}  // namespace weir

// Internal: used by whatever has something to report.
// SPDX-License-Identifier: MIT
#pragma once

#include <exception>

#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/log.hpp>
#include <weir/reactor/no_alloc.hpp>

namespace WEIR_API weir {

/// Calls the exception handler with what `describe` makes of a context with `message` and `error`.
/// Where there is no memory for that, the handler gets the exception alone, under "out of memory".
template <class Describe>
void EventLoop::report(const char* message, const std::exception_ptr& error,
                       Describe describe) noexcept {
  const detail::MayAllocScope reporting;
  try {
    call_exception_handler(describe(ExceptionContext(message, error)));
  } catch (...) {
    report_briefly(message, error);
  }
}

/// Logs what `text` returns, or where there is no memory for that, `otherwise`.
template <class Text>
void EventLoop::log_text(LogLevel level, const char* otherwise, Text text) noexcept {
  const detail::MayAllocScope logging;
  try {
    log(level, text());
  } catch (...) {
    log(level, otherwise);
  }
}

}  // namespace weir

// SPDX-License-Identifier: MIT
#include <weir/reactor/log.hpp>

#include <algorithm>
#include <cstdio>

#include <weir/reactor/error.hpp>

namespace weir {

const char* to_string(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warning: return "warning";
    case LogLevel::error: return "error";
  }
  return "unknown";
}

void log_to_stderr(LogLevel level, std::string_view text) {
  if (level < LogLevel::warning) return;
  std::fprintf(stderr, "weir %s: %.*s\n", to_string(level), static_cast<int>(text.size()),
               text.data());
}

std::string_view ExceptionContext::get(std::string_view key) const noexcept {
  const auto found =
      std::find_if(extra.begin(), extra.end(), [&](const auto& pair) { return pair.first == key; });
  return found == extra.end() ? std::string_view() : std::string_view(found->second);
}

std::string to_string(const ExceptionContext& context) {
  std::string text =
      context.message.empty() ? "Unhandled exception in event loop" : context.message;
  auto lines = context.extra;
  if (context.exception) lines.emplace_back("exception", describe(context.exception));
  std::sort(lines.begin(), lines.end());
  for (const auto& [key, value] : lines) text.append("\n").append(key).append(": ").append(value);
  return text;
}

}  // namespace weir

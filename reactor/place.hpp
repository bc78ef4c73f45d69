// Internal: used by reports, call graphs and the trace.
// SPDX-License-Identifier: MIT
#pragma once

#include <source_location>
#include <span>
#include <string>
#include <string_view>

namespace weir::detail {

/// What people call a function, out of what the compiler says of it: without result, parameters,
/// template arguments and anonymous namespaces.
std::string short_function_name(std::string_view pretty);
/// "serve (server.cpp:12)".
std::string describe_place(const std::source_location& place);
/// "read (server.cpp:12), serve (server.cpp:40)"; empty for none.
std::string describe_stack(std::span<const std::source_location> stack);
/// The first that is none of weir's own coroutines: outcome() and create_task() may wrap an
/// awaitable into one.
std::source_location users_place(std::span<const std::source_location> stack);

}  // namespace weir::detail

// Internal: used by connect_race and server.
// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <weir/net/address.hpp>

namespace weir::detail {

/// "error while attempting to bind on address ('127.0.0.1', 80): address already in use", the text
/// of strerror(3) in lower case, as asyncio has it.
std::string bind_error_text(const Endpoint& address, int error);

}  // namespace weir::detail

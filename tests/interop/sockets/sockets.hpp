// Internal: used by peer.
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include <weir/net/socket.hpp>

namespace weir::test {

/// The parts of `text` between separators; empty ones are left out.
std::vector<std::string> split(const std::string& text, char separator);

// The words of `serve` and `connect`: the kind (tcp or unix) first, the port or path last. Buffers
// are fixed, so that it does not depend on the moment how much the kernel takes.

Socket bound_socket(const std::vector<std::string>& words);
/// What the client has to be told: the port, or the path.
std::string where_of(Socket& listener, const std::vector<std::string>& words);
Socket connected_socket(const std::vector<std::string>& words);

}  // namespace weir::test

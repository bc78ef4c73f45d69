// SPDX-License-Identifier: MIT
#include <weir/net/bind_error.hpp>

#include <algorithm>
#include <cctype>
#include <cstring>

namespace weir::detail {

std::string bind_error_text(const Endpoint& address, int error) {
  std::string reason = std::strerror(error);
  std::transform(reason.begin(), reason.end(), reason.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return "error while attempting to bind on address " + address.repr() + ": " + reason;
}

}  // namespace weir::detail

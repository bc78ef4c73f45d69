// SPDX-License-Identifier: MIT
//
// The floor of the echo servers: what arrives is sent from where it lies.
#include <bench/serving/servers/raw_server.hpp>
#include <string_view>

int main() {
  using weir::bench::RawConnection;
  const auto echo = [](RawConnection&, const char* data, std::size_t bytes) {
    return std::string_view(data, bytes);
  };
  weir::bench::RawServer(echo).serve();
}

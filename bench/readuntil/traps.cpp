// SPDX-License-Identifier: MIT
#include <bench/readuntil/traps.hpp>

#include <bench/readuntil/workload.hpp>

namespace weir::bench {

std::string Trap::record(std::size_t bytes) const {
  return hostile_records(filler, bytes, 1, separator);
}

std::vector<Trap> all_traps() {
  const std::string a15b = std::string(15, 'a') + "b";
  const std::string a63b = std::string(63, 'a') + "b";
  const std::string token = "--7MA4YWxkTrZu0g";
  return {
      {"CRLF", "CR everywhere", "\r", "\r\n"},
      {"CRLF", "LF everywhere", "\n", "\r\n"},
      {"CRLFCRLF", "CRLFCR repeated", "\r\n\r", "\r\n\r\n"},
      {"CRLFCRLF", "near misses: CRLFxLF", "\r\nx\n", "\r\n\r\n"},
      {"a15b", "a repeated", "a", a15b},
      {"a63b", "a repeated", "a", a63b},
      {"a15b", "b repeated", "b", a15b},
      {"a15b", "near misses: a14xb", std::string(14, 'a') + "xb", a15b},
      {"16 B token", "the first half, again and again", token.substr(0, 8), token},
  };
}

}  // namespace weir::bench

// SPDX-License-Identifier: MIT
#include <weir/streams/errors.hpp>

namespace weir {

std::string LimitOverrunError::describe() const {
  std::string text = what();
  if (limit == 0) return text;
  text += " (limit " + std::to_string(limit);
  text += separator_found ? ", separator at " : ", no separator in the first ";
  text += std::to_string(consumed);
  if (!separator_found) text += " bytes";
  return text + ", " + std::to_string(buffered) + " bytes buffered)";
}

ReadCapError::ReadCapError(const std::string& who, std::size_t its_bytes, std::size_t its_cap)
    : std::runtime_error(who + " " + std::to_string(its_bytes) + " bytes, more than the cap of " +
                         std::to_string(its_cap)),
      bytes(its_bytes),
      cap(its_cap) {}

}  // namespace weir

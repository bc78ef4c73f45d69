// Internal: used by the load generator.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace weir::bench {

/// What a connection says, over and over: requests of one size, each ending in "\n", which stands
/// nowhere else. Every connection begins at another one, so that an answer that is lost, doubled or
/// sent to somebody else does not match what is expected.
class Payload {
 public:
  Payload(std::size_t request_bytes, std::size_t depth)
      : request_bytes_(request_bytes), batch_bytes_(request_bytes * depth) {
    constexpr std::size_t least_bytes = 64 * 1024;
    const std::size_t requests = std::max<std::size_t>(least_bytes / request_bytes, 13);
    period_bytes_ = requests * request_bytes;
    bytes_.reserve(period_bytes_ + batch_bytes_);
    while (bytes_.size() < period_bytes_) append_request();
    while (bytes_.size() < period_bytes_ + batch_bytes_)  // So that a batch is one run of bytes.
      bytes_.append(bytes_, bytes_.size() - period_bytes_, request_bytes);
  }

  std::size_t request_bytes() const noexcept { return request_bytes_; }
  std::size_t batch_bytes() const noexcept { return batch_bytes_; }

  std::size_t first_of(std::size_t connection) const noexcept {
    return connection * request_bytes_ % period_bytes_;
  }
  std::size_t next(std::size_t batch) const noexcept {
    return (batch + batch_bytes_) % period_bytes_;
  }
  std::string_view batch_at(std::size_t start) const noexcept {
    return std::string_view(bytes_).substr(start, batch_bytes_);
  }

 private:
  void append_request() {
    for (std::size_t left = request_bytes_ - 1; left > 0; --left) {
      random_ = random_ * 6364136223846793005U + 1442695040888963407U;  // Knuth's MMIX.
      bytes_ += static_cast<char>('!' + (random_ >> 33U) % 94);
    }
    bytes_ += '\n';
  }

  std::size_t request_bytes_;
  std::size_t batch_bytes_;
  std::size_t period_bytes_ = 0;
  std::string bytes_;
  unsigned long long random_ = 1;
};

}  // namespace weir::bench

// Internal: used by the load generator.
// SPDX-License-Identifier: MIT
#pragma once

#include <bench/serving/load/histogram.hpp>
#include <bench/serving/load/payload.hpp>
#include <cstddef>
#include <cstdint>
#include <string>

namespace weir::bench {

/// What all connections share: what they say, and what they have seen.
struct Tally {
  std::uint64_t requests = 0;  // Whose answers are complete.
  std::uint64_t bytes = 0;     // Received, and equal to what was expected.
  Histogram latency;           // From the sending of a batch to the end of each of its answers.
};

/// One connection: sends a batch of requests at once, and the next one when all have been answered.
///
/// Errors    std::runtime_error  the server changed a byte, sent one too many, or closed.
class Client {
 public:
  Client(int fd, std::size_t number, const Payload& payload) noexcept
      : fd_(fd), number_(number), payload_(&payload), batch_(payload.first_of(number)) {}

  int fd() const noexcept { return fd_; }
  /// Begins a batch.
  void send_batch(std::uint64_t now_ns);
  /// Sends what the socket had no room for.
  void write_ready();
  /// Receives what there is, and compares. Returns whether that completed the batch.
  bool read_ready(Tally& tally);

 private:
  bool idle() const noexcept { return !started_ || received_ == payload_->batch_bytes(); }
  [[noreturn]] void refuse(const std::string& what) const;
  void check(const char* data, std::size_t bytes, Tally& tally);

  int fd_;
  std::size_t number_;
  const Payload* payload_;
  std::size_t batch_;          // Where in the payload this batch begins.
  std::size_t sent_ = 0;       // Of this batch.
  std::size_t received_ = 0;   // Of its answers.
  std::uint64_t checked_ = 0;  // Of all answers.
  std::uint64_t batch_began_ns_ = 0;
  bool started_ = false;
};

/// CLOCK_MONOTONIC.
std::uint64_t now_ns() noexcept;

}  // namespace weir::bench

// Internal: used by weir's sides of the readuntil benchmark that time out.
// SPDX-License-Identifier: MIT
#pragma once

#include <bench/readuntil/memory_kernel.hpp>

namespace weir::bench {

/// A kernel in memory whose clock stands still until somebody waits, and whose chunks come too
/// late: after each, whoever waits with a time-out sees it pass, at once, until go_on().
class LateKernel final : public MemoryKernel {
 public:
  void go_on() noexcept { late_ = false; }

  TimePoint now() override { return now_; }
  IoResult recv(int fd, std::span<const iovec> buffers) override {
    late_ = true;
    return MemoryKernel::recv(fd, buffers);
  }
  std::unique_ptr<Poller> make_poller() override;

 private:
  class LatePoller;

  TimePoint now_{};
  bool late_ = false;
};

}  // namespace weir::bench

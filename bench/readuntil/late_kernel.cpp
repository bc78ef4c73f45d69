// SPDX-License-Identifier: MIT
#include <bench/readuntil/late_kernel.hpp>

#include <utility>

namespace weir::bench {

class LateKernel::LatePoller final : public Poller {
 public:
  LatePoller(LateKernel& kernel, std::unique_ptr<Poller> poller)
      : kernel_(kernel), poller_(std::move(poller)) {}
  const char* name() const noexcept override { return "late"; }
  int set(int fd, std::uint32_t generation, Interest interest) override {
    return poller_->set(fd, generation, interest);
  }
  int wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override {
    if (!kernel_.late_ || !timeout || *timeout <= Duration::zero())
      return poller_->wait(timeout, ready);
    kernel_.now_ += *timeout;
    return 0;
  }
  void wake() noexcept override {}

 private:
  LateKernel& kernel_;
  std::unique_ptr<Poller> poller_;
};

std::unique_ptr<Poller> LateKernel::make_poller() {
  return std::make_unique<LatePoller>(*this, MemoryKernel::make_poller());
}

}  // namespace weir::bench

// Internal: used by sim_kernel.
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include <weir/reactor/sim/sim_kernel.hpp>
#include <weir/reactor/sim/sim_network.hpp>

namespace weir {

/// Reports what is ready, and what is not; when nothing is, the clock moves.
class SimKernel::SimPoller final : public Poller {
 public:
  explicit SimPoller(SimKernel& kernel);
  ~SimPoller() override;

  const char* name() const noexcept override { return "sim"; }
  int set(int fd, std::uint32_t generation, Interest interest) override;
  int wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override;
  void wake() noexcept override { woken_.store(true, std::memory_order_release); }

  bool watches(int fd) const { return watched_.contains(fd); }
  void closed(int fd);
  /// The program has asked about `fd`.
  void touched(int fd);

 private:
  struct Watch {
    std::uint32_t generation = 0;
    Interest interest = Interest::none;
    std::uint64_t registration = 0;
    int unanswered = 0;  // How often in a row it was reported, and nobody asked.
  };

  /// The last registration of a number.
  struct Last {
    std::uint32_t generation = 0;
    bool closed = false;  // The descriptor is gone since.
  };

  /// An event as it was reported, and whose it was.
  struct Told {
    Ready event;
    std::uint64_t registration;
  };

  std::optional<TimePoint> deadline_of(std::optional<Duration> timeout);
  std::vector<Ready> ready_now() const;
  void disturb(std::vector<Ready>& found);
  void hold_back(std::vector<Ready>& found);
  void add_spurious(std::vector<Ready>& found);
  void add_replay(std::vector<Ready>& found);
  void note_generation(int fd, std::uint32_t generation);
  void count(const Ready& event);
  void report(std::vector<Ready>& found, std::vector<Ready>& ready);
  void oversleep();
  bool reportable(int fd, const std::vector<Ready>& found) const;

  SimKernel& kernel_;
  detail::SimNetwork& network_;
  std::map<int, Watch> watched_;
  std::map<int, Last> last_;
  std::deque<Told> history_;  // What was reported lately.
  std::uint64_t registrations_ = 0;
  std::atomic<bool> woken_ = false;
};

}  // namespace weir

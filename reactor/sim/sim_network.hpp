// Internal: used by sim_kernel.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/reactor/sim/sim_options.hpp>
#include <weir/reactor/sim/sim_socket.hpp>
#include <weir/reactor/sim/sim_stream.hpp>
#include <weir/reactor/sim/sim_trace.hpp>

namespace weir::detail {

/// Time, luck, and what is on its way: the part of a simulated machine that no program asks.
///
/// Everything that will happen is an event with a time. Events happen when the clock passes them:
/// while the program waits, and, with SimFault::slow_calls, while it calls.
class SimNetwork {
 public:
  SimNetwork(std::uint64_t seed, const SimOptions& its_options);

  /// Whether `fault` happens now; counted.
  bool strikes(SimFault fault) noexcept;

  /// A call begins: time may pass, and what is due happens.
  void pass_time();
  void run_due();
  std::optional<TimePoint> next_event() const;
  void advance_to(TimePoint when);
  /// Everything that is on its way arrives now, in its order, and nothing goes wrong any more.
  void heal();

  /// A connection between the two: each end gets its number.
  void join(const SimSocketPtr& client, const SimSocketPtr& server);
  void send_bytes(const SimSocketPtr& from, std::string bytes);
  void send_end(const SimSocketPtr& from);
  /// Some of what `from` has sent is lost, and then comes a reset.
  void send_reset(const SimSocketPtr& from);
  /// Both sides are reset, by something in between.
  void cut(const SimSocketPtr& one);

  void connect_after(const SimSocketPtr& client, Duration delay);
  void run_after(std::uint64_t job, Duration delay);

  SimStream* stream_of(const SimSocket& socket);

  TimePoint now;
  SimRandom random;
  SimOptions options;
  SimTrace trace;
  std::vector<SimStream> streams;
  std::array<std::uint64_t, sim_fault_count> injected{};
  TimePoint no_fds_until;

  /// Whom to tell: the kernel has the listeners and the jobs.
  std::function<void(const SimSocketPtr&)> connect_due;
  std::function<void(std::uint64_t)> job_due;

  static constexpr std::uint64_t no_stream = ~std::uint64_t{0};

 private:
  enum class Kind : std::uint8_t { segment, connect, job };
  struct Event {
    Kind kind;
    SimSocketPtr socket;
    std::uint64_t job = 0;
  };

  void add(TimePoint when, Event event);
  void happen(const Event& event);
  void send(const SimSocketPtr& to, SimSegment segment);
  void lose_some(const SimSocketPtr& to);
  void deliver(const SimSocketPtr& to, const SimSegment& segment);

  // By time, then in the order in which they were made.
  std::map<std::pair<TimePoint, std::uint64_t>, Event> events_;
  std::uint64_t next_number_ = 0;
};

}  // namespace weir::detail

// Internal: used by the simulations.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <weir/net/server.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/sim/sim_kernel.hpp>
#include <weir/reactor/task/task.hpp>

#include <tests/sim/end.hpp>
#include <tests/sim/marks.hpp>
#include <tests/sim/script.hpp>

namespace weir::sim {

/// What came of a simulation.
struct Result {
  std::string violation;  // Empty: none.
  std::uint64_t hash = 0;
  std::uint64_t events = 0;
  Marks marks{};
  std::array<std::uint64_t, sim_fault_count> injected{};
  std::vector<std::string> trace;  // If it was asked for.
};

/// A kernel, a loop, and everybody who lives there. Runs one script, once.
class World {
 public:
  /// A server of the script, and who came.
  struct Place {
    explicit Place(const ServerScript& its_script) : script(its_script) {}
    const ServerScript& script;
    std::optional<Server> server;
    std::vector<End*> ends;
    std::uint32_t clients = 0;
  };
  /// As long as it lives, something is not finished.
  class Alive {
   public:
    explicit Alive(World& world) noexcept : world_(world) { ++world_.alive_; }
    Alive(const Alive&) = delete;
    Alive& operator=(const Alive&) = delete;
    ~Alive() { --world_.alive_; }

   private:
    World& world_;
  };

  explicit World(const Script& script, bool records = false);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  Result run();

  void complain(const std::string& what);
  void mark(Mark mark) noexcept { ++marks_[static_cast<std::size_t>(mark)]; }
  void note(const std::string& text) { kernel.trace().note(kernel.now(), text); }
  /// About to throw a Planted that somebody must report.
  void note_raise() noexcept {
    ++raised_;
    mark(Mark::raised);
  }

  /// Somebody has reported one.
  void hear_planted() noexcept { ++reported_; }

  /// The next client of a server: which side it finds. Throws Planted if the factory fails.
  End& accept(Place& place);
  End& add_end(const Side& side, std::string name);
  void close_server(Place& place);
  /// The end at the other side of `stream`'s connection, if it has been made.
  void register_stream(std::uint64_t stream, End& end);
  const End* peer_of(std::uint64_t stream) const;
  void keep(TimerHandle timer) { timers_.push_back(std::move(timer)); }
  Place& place(std::size_t number) { return places_[number]; }
  const Script& script() const noexcept { return script_; }

  SimKernel kernel;
  EventLoop loop;

 private:
  void begin();
  void run_for(Duration time);
  void check_quiet();
  void finish();
  void check_over();
  void hear(const ExceptionContext& context);

  const Script& script_;
  std::deque<Place> places_;
  std::deque<End> ends_;
  std::vector<End*> by_stream_;
  std::vector<Task<>> tasks_;
  std::vector<TimerHandle> timers_;
  std::string violation_;
  Marks marks_{};
  std::uint64_t raised_ = 0;
  std::uint64_t reported_ = 0;
  int alive_ = 0;
};

Result run(const Script& script, bool records = false);

}  // namespace weir::sim

// SPDX-License-Identifier: MIT
#include <tests/sim/shrink.hpp>

#include <chrono>
#include <cstddef>
#include <utility>

namespace weir::sim {
namespace {

// A cut changes which call gets which fault: a few other seeds of the kernel have a chance, too.
constexpr std::uint64_t seeds_to_try = 4;

class Shrinker {
 public:
  Shrinker(Script script, const Fails& fails, int most_runs)
      : best_(std::move(script)), fails_(fails), runs_left_(most_runs) {}

  Script shrink() {
    bool smaller = true;
    while (smaller && runs_left_ > 0) {
      smaller = cut_faults();
      smaller = cut_actors() || smaller;
      smaller = cut_steps() || smaller;
      smaller = make_plain() || smaller;
    }
    return best_;
  }

 private:
  /// Keeps `candidate` if it fails.
  bool keep(Script candidate) {
    for (std::uint64_t i = 0; i < seeds_to_try && runs_left_ > 0; ++i) {
      --runs_left_;
      if (fails_(candidate)) {
        best_ = std::move(candidate);
        return true;
      }
      ++candidate.seed;
    }
    return false;
  }

  template <class Change>
  bool with(Change&& change) {
    Script candidate = best_;
    if (!std::forward<Change>(change)(candidate)) return false;
    return keep(std::move(candidate));
  }

  bool cut_faults() {
    bool any = false;
    for (std::size_t i = 0; i < sim_fault_count; ++i) {
      any = with([i](Script& script) { return std::exchange(script.faults.rates[i], 0) != 0; }) ||
            any;
    }
    return any;
  }

  bool cut_actors() {
    bool any = false;
    for (std::size_t i = best_.clients.size(); i-- > 0;) {
      any = with([i](Script& script) {
              script.clients.erase(script.clients.begin() + static_cast<std::ptrdiff_t>(i));
              return true;
            }) ||
            any;
    }
    for (std::size_t i = best_.servers.size(); i-- > 0;)
      any = with([i](Script& script) { return cut_server(script, i); }) || any;
    for (std::size_t i = 0; i < best_.servers.size(); ++i) {
      for (std::size_t side = best_.servers[i].sides.size(); side-- > 0;) {
        any = with([i, side](Script& script) {
                auto& sides = script.servers[i].sides;
                if (sides.size() == 1) return false;
                sides.erase(sides.begin() + static_cast<std::ptrdiff_t>(side));
                return true;
              }) ||
              any;
      }
    }
    return any;
  }

  static bool cut_server(Script& script, std::size_t number) {
    if (script.servers.size() == 1) return false;
    for (ClientScript& client : script.clients) {
      if (client.server == number) return false;
      if (client.server > number) --client.server;
    }
    script.servers.erase(script.servers.begin() + static_cast<std::ptrdiff_t>(number));
    return true;
  }

  static std::vector<Side*> sides_of(Script& script) {
    std::vector<Side*> sides;
    for (ServerScript& server : script.servers) {
      for (Side& side : server.sides) sides.push_back(&side);
    }
    for (ClientScript& client : script.clients) sides.push_back(&client.side);
    return sides;
  }

  bool cut_steps() {
    bool any = false;
    const std::size_t sides = sides_of(best_).size();
    for (std::size_t i = 0; i < sides; ++i) {
      for (std::size_t step = sides_of(best_)[i]->steps.size(); step-- > 0;) {
        any = with([i, step](Script& script) {
                auto& steps = sides_of(script)[i]->steps;
                steps.erase(steps.begin() + static_cast<std::ptrdiff_t>(step));
                return true;
              }) ||
              any;
      }
    }
    return any;
  }

  /// Sets a field to what is plainest, if that is something else.
  template <class Field, class Value>
  static bool plain(Field& field, Value value) {
    return std::exchange(field, static_cast<Field>(value)) != static_cast<Field>(value);
  }

  bool make_plain() {
    bool any = false;
    for (std::size_t i = 0; i < best_.servers.size(); ++i) {
      const auto change = [&](auto field) {
        any = with([&](Script& script) { return field(script.servers[i]); }) || any;
      };
      change([](ServerScript& its) { return plain(its.close_after, Duration{}); });
      change([](ServerScript& its) { return plain(its.cancel_after, Duration{}); });
      change([](ServerScript& its) { return plain(its.own_tasks, false); });
      change([](ServerScript& its) { return plain(its.factory_fails, false); });
      change([](ServerScript& its) { return plain(its.is_unix, false); });
      change([](ServerScript& its) { return plain(its.backlog, 10); });
    }
    for (std::size_t i = 0; i < best_.clients.size(); ++i) {
      const auto change = [&](auto field) {
        any = with([&](Script& script) { return field(script.clients[i]); }) || any;
      };
      change([](ClientScript& its) { return plain(its.cancel_after, Duration{}); });
      change([](ClientScript& its) { return plain(its.start_after, Duration{}); });
      change([](ClientScript& its) { return plain(its.by_name, false); });
      change([](ClientScript& its) { return plain(its.happy_eyeballs, false); });
    }
    const std::size_t sides = sides_of(best_).size();
    for (std::size_t i = 0; i < sides; ++i) {
      any = with([i](Script& script) { return plain(sides_of(script)[i]->high, 0U); }) || any;
      for (std::size_t step = 0; step < sides_of(best_)[i]->steps.size(); ++step) {
        const auto change = [&](auto field) {
          any =
              with([&](Script& script) { return field(sides_of(script)[i]->steps[step]); }) || any;
        };
        change([](Step& its) { return its.what != Do::sleep && plain(its.time, Duration{}); });
        change([](Step& its) { return its.amount > 10 && plain(its.amount, 10); });
        change([](Step& its) { return its.amount > 1 && plain(its.amount, its.amount / 2); });
      }
    }
    return any;
  }

  Script best_;
  const Fails& fails_;
  int runs_left_;
};

}  // namespace

Script shrink(Script script, const Fails& fails, int most_runs) {
  return Shrinker(std::move(script), fails, most_runs).shrink();
}

}  // namespace weir::sim

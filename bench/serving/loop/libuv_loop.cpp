// SPDX-License-Identifier: MIT
//
// What libuv's loop takes for one operation. Its clock has milliseconds.
#include <uv.h>

#include <bench/serving/loop/cells.hpp>
#include <cstdint>
#include <thread>
#include <vector>

namespace {

using weir::bench::ns_for_each;
using weir::bench::operations;

void nothing(uv_timer_t*) {}

/// A loop of its own, torn down with all that is in it.
struct Loop {
  Loop() { uv_loop_init(&loop); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop() {
    uv_walk(
        &loop,
        [](uv_handle_t* handle, void*) {
          if (uv_is_closing(handle) == 0) uv_close(handle, nullptr);
        },
        nullptr);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
  }
  uv_loop_t loop;
};

/// libuv's only "run this in the next iteration" that wakes a loop: an async handle.
double call_soon(std::size_t) {
  Loop owner;
  std::uint64_t left = operations;
  uv_async_t async;
  uv_async_init(&owner.loop, &async, [](uv_async_t* handle) {
    auto& remaining = *static_cast<std::uint64_t*>(handle->data);
    if (--remaining == 0) return uv_stop(handle->loop);
    uv_async_send(handle);
  });
  async.data = &left;
  uv_async_send(&async);
  return ns_for_each(operations, [&] { uv_run(&owner.loop, UV_RUN_DEFAULT); });
}

std::vector<std::uint64_t> in_ms(const std::vector<std::chrono::nanoseconds>& delays) {
  std::vector<std::uint64_t> found;
  for (const auto delay : delays)
    found.push_back(static_cast<std::uint64_t>(delay / std::chrono::milliseconds(1)));
  return found;
}

double timer_cancel(std::size_t armed) {
  std::vector<uv_timer_t> timers(armed + 1);
  Loop owner;
  const auto delays = in_ms(weir::bench::far_delays(armed + operations));
  for (auto& timer : timers) uv_timer_init(&owner.loop, &timer);
  for (std::size_t i = 0; i < armed; ++i) uv_timer_start(&timers[i], nothing, delays[i], 0);
  uv_timer_t& timer = timers.back();
  return ns_for_each(operations, [&] {
    for (std::size_t i = armed; i < delays.size(); ++i) {
      uv_timer_start(&timer, nothing, delays[i], 0);
      uv_timer_stop(&timer);
    }
  });
}

double timer_rearm(std::size_t armed) {
  std::vector<uv_timer_t> timers(armed);
  Loop owner;
  const auto delays = in_ms(weir::bench::far_delays(armed + operations));
  for (auto& timer : timers) uv_timer_init(&owner.loop, &timer);
  for (std::size_t i = 0; i < armed; ++i) uv_timer_start(&timers[i], nothing, delays[i], 0);
  return ns_for_each(operations, [&] {
    for (std::size_t i = armed; i < delays.size(); ++i)
      uv_timer_start(&timers[i % armed], nothing, delays[i], 0);
  });
}

double timer_fire(std::size_t armed) {
  std::vector<uv_timer_t> timers(armed);
  Loop owner;
  const auto delays = in_ms(weir::bench::near_delays(armed));
  for (auto& timer : timers) uv_timer_init(&owner.loop, &timer);
  return ns_for_each(armed, [&] {
    for (std::size_t i = 0; i < armed; ++i) uv_timer_start(&timers[i], nothing, delays[i], 0);
    uv_run(&owner.loop, UV_RUN_DEFAULT);
  });
}

struct Player {
  Loop owner;
  uv_async_t async;
  Player* other = nullptr;
  std::uint64_t left = 0;
  static void hit(uv_async_t* handle) {
    auto& self = *static_cast<Player*>(handle->data);
    if (self.left-- == 0) uv_stop(handle->loop);
    uv_async_send(&self.other->async);
  }
};

double wake(std::size_t) {
  constexpr std::uint64_t turns = 5000;
  Player here;
  Player there;
  here.other = &there;
  there.other = &here;
  here.left = there.left = turns;
  for (Player* player : {&here, &there}) {
    uv_async_init(&player->owner.loop, &player->async, Player::hit);
    player->async.data = player;
  }
  return weir::bench::wall_ns_for_each(2 * turns, [&] {
    uv_async_send(&here.async);
    std::thread thread([&] { uv_run(&there.owner.loop, UV_RUN_DEFAULT); });
    uv_run(&here.owner.loop, UV_RUN_DEFAULT);
    thread.join();
  });
}

}  // namespace

int main(int argc, char** argv) {
  return weir::bench::run_cell({{"call_soon", call_soon},
                                {"timer_cancel", timer_cancel},
                                {"timer_later_cancel", timer_cancel},  // It caches its clock.
                                {"timer_rearm", timer_rearm},
                                {"timer_fire", timer_fire},
                                {"wake", wake}},
                               argc, argv);
}

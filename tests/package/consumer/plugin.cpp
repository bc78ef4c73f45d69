// SPDX-License-Identifier: MIT
// A plug-in: loaded by dlopen() into a program that has never heard of weir.
#include <chrono>

#include <weir/reactor/task/runner.hpp>
#include <weir/reactor/task/sleep.hpp>

namespace {

weir::Coro<int> think() {
  co_await weir::sleep(std::chrono::milliseconds(1));
  co_return 42;
}

}  // namespace

extern "C" int answer() { return weir::run(think()); }

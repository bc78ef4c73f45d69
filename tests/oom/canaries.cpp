// SPDX-License-Identifier: MIT
#include <tests/oom/canaries.hpp>

#include <chrono>
#include <new>
#include <string>

#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/no_alloc.hpp>
#include <weir/reactor/task/sleep.hpp>

namespace weir::test {
namespace {

using namespace std::chrono_literals;
using faults::Scenario;
using faults::Stage;

/// One allocation. operator new is called as a function: a new expression whose object nobody needs
/// may be left out by the compiler.
class Memory {
 public:
  Memory() : block_(::operator new(1)) {}
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { ::operator delete(block_); }

 private:
  void* block_;
};

Coro<> allocates_where_it_must_not(Stage stage) {
  co_await sleep(1ms);
  {
    const detail::NoAllocScope closing;
    const Memory memory;
    stage.oracle.result("closed");
  }
}

Coro<> tells_nobody(Stage stage) {
  co_await sleep(1ms);
  try {
    const Memory memory;
    stage.oracle.result("done");
  } catch (const std::bad_alloc&) {
  }
}

Coro<> terminates(Stage stage) {
  co_await sleep(1ms);
  const auto ends = []() noexcept { const Memory memory; };
  ends();
  stage.oracle.result("ended");
}

Coro<> leaks(Stage stage) {
  co_await sleep(1ms);
  auto* const first = new std::string(100, 'x');
  auto* const second = new std::string(100, 'y');  // Refused, it leaves the first one behind.
  delete first;
  delete second;
  stage.oracle.result("freed");
}

Coro<> leaves_a_descriptor(Stage stage) {
  int fds[2];
  if (stage.kernel.socketpair(1, 1, fds) != 0) co_return;
  co_await sleep(1ms);
  const Memory memory;
  for (const int fd : fds) stage.kernel.close(fd);
  stage.oracle.result("closed");
}

Coro<> waits_for_ever(Stage stage) {
  co_await sleep(1ms);
  bool done = false;
  while (!done) {  // Of real time: nothing else has its turn.
    try {
      const Memory memory;
      done = true;
    } catch (const std::bad_alloc&) {
    }
  }
  stage.oracle.result("done");
}

constexpr Scenario list[] = {
    {"canary_allocates_where_it_must_not", allocates_where_it_must_not},
    {"canary_tells_nobody", tells_nobody},
    {"canary_terminates", terminates},
    {"canary_leaks", leaks},
    {"canary_leaves_a_descriptor", leaves_a_descriptor},
    {"canary_waits_for_ever", waits_for_ever},
};

}  // namespace

std::span<const Scenario> memory_canaries() { return list; }

}  // namespace weir::test

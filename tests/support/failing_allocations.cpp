// SPDX-License-Identifier: MIT
#include <tests/support/failing_allocations.hpp>

#include <execinfo.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <utility>

#include <weir/reactor/no_alloc.hpp>

#include <tests/support/allocations.hpp>

namespace {

using weir::test::Failure;

struct Rules {
  std::uint64_t seen = 0;
  std::uint64_t nth = 0;
  Failure how = Failure::once;
  bool armed = false;
  bool failed = false;
  int spared = 0;       // Depth of SpareAllocations.
  int no_alloc = 0;     // Depth of the library's scopes; a scope that may allocate sets it to 0,
  int suspended[64]{};  // and puts back what it was.
  int suspensions = 0;
  std::uint64_t denied = 0;
};
constinit thread_local Rules rules;
std::atomic<bool> tracing = false;
std::atomic<bool (*)() noexcept> spared_by = nullptr;

void trace(const char* what, std::size_t length) {
  if (!tracing.load(std::memory_order_relaxed)) return;
  std::array<void*, 40> frames;
  static_cast<void>(::write(STDERR_FILENO, what, length));
  backtrace_symbols_fd(frames.data(), backtrace(frames.data(), frames.size()), STDERR_FILENO);
}

bool is_spared() noexcept {
  const auto spares = spared_by.load(std::memory_order_relaxed);
  return rules.spared != 0 || (spares != nullptr && spares());
}

bool may_allocate() noexcept {
  if (!rules.armed || is_spared()) return true;
  ++rules.seen;
  if (rules.no_alloc != 0) {
    ++rules.denied;
    trace("denied:\n", 8);
  }
  const bool fails = rules.nth != 0 && (rules.how == Failure::once ? rules.seen == rules.nth
                                                                   : rules.seen >= rules.nth);
  if (fails) {
    if (!rules.failed) trace("failed:\n", 8);
    rules.failed = true;
  }
  return !fails;
}

}  // namespace

// In place of the library's own.
namespace weir::detail {

void enter_no_alloc() noexcept { ++rules.no_alloc; }
void leave_no_alloc() noexcept { --rules.no_alloc; }
void enter_may_alloc() noexcept {
  rules.suspended[rules.suspensions++] = std::exchange(rules.no_alloc, 0);
}
void leave_may_alloc() noexcept { rules.no_alloc = rules.suspended[--rules.suspensions]; }

}  // namespace weir::detail

namespace weir::test {

FailingAllocations::FailingAllocations(std::uint64_t nth, Failure how) noexcept {
  rules.seen = 0;
  rules.nth = nth;
  rules.how = how;
  rules.failed = false;
  rules.armed = true;
  set_allocation_gate(may_allocate);
}

FailingAllocations::~FailingAllocations() {
  rules.armed = false;
  set_allocation_gate(nullptr);
}

std::uint64_t FailingAllocations::seen() noexcept { return rules.seen; }
bool FailingAllocations::failed() noexcept { return rules.failed; }

SpareAllocations::SpareAllocations() noexcept { ++rules.spared; }
SpareAllocations::~SpareAllocations() { --rules.spared; }

UnspareAllocations::UnspareAllocations() noexcept : before_(std::exchange(rules.spared, 0)) {}
UnspareAllocations::~UnspareAllocations() { rules.spared = before_; }

void set_spared_by(bool (*spares)() noexcept) noexcept { spared_by.store(spares); }

std::uint64_t take_denied_allocations() noexcept { return std::exchange(rules.denied, 0); }

void trace_failures(bool enabled) noexcept { tracing.store(enabled); }

}  // namespace weir::test

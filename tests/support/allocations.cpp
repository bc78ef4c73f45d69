// SPDX-License-Identifier: MIT
#include <tests/support/allocations.hpp>

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include <weir/reactor/pool.hpp>

namespace {

std::atomic<std::uint64_t> calls = 0;
std::atomic<std::size_t> live_bytes = 0;
std::atomic<weir::test::AllocationGate> gate = nullptr;
void* counted(void* block) noexcept {
  if (block == nullptr) return nullptr;
  calls.fetch_add(1, std::memory_order_relaxed);
  live_bytes.fetch_add(malloc_usable_size(block), std::memory_order_relaxed);
  return block;
}

bool refused() noexcept {
  const weir::test::AllocationGate asked = gate.load(std::memory_order_relaxed);
  return asked != nullptr && !asked();
}

void* allocate(std::size_t bytes) noexcept {
  return refused() ? nullptr : counted(std::malloc(bytes == 0 ? 1 : bytes));
}
void* allocate(std::size_t bytes, std::align_val_t alignment) noexcept {
  if (refused()) return nullptr;
  const auto boundary = static_cast<std::size_t>(alignment);
  const std::size_t blocks = bytes == 0 ? 1 : (bytes + boundary - 1) / boundary;
  return counted(std::aligned_alloc(boundary, blocks * boundary));
}

void* or_throw(void* block) {
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

void give_back(void* block) noexcept {
  if (block == nullptr) return;
  live_bytes.fetch_sub(malloc_usable_size(block), std::memory_order_relaxed);
  std::free(block);
}

using Align = std::align_val_t;
using Nothrow = std::nothrow_t;

}  // namespace

// Every form: the sanitizers bring their own for those that are left out, and then complain that
// new and delete are not of one kind.
void* operator new(std::size_t bytes) { return or_throw(allocate(bytes)); }
void* operator new[](std::size_t bytes) { return or_throw(allocate(bytes)); }
void* operator new(std::size_t bytes, const Nothrow&) noexcept { return allocate(bytes); }
void* operator new[](std::size_t bytes, const Nothrow&) noexcept { return allocate(bytes); }
void* operator new(std::size_t bytes, Align align) { return or_throw(allocate(bytes, align)); }
void* operator new[](std::size_t bytes, Align align) { return or_throw(allocate(bytes, align)); }
void* operator new(std::size_t bytes, Align align, const Nothrow&) noexcept {
  return allocate(bytes, align);
}
void* operator new[](std::size_t bytes, Align align, const Nothrow&) noexcept {
  return allocate(bytes, align);
}

void operator delete(void* block) noexcept { give_back(block); }
void operator delete[](void* block) noexcept { give_back(block); }
void operator delete(void* block, std::size_t) noexcept { give_back(block); }
void operator delete[](void* block, std::size_t) noexcept { give_back(block); }
void operator delete(void* block, const Nothrow&) noexcept { give_back(block); }
void operator delete[](void* block, const Nothrow&) noexcept { give_back(block); }
void operator delete(void* block, Align) noexcept { give_back(block); }
void operator delete[](void* block, Align) noexcept { give_back(block); }
void operator delete(void* block, std::size_t, Align) noexcept { give_back(block); }
void operator delete[](void* block, std::size_t, Align) noexcept { give_back(block); }
void operator delete(void* block, Align, const Nothrow&) noexcept { give_back(block); }
void operator delete[](void* block, Align, const Nothrow&) noexcept { give_back(block); }

namespace weir::test {

std::uint64_t allocations() noexcept { return calls.load(std::memory_order_relaxed); }
std::size_t allocated_bytes() noexcept { return live_bytes.load(std::memory_order_relaxed); }

void set_allocation_gate(AllocationGate its_gate) noexcept { gate.store(its_gate); }

bool pools_are_on() {
  constexpr std::size_t bytes = 64;
  detail::pool_free(detail::pool_allocate(bytes), bytes);
  const std::uint64_t before = allocations();
  detail::pool_free(detail::pool_allocate(bytes), bytes);
  return allocations() == before;
}

}  // namespace weir::test

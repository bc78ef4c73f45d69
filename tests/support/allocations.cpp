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

void* counted(void* block) {
  if (block == nullptr) throw std::bad_alloc();
  calls.fetch_add(1, std::memory_order_relaxed);
  live_bytes.fetch_add(malloc_usable_size(block), std::memory_order_relaxed);
  return block;
}

void give_back(void* block) noexcept {
  if (block == nullptr) return;
  live_bytes.fetch_sub(malloc_usable_size(block), std::memory_order_relaxed);
  std::free(block);
}

std::size_t at_least_one(std::size_t bytes) { return bytes == 0 ? 1 : bytes; }

}  // namespace

// The array and nothrow forms call these. Those with alignment come in pairs of their own.
void* operator new(std::size_t bytes) { return counted(std::malloc(at_least_one(bytes))); }
void operator delete(void* block) noexcept { give_back(block); }
void operator delete(void* block, std::size_t) noexcept { give_back(block); }

void* operator new(std::size_t bytes, std::align_val_t alignment) {
  const auto boundary = static_cast<std::size_t>(alignment);
  const std::size_t rounded = (at_least_one(bytes) + boundary - 1) / boundary * boundary;
  return counted(std::aligned_alloc(boundary, rounded));
}
void operator delete(void* block, std::align_val_t) noexcept { give_back(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { give_back(block); }

namespace weir::test {

std::uint64_t allocations() noexcept { return calls.load(std::memory_order_relaxed); }
std::size_t allocated_bytes() noexcept { return live_bytes.load(std::memory_order_relaxed); }

bool pools_are_on() {
  constexpr std::size_t bytes = 64;
  detail::pool_free(detail::pool_allocate(bytes), bytes);
  const std::uint64_t before = allocations();
  detail::pool_free(detail::pool_allocate(bytes), bytes);
  return allocations() == before;
}

}  // namespace weir::test

// SPDX-License-Identifier: MIT
//
// memcpy, memmove and operator new of this whole program count what they do: a definition in the
// program serves the libraries, too. Copies of a few bytes are not counted: of some of them one
// compiler makes a call, and another does not.
#include <bench/readuntil/gate/meter.hpp>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace {

struct Counts {
  std::uint64_t copied = 0;
  std::uint64_t allocations = 0;
  std::uint64_t suspensions = 0;
  std::uint64_t received = 0;
  std::uint64_t scanned = 0;
};

Counts counts;
bool counting = false;

constexpr std::size_t least_copy = 8;

void count(std::uint64_t Counts::* what, std::uint64_t more) noexcept {
  if (counting) counts.*what += more;
}

// volatile, lest the compiler make a call of memcpy of it.
void copy_up(volatile char* to, const volatile char* from, std::size_t bytes) noexcept {
  for (std::size_t i = 0; i < bytes; ++i) to[i] = from[i];
}
void copy_down(volatile char* to, const volatile char* from, std::size_t bytes) noexcept {
  for (std::size_t i = bytes; i > 0; --i) to[i - 1] = from[i - 1];
}

}  // namespace

extern "C" void* memcpy(void* to, const void* from, std::size_t bytes) noexcept {
  if (bytes >= least_copy) count(&Counts::copied, bytes);
  copy_up(static_cast<char*>(to), static_cast<const char*>(from), bytes);
  return to;
}
extern "C" void* memmove(void* to, const void* from, std::size_t bytes) noexcept {
  if (bytes >= least_copy) count(&Counts::copied, bytes);
  const auto copy = to <= from ? copy_up : copy_down;
  copy(static_cast<char*>(to), static_cast<const char*>(from), bytes);
  return to;
}

void* operator new(std::size_t bytes) {
  count(&Counts::allocations, 1);
  void* const block = std::malloc(bytes == 0 ? 1 : bytes);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }

namespace weir::bench {

void meter_begin() {
  counts = {};
  counting = true;
}
void meter_pause() noexcept { counting = false; }
void meter_resume() noexcept { counting = true; }
void meter_end(const std::string& name) {
  counting = false;
  std::printf("%s\t%llu\t%llu\t%llu\t%llu\n", name.c_str(),
              static_cast<unsigned long long>(counts.scanned),
              static_cast<unsigned long long>(counts.copied - counts.received),
              static_cast<unsigned long long>(counts.allocations),
              static_cast<unsigned long long>(counts.suspensions));
  std::fflush(stdout);  // What comes next may take too long.
}

bool meter_is_slow() noexcept { return false; }
void meter_suspension() noexcept { count(&Counts::suspensions, 1); }
void meter_received(std::uint64_t bytes) noexcept { counts.received += bytes; }
void meter_scanned(std::uint64_t bytes) noexcept { counts.scanned += bytes; }

}  // namespace weir::bench

// Internal: used by the tests of the searches.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <new>
#include <string_view>

namespace weir::testing {

/// Two pages of memory between two pages that nobody may touch: whoever reads one byte too early,
/// or too late, gets SIGSEGV.
class GuardedBytes {
 public:
  GuardedBytes() : page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))) {
    void* const memory = ::mmap(nullptr, 4 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    mapping_ = static_cast<char*>(memory);
    if (::mprotect(begin(), size(), PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;
  ~GuardedBytes() { ::munmap(mapping_, 4 * page_); }

  char* begin() const noexcept { return mapping_ + page_; }
  std::size_t size() const noexcept { return 2 * page_; }

  /// A copy of `bytes`, with nothing readable before it.
  std::string_view at_begin(std::string_view bytes) const noexcept { return copy(bytes, begin()); }
  /// A copy of `bytes`, with nothing readable behind it.
  std::string_view at_end(std::string_view bytes) const noexcept {
    return copy(bytes, begin() + size() - bytes.size());
  }

 private:
  static std::string_view copy(std::string_view bytes, char* to) noexcept {
    if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
    return {to, bytes.size()};
  }

  std::size_t page_;
  char* mapping_;
};

}  // namespace weir::testing

// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <utility>

#include <weir/reactor/export.hpp>
#include <weir/reactor/kernel.hpp>

namespace WEIR_API weir {

/// Owns one descriptor, and closes it once.
///
/// Shape     Movable. Empty when default-constructed, moved from, released or reset.
/// Errors    None: the number is free again whatever close() says, so nobody is told.
/// Lifetime  The kernel must outlive it.
class UniqueFd {
 public:
  UniqueFd() = default;
  UniqueFd(Kernel& kernel, int fd) noexcept : kernel_(&kernel), fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : kernel_(other.kernel_), fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      reset();
      kernel_ = other.kernel_;
      fd_ = other.release();
    }
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  explicit operator bool() const noexcept { return fd_ >= 0; }
  int get() const noexcept { return fd_; }
  /// Not on one that was default-constructed.
  Kernel& kernel() const noexcept { return *kernel_; }
  /// From now on it is used through that kernel, another one's view of the same descriptors.
  void set_kernel(Kernel& kernel) noexcept { kernel_ = &kernel; }
  /// Hands the descriptor to the caller, who closes it from now on.
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset() noexcept {
    if (fd_ >= 0) kernel_->close(release());
  }

 private:
  Kernel* kernel_ = nullptr;
  int fd_ = -1;
};

}  // namespace weir

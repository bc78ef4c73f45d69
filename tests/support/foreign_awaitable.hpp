// Internal: used by the tests of tasks and of reads.
// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>

namespace weir::test {

/// An awaitable that is none of weir's: nobody will resume what it suspends.
struct ForeignAwaitable {
  ForeignAwaitable() noexcept {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  void await_resume() const noexcept {}
};

}  // namespace weir::test

// Internal: used by call_soon_threadsafe(), run_in_executor.hpp and run_coroutine_threadsafe.hpp.
// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <source_location>
#include <utility>

#include <weir/reactor/callback.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/handle.hpp>
#include <weir/reactor/mailbox.hpp>

namespace WEIR_API weir {
namespace detail {

/// A callback for a loop, from any thread: written while memory may be refused, sent when it must
/// not be.
///
/// Errors    std::bad_alloc, when it is made. Sending needs no memory.
/// Threads   Any; one at a time.
/// Lifetime  Not sent, or refused, it destroys the callback on the thread that it dies on.
class Letter {
 public:
  Letter(EventLoop& loop, Callback callback,
         const std::source_location& where = std::source_location::current())
      : mailbox_(loop.mailbox()),
        node_(HandleNode::make(loop, once_handle, std::move(callback), where)) {}
  Letter(Letter&&) noexcept = default;
  Letter& operator=(Letter&&) = delete;
  ~Letter() = default;

  bool is_unsent() const noexcept { return static_cast<bool>(node_); }
  /// Runs the callback on the loop's thread; once. False when the loop is closed.
  bool send() noexcept {
    // The mailbox's from now on: the count is not atomic, and the loop may be at it already.
    HandleNode* const node = node_.detach();
    if (mailbox_->post(*node)) return true;
    node->release();
    return false;
  }

 private:
  std::shared_ptr<Mailbox> mailbox_;
  Ref<HandleNode> node_;
};

}  // namespace detail
}  // namespace weir

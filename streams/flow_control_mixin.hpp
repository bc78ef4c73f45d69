// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <string_view>

#include <weir/net/protocol.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/wait_list.hpp>

namespace WEIR_API weir {

/// The part of a stream protocol that drain() and wait_closed() wait on.
///
/// Errors    pause_writing: AssertionError if paused already; resume_writing: if not.
/// Threads   The loop's thread.
/// Source    CPython 3.13 streams.py FlowControlMixin. Any number of tasks may wait at once, first
///           in, first out; every one has its own wait, so cancelling one does not poison the
///           others.
class FlowControlMixin : public Protocol {
 public:
  /// In debug mode pauses are logged to `loop`, at level debug; to nobody if there is none.
  explicit FlowControlMixin(EventLoop* loop = nullptr);

  void pause_writing() override;
  void resume_writing() override;
  /// Releases every drain() with success after a clean end, with `error` otherwise.
  void connection_lost(const std::exception_ptr& error) override;

  /// Neither paused nor lost.
  bool flows() const noexcept { return !paused_ && !lost_; }
  bool writing_paused() const noexcept { return paused_; }
  bool is_lost() const noexcept { return lost_; }
  /// What connection_lost was given.
  const std::exception_ptr& lost_error() const noexcept { return lost_error_; }

  // ---- For StreamWriter
  detail::WaitList& drain_waiters() noexcept { return drain_waiters_; }
  detail::WaitList& closed_waiters() noexcept { return closed_waiters_; }

 private:
  void log(std::string_view what) const;

  detail::Ref<detail::LoopToken> loop_token_;  // Null, or says whether the loop is still there.
  detail::WaitList drain_waiters_;
  detail::WaitList closed_waiters_;
  std::exception_ptr lost_error_;
  bool paused_ = false;
  bool lost_ = false;
};

}  // namespace weir

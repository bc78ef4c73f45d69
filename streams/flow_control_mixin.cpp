// SPDX-License-Identifier: MIT
#include <weir/streams/flow_control_mixin.hpp>

#include <string>

#include <weir/reactor/error.hpp>

namespace weir {

FlowControlMixin::FlowControlMixin(EventLoop* loop) {
  if (loop != nullptr) loop_token_ = loop->token();
}

void FlowControlMixin::pause_writing() {
  detail::require(!paused_, "pause_writing() called while writing is paused");
  paused_ = true;
  log(" pauses writing");
}

void FlowControlMixin::resume_writing() {
  detail::require(paused_, "resume_writing() called while writing is not paused");
  paused_ = false;
  log(" resumes writing");
  detail::wake_all(drain_waiters_);
}

void FlowControlMixin::connection_lost(const std::exception_ptr& error) {
  lost_ = true;
  lost_error_ = error;
  detail::wake_all(closed_waiters_, error);
  detail::wake_all(drain_waiters_, error);
}

void FlowControlMixin::log(std::string_view what) const {
  EventLoop* loop = loop_token_ ? loop_token_->loop : nullptr;
  if (loop == nullptr || !loop->get_debug()) return;
  loop->log(LogLevel::debug, repr() + std::string(what));
}

}  // namespace weir

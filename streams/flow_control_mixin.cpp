// SPDX-License-Identifier: MIT
#include <weir/streams/flow_control_mixin.hpp>

#include <weir/reactor/error.hpp>

namespace weir {

void FlowControlMixin::pause_writing() {
  detail::require(!paused_, "pause_writing() called while writing is paused");
  paused_ = true;
}

void FlowControlMixin::resume_writing() {
  detail::require(paused_, "resume_writing() called while writing is not paused");
  paused_ = false;
  detail::wake_all(drain_waiters_);
}

void FlowControlMixin::connection_lost(const std::exception_ptr& error) {
  lost_ = true;
  lost_error_ = error;
  detail::wake_all(closed_waiters_, error);
  detail::wake_all(drain_waiters_, error);
}

}  // namespace weir

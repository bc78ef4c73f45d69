// SPDX-License-Identifier: MIT
#include <weir/reactor/task/gather.hpp>

#include <utility>

namespace weir::detail {

void Gathering::add(FutureBase& child) {
  if (child.token != outer_.token) {
    throw ValueError(
        "The future belongs to a different loop than the one specified as the loop argument");
  }
  children_.emplace_back(child, this, [](void* owner, DoneListener& listener) {
    static_cast<Gathering*>(owner)->hear(listener.heard_of());
  });
}

void Gathering::begin() {
  if (children_.empty()) {
    collect_(*this);
    return outer_.settle(FutureBase::Status::finished);
  }
  std::vector<FutureBase*> done;  // Before the others: it may be all of them.
  for (DoneListener& child : children_) {
    if (child.heard_of().done()) {
      done.push_back(&child.heard_of());
    } else {
      child.listen();
    }
  }
  for (FutureBase* child : done) hear(*child);
}

bool Gathering::cancel_children(const std::string& message) {
  if (outer_.done()) return false;
  bool cancelled_one = false;
  for (const DoneListener& child : children_) {
    cancelled_one = child.heard_of().cancel(message) || cancelled_one;
  }
  // Kept apart: a child may swallow it, and the gather ends cancelled all the same.
  if (cancelled_one) cancel_requested_ = true;
  return cancelled_one;
}

void Gathering::hear(FutureBase& child) {
  ++finished_;
  if (outer_.done()) return child.silence();
  if (!keeps_exceptions_) {
    if (std::exception_ptr failure = failure_of(child)) return fail(std::move(failure));
  }
  if (finished_ == children_.size()) finish(child);
}

void Gathering::finish(const FutureBase& last) {
  if (cancel_requested_) {
    return fail(make_cancelled(last.texts.cancel_message()));
  }
  try {
    collect_(*this);
  } catch (...) {
    return fail(std::current_exception());
  }
  outer_.settle(FutureBase::Status::finished);
}

void Gathering::fail(std::exception_ptr error) {
  // Whoever awaits this lets go of it now, and with it of those that are still running.
  for (const DoneListener& child : children_) child.heard_of().silence();
  outer_.settle_exception(std::move(error));
}

std::exception_ptr failure_of(FutureBase& done) noexcept {
  if (done.status == FutureBase::Status::cancelled) {
    return make_cancelled(done.texts.cancel_message());
  }
  done.exception_unseen = false;
  return done.error;
}

}  // namespace weir::detail

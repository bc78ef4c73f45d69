// SPDX-License-Identifier: MIT
#include <weir/reactor/task/done_listener.hpp>

namespace weir::detail {

const RunnableKind DoneListener::listener_kind = {
    [](Runnable& runnable) {
      auto& self = static_cast<DoneListener&>(static_cast<FutureWaiter&>(runnable));
      self.heard_(self.owner_, self);
    },
    [](const Runnable& runnable) {
      const auto& self =
          static_cast<const DoneListener&>(static_cast<const FutureWaiter&>(runnable));
      return "<one who waits for " + self.future->describe() + ">";
    },
};

DoneListener::DoneListener(FutureBase& its_future, void* owner, Heard heard) noexcept
    : FutureWaiter(listener_kind), owner_(owner), heard_(heard) {
  future = Ref<FutureBase>(&its_future);
}

DoneListener::~DoneListener() {
  if (position != 0) future->token->loop->ready().remove(*this);
}

}  // namespace weir::detail

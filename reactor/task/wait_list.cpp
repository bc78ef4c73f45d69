// SPDX-License-Identifier: MIT
#include <weir/reactor/task/wait_list.hpp>

#include <weir/reactor/error.hpp>

namespace weir::detail {

const RunnableKind ListWait::wake_kind = {
    [](Runnable& runnable) { static_cast<ListWait&>(runnable).task->step(); },
    describe_wait,
    nullptr,
    note_wait,
};

const Parked::Kind ListWait::parked_kind = {
    [](Parked& parked, const std::string&) {
      auto& wait = static_cast<ListWait&>(parked);
      if (wait.cancelled) return false;
      wait.cancelled = true;
      if (wait.position == 0)
        wait.wake(nullptr);  // Else it is woken already, and hears of it then.
      return true;
    },
    [](Parked& parked) noexcept {
      auto& wait = static_cast<ListWait&>(parked);
      wait.unlink();
      if (wait.position != 0) wait.loop().ready().remove(wait);
    },
    nullptr,
    [](const Parked& parked) {
      const auto& wait = static_cast<const ListWait&>(parked);
      return std::string(wait.position != 0 ? "its turn" : wait.what);
    },
};

std::string ListWait::describe_wait(const Runnable& runnable) {
  return static_cast<const ListWait&>(runnable).task->describe_task();
}

void ListWait::note_wait(Runnable& runnable, RunNote& note) {
  static_cast<ListWait&>(runnable).task->note_step(note);
}

void ListWait::check_cancelled() const {
  if (cancelled) throw_cancelled(task->cancel_text());
}

void ListWait::check() const {
  check_cancelled();
  if (error) std::rethrow_exception(error);
}

}  // namespace weir::detail

// SPDX-License-Identifier: MIT
#include <weir/reactor/signals.hpp>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include <weir/reactor/error.hpp>

namespace weir::detail {
namespace {

// A signal handler takes no argument, so what it needs is static: whose signal it is, whether it
// came, and how many handlers are at work, so that an owner can wait for them before it goes away.
// All lock-free: async-signal-safe.
struct Slot {
  std::atomic<Signals*> owner = nullptr;
  std::atomic<bool> came = false;
};
constexpr int signal_count = NSIG;
std::array<Slot, signal_count> slots;
std::atomic<int> handlers_at_work = 0;
static_assert(std::atomic<Signals*>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

Slot& slot_of(int number) { return slots[static_cast<std::size_t>(number)]; }

void on_signal(int number) {
  const int saved_errno = errno;
  // Sequentially consistent: either let_go() sees that we are at work, or we see that the owner is
  // gone.
  handlers_at_work.fetch_add(1);
  if (Signals* owner = slot_of(number).owner.load()) {
    slot_of(number).came.store(true);
    owner->arrived();
  }
  handlers_at_work.fetch_sub(1);
  errno = saved_errno;
}

void let_go(int number) noexcept {
  slot_of(number).owner.store(nullptr);
  while (handlers_at_work.load() != 0) {
  }
  slot_of(number).came.store(false);
}

/// The C library keeps some numbers for itself: its full set, as Python's valid_signals(), has not
/// got them.
void check_number(int number) {
  sigset_t valid;
  sigfillset(&valid);
  if (sigismember(&valid, number) == 1) return;
  throw ValueError("invalid signal number " + std::to_string(number));
}

}  // namespace

Signals::~Signals() { remove_all(); }

void Signals::remove_all() {
  while (!watched_.empty()) remove(watched_.begin()->first);
}

void Signals::add(int number, EventLoop& loop, Callback callback,
                  const std::source_location& where) {
  check_number(number);
  Ref<HandleNode> node = HandleNode::make(loop, watching_handle, std::move(callback), where);
  const auto [at, added] = watched_.try_emplace(number);
  if (!added) return replace(number, at->second, std::move(node));
  try {
    claim(number, at->second.before);
  } catch (...) {
    watched_.erase(at);
    throw;
  }
  at->second.node = std::move(node);
}

void Signals::claim(int number, struct sigaction& before) {
  Signals* nobody = nullptr;
  if (!slot_of(number).owner.compare_exchange_strong(nobody, this)) {
    throw RuntimeError("sig " + std::to_string(number) + " is handled by another loop");
  }
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  const int error = kernel_.signal_action(number, &action, &before);
  if (error == 0) return;
  let_go(number);
  if (error == EINVAL) throw RuntimeError("sig " + std::to_string(number) + " cannot be caught");
  throw_os_error(error);
}

/// A signal that has arrived, and was not served yet, is the successor's to serve.
void Signals::replace(int number, Watched& watched, Ref<HandleNode> successor) {
  // Destroyed last: the callable's destructor is the user's, and may come back here.
  const Ref<HandleNode> old = std::exchange(watched.node, std::move(successor));
  if (old->position != 0) {
    slot_of(number).came.store(true);
    pending_.store(true);
  }
  old->cancel();
}

bool Signals::remove(int number) {
  check_number(number);
  const auto found = watched_.find(number);
  if (found == watched_.end()) return false;
  // Cannot fail: it is what the kernel gave us.
  static_cast<void>(kernel_.signal_action(number, &found->second.before, nullptr));
  let_go(number);
  const Ref<HandleNode> node = std::move(found->second.node);
  watched_.erase(found);
  node->cancel();
  return true;
}

void Signals::queue_pending(ReadyQueue& ready) {
  pending_.store(false);
  for (const auto& [number, watched] : watched_) {
    const bool came = slot_of(number).came.exchange(false);
    if (came && watched.node->position == 0) ready.push(*watched.node);
  }
}

void Signals::arrived() noexcept {
  pending_.store(true);
  poller_.wake();
}

}  // namespace weir::detail

// SPDX-License-Identifier: MIT
#include <weir/reactor/signals.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include <weir/reactor/error.hpp>

namespace weir::detail {
namespace {

// A signal handler takes no argument, so what it needs is static: whose signal it is, whether it came, and how many
// handlers are at work, so that an owner can wait for them before it goes away. All lock-free: async-signal-safe.
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
  // Sequentially consistent: either let_go() sees that we are at work, or we see that the owner is gone.
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

}  // namespace

Signals::~Signals() { remove_all(); }

void Signals::remove_all() {
  while (!watched_.empty()) remove(watched_.begin()->first);
}

void Signals::add(int number, EventLoop& loop, Callback callback, const std::source_location& where) {
  if (number < 1 || number >= signal_count) {
    throw ValueError("invalid signal number " + std::to_string(number));
  }
  HandleNode* node = HandleNode::make(loop, watching_handle, std::move(callback), where);
  const auto drop_node = [node] { node->release(); };
  if (const auto known = watched_.find(number); known != watched_.end()) {
    std::exchange(known->second.node, node)->release();
    return;
  }
  Watched watched;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  Signals* nobody = nullptr;
  if (!slot_of(number).owner.compare_exchange_strong(nobody, this)) {
    drop_node();
    throw RuntimeError("sig " + std::to_string(number) + " is handled by another loop");
  }
  if (const int error = kernel_.signal_action(number, &action, &watched.before); error != 0) {
    let_go(number);
    drop_node();
    if (error == EINVAL) throw RuntimeError("sig " + std::to_string(number) + " cannot be caught");
    throw_os_error(error);
  }
  watched.node = node;
  watched_.emplace(number, std::move(watched));
}

bool Signals::remove(int number) {
  const auto found = watched_.find(number);
  if (found == watched_.end()) return false;
  static_cast<void>(kernel_.signal_action(number, &found->second.before, nullptr));  // It was valid when we read it.
  let_go(number);
  HandleNode* node = found->second.node;
  watched_.erase(found);
  node->cancel();
  node->release();
  return true;
}

void Signals::run_pending() {
  pending_.store(false);
  std::vector<int> arrived_numbers;
  for (const auto& [number, watched] : watched_) {
    if (slot_of(number).came.exchange(false)) arrived_numbers.push_back(number);
  }
  for (const int number : arrived_numbers) {
    const auto found = watched_.find(number);  // An earlier callback may have removed it.
    if (found != watched_.end()) found->second.node->run();
  }
}

void Signals::arrived() noexcept {
  pending_.store(true);
  poller_.wake();
}

}  // namespace weir::detail

// SPDX-License-Identifier: MIT
#include <weir/reactor/event_loop.hpp>

#include <string>

#include <weir/reactor/error.hpp>

// The loop's half of add_reader() and its like: who may watch a descriptor, and what becomes of the
// callback that was there. io_table.cpp has the other half.

namespace weir {

void EventLoop::watch(int fd, bool for_write, Callback callback,
                      const std::source_location& where) {
  check_closed();
  detail::check_callable(callback, for_write ? "add_writer()" : "add_reader()");
  if (fd < 0) throw ValueError("Invalid file descriptor: " + std::to_string(fd));
  check_unowned(fd);
  const detail::Ref<detail::HandleNode> node =
      detail::HandleNode::make(*this, detail::watching_handle, std::move(callback), where);
  detail::Runnable* const reader = io_.reader(fd);
  detail::Runnable* const writer = io_.writer(fd);
  const int error = for_write ? io_.open(fd, reader, node.get()) : io_.open(fd, node.get(), writer);
  if (error != 0) throw_os_error(error);
  node->add_ref();  // The table's.
  if (detail::Runnable* const replaced = for_write ? writer : reader) {
    detail::HandleNode& old = detail::HandleNode::of(*replaced);
    old.cancel();
    old.release();  // Last: the callable's destructor is the user's, and may come back here.
  }
}

bool EventLoop::unwatch(int fd, bool for_write) {
  detail::Runnable* found = for_write ? io_.writer(fd) : io_.reader(fd);
  if (found == nullptr || found->kind != &detail::watching_handle) return false;
  for_write ? io_.set_writer(fd, nullptr) : io_.set_reader(fd, nullptr);
  // Nobody left: a new generation, so that what the kernel has already reported is not delivered to
  // a successor.
  if (io_.reader(fd) == nullptr && io_.writer(fd) == nullptr) io_.forget(fd);
  detail::HandleNode& old = detail::HandleNode::of(*found);
  old.cancel();
  old.release();
  return true;
}

/// What is watched, but not by a user's callback, is a transport's, a listener's or a pending
/// connection's.
void EventLoop::check_unowned(int fd) const {
  std::string owner = io_.owner(fd);
  for (const detail::Runnable* its : {io_.reader(fd), io_.writer(fd)}) {
    const bool foreign = its != nullptr && its->kind != &detail::watching_handle;
    if (foreign && owner.empty()) owner = its->kind->describe(*its);
  }
  if (owner.empty()) return;
  throw RuntimeError("File descriptor " + std::to_string(fd) + " is used by transport " + owner);
}

void EventLoop::add_reader(int fd, Callback callback, std::source_location where) {
  watch(fd, false, std::move(callback), where);
}
void EventLoop::add_writer(int fd, Callback callback, std::source_location where) {
  watch(fd, true, std::move(callback), where);
}
bool EventLoop::remove_reader(int fd) {
  check_unowned(fd);
  return unwatch(fd, false);
}
bool EventLoop::remove_writer(int fd) {
  check_unowned(fd);
  return unwatch(fd, true);
}

}  // namespace weir

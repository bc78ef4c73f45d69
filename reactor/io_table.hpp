// Internal: used by the loop, transports and listeners.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <weir/reactor/export.hpp>
#include <weir/reactor/handle.hpp>
#include <weir/reactor/poller/poller.hpp>
#include <weir/reactor/ready_queue.hpp>

namespace WEIR_API weir {
namespace detail {

/// Who wants to hear about which descriptor. Changes are collected and handed to the poller once a
/// pass, so that a pause followed by a resume costs nothing.
///
/// A registration is the pair (fd, generation). forget() ends the generation: what the kernel still
/// reports of it is stale, and dropped. Nothing here is a pointer that an event could outlive.
class IoTable {
 public:
  explicit IoTable(Poller& poller) noexcept : poller_(poller) {}

  /// Takes `fd` into the table and tells the poller at once, so that a descriptor that cannot be
  /// watched is refused here (EPERM: a regular file). Either runnable may be null; both null
  /// registers nothing yet. The same interest again starts a new generation.
  ///
  /// Errors    Returns 0 or errno, nothing changed.
  int open(int fd, Runnable* reader, Runnable* writer);

  /// Replaces the runnable that hears of readability (null: nobody). The poller is told by the next
  /// flush().
  ///
  /// Errors    None, for a descriptor that open() or set_owner() has seen; no other is allowed.
  void set_reader(int fd, Runnable* reader) noexcept;
  void set_writer(int fd, Runnable* writer) noexcept;
  Runnable* reader(int fd) const noexcept {
    return known(fd) && entries_[index(fd)].reads ? entries_[index(fd)].reader : nullptr;
  }
  Runnable* writer(int fd) const noexcept {
    return known(fd) ? entries_[index(fd)].writer : nullptr;
  }

  /// Ends all interest, tells the poller now, and starts a new generation. Must come before the
  /// descriptor is closed.
  void forget(int fd) noexcept;

  /// False for an event of a registration that has been forgotten.
  bool current(const Ready& event) const noexcept {
    return known(event.fd) && entries_[index(event.fd)].generation == event.generation;
  }

  /// Hands the changes to the poller. Returns 0, or the errno of one that it refused, `*fd` says
  /// which: call again. Until retry_refused(), that descriptor is watched for nothing: what nobody
  /// wants any more would be reported for ever.
  int flush(int* fd);
  /// The next flush() tries again what was refused, and does not name what is refused again.
  void retry_refused() noexcept;
  bool any_refused() const noexcept { return refused_count_ != 0; }
  bool any_changed() const noexcept { return !changed_.empty(); }

  /// One more than the largest descriptor it has seen.
  int size() const noexcept { return static_cast<int>(entries_.size()); }

  /// Calls `visit` with all who own a descriptor, in the order of these. It may add and end owners.
  template <class F>
  void for_each_owner(F visit) const {
    for (int fd = 0; fd < size(); ++fd) {
      if (owned(fd)) visit(*entries_[index(fd)].reader);
    }
  }
  bool any_owner() const noexcept {
    bool any = false;
    for_each_owner([&any](const Runnable&) { any = true; });
    return any;
  }
  /// The transport that owns `fd`, described for an error text; empty if none does.
  std::string owner(int fd) const {
    if (!owned(fd)) return {};
    const Runnable& its = *entries_[index(fd)].reader;
    return its.kind->describe(its);
  }
  bool owned(int fd) const noexcept { return known(fd) && entries_[index(fd)].owned; }
  /// Until forget(): users may then not watch the descriptor themselves. The owner is its reader,
  /// too, whenever it has one.
  ///
  /// Errors    std::bad_alloc, nothing changed.
  void set_owner(int fd, Runnable* owner) {
    Entry& its = entry(fd);
    its.reader = owner;
    its.owned = true;
  }

 private:
  struct Entry {
    Runnable* reader = nullptr;  // Hears of nothing unless `reads`: then it is only the owner.
    Runnable* writer = nullptr;
    std::uint32_t generation = 1;
    Interest registered = Interest::none;  // What the poller knows.
    bool reads = false;
    bool owned : 1 = false;    // By the reader.
    bool changed : 1 = false;  // It stands in changed_.
    bool refused : 1 = false;  // The poller would not have the last change.

    void set_reader(Runnable* runnable) noexcept {
      reads = runnable != nullptr;
      if (reads || !owned) reader = runnable;
    }
    Interest wanted() const noexcept { return interest_of(reads, writer != nullptr); }
  };
  static_assert(sizeof(Entry) == 24);  // There is one for each descriptor.
  static std::size_t index(int fd) noexcept { return static_cast<std::size_t>(fd); }
  bool known(int fd) const noexcept { return fd >= 0 && index(fd) < entries_.size(); }
  Entry& entry(int fd);
  Entry& changed_entry(int fd) noexcept;
  bool refuse(int fd, Entry& entry) noexcept;
  void accept(Entry& entry) noexcept;

  Poller& poller_;
  std::vector<Entry> entries_;  // By descriptor: they are small numbers.
  std::vector<int> changed_;    // Has room for all of entries_.
  std::size_t refused_count_ = 0;
};

}  // namespace detail
}  // namespace weir

// Internal: used by handles, timers, the loop, tasks and parked reads.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::detail {

struct Runnable;

/// What a kind of runnable does; one constant object a kind.
struct RunnableKind {
  /// Reports its own errors. May destroy the runnable.
  void (*run)(Runnable&);
  /// For reports: "<Handle server.cpp:12>", "<Task Task-3>".
  std::string (*describe)(const Runnable&);
  /// Gives up the queue's reference: the loop closes before the runnable's turn. Null: it has none.
  void (*drop)(Runnable&) = nullptr;
};

/// Something that the loop can run: the base of handles, timers, tasks and parked reads. It is in
/// the ready queue at most once; `position` says where, 0 for not at all.
struct Runnable {
  explicit Runnable(const RunnableKind& its_kind) noexcept : kind(&its_kind) {}
  Runnable(const Runnable&) = delete;
  Runnable& operator=(const Runnable&) = delete;

  void run() { kind->run(*this); }

  const RunnableKind* kind;
  std::uint64_t position = 0;
};

/// What runs next, first in, first out: a ring of pointers. The ring's index is kept in the
/// runnable, so taking one out again (a cancelled handle) is one store.
///
/// Errors    push() may throw std::bad_alloc, with nothing changed; it allocates only when the ring
///           doubles.
class ReadyQueue {
 public:
  ReadyQueue() : ring_(64) {}

  bool empty() const noexcept { return head_ == tail_; }
  /// Entries between the ends, those taken out included.
  std::size_t size() const noexcept { return static_cast<std::size_t>(tail_ - head_); }
  /// Where the next one goes: for size_since().
  std::uint64_t end() const noexcept { return tail_; }
  /// How many of the entries were pushed when end() was `position` or later.
  std::size_t size_since(std::uint64_t position) const noexcept {
    return static_cast<std::size_t>(tail_ - (position > head_ ? position : head_));
  }

  void push(Runnable& runnable) {
    if (size() == ring_.size()) grow();
    runnable.position = tail_;
    ring_[slot(tail_++)] = &runnable;
  }

  /// The next one, or null where one was taken out. Not on an empty queue.
  Runnable* pop() noexcept {
    Runnable* runnable = ring_[slot(head_++)];
    if (runnable != nullptr) runnable->position = 0;
    return runnable;
  }

  /// Puts the first `count` entries behind the others. Returns how many they are without those
  /// taken out.
  std::size_t move_to_back(std::size_t count) noexcept {
    const std::uint64_t before = tail_;
    for (; count > 0; --count) {
      // Does not grow: a place has just become free.
      if (Runnable* runnable = pop()) push(*runnable);
    }
    return static_cast<std::size_t>(tail_ - before);
  }

  void remove(Runnable& runnable) noexcept {
    ring_[slot(runnable.position)] = nullptr;
    runnable.position = 0;
  }

 private:
  std::size_t slot(std::uint64_t position) const noexcept {
    return static_cast<std::size_t>(position) & (ring_.size() - 1);
  }
  void grow() {
    std::vector<Runnable*> larger(ring_.size() * 2);
    for (std::uint64_t at = head_; at != tail_; ++at) {
      larger[static_cast<std::size_t>(at) & (larger.size() - 1)] = ring_[slot(at)];
    }
    ring_.swap(larger);
  }

  std::vector<Runnable*> ring_;  // A power of two.
  std::uint64_t head_ = 1;       // Counts up for ever; 0 stays free to mean "not queued".
  std::uint64_t tail_ = 1;
};

}  // namespace weir::detail

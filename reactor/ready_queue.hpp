// Internal: used by handles, timers, the loop, tasks and transports.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {
namespace detail {

struct Runnable;
struct RunNote;

/// What a kind of runnable does; one constant object a kind.
struct RunnableKind {
  /// Reports its own errors. May destroy the runnable.
  void (*run)(Runnable&);
  /// For reports: "<Handle server.cpp:12>", "<Task Task-3>".
  std::string (*describe)(const Runnable&);
  /// Gives up the queue's reference, or the loop's: the loop closes before the runnable's turn, or
  /// before what owns a descriptor has ended. Null: it has none.
  void (*drop)(Runnable&) = nullptr;
  /// Says more than describe() does, before it runs. Null: there is no more.
  void (*note)(Runnable&, RunNote&) = nullptr;
  /// Of what owns a descriptor, and drops itself: asks it to end, for the loop closes.
  void (*abort)(Runnable&) = nullptr;
};

/// Something that the loop can run: when its descriptor is ready; a Queueable also when its turn in
/// the ready queue has come.
struct Runnable {
  explicit Runnable(const RunnableKind& its_kind) noexcept : kind(&its_kind) {}
  Runnable(const Runnable&) = delete;
  Runnable& operator=(const Runnable&) = delete;

  void run() { kind->run(*this); }

  const RunnableKind* kind;
};

/// Counts pushes, in odd numbers, so that none is 0 when they wrap round. Then only the distance of
/// two positions says which came first: right as long as fewer than 2^30 are queued at a time.
using QueuePosition = std::uint32_t;

/// A runnable that can stand in a ready queue: the base of handles, timers, tasks and transports.
/// It is in one queue at most, once; `position` says since when, 0 for not at all.
struct Queueable : Runnable {
  explicit Queueable(const RunnableKind& its_kind) noexcept : Runnable(its_kind) {}

 private:
  friend class ReadyQueue;
  Queueable* next_;  // Both mean nothing while it is not queued, nor do they cost anything then.
  Queueable* previous_;

 public:
  QueuePosition position = 0;  // Last: four bytes of what derives from this fit behind it.
};

/// What runs next, first in, first out. The links are in the items, so that no wake-up, no
/// cancellation and no connection_lost can fail for want of memory (docs/out_of_memory.md). Owns
/// nothing: who is destroyed while it is queued takes itself out first.
class ReadyQueue {
 public:
  ReadyQueue() = default;
  ReadyQueue(const ReadyQueue&) = delete;
  ReadyQueue& operator=(const ReadyQueue&) = delete;

  bool empty() const noexcept { return first_ == nullptr; }
  /// The position of the next push: greater than that of everything queued now.
  QueuePosition end() const noexcept { return end_; }

  void push(Queueable& item) noexcept {
    item.position = end_;
    end_ += 2;
    item.previous_ = last_;
    item.next_ = nullptr;
    (last_ != nullptr ? last_->next_ : first_) = &item;
    last_ = &item;
  }

  /// The first one, or null on an empty queue.
  Queueable* pop() noexcept {
    Queueable* const item = first_;
    if (item == nullptr) return nullptr;
    first_ = item->next_;
    (first_ != nullptr ? first_->previous_ : last_) = nullptr;
    item->position = 0;
    return item;
  }

  /// The first one if it was queued when end() was less than or equal to `position`; else null.
  Queueable* pop_before(QueuePosition position) noexcept {
    return first_ != nullptr && before(first_->position, position) ? pop() : nullptr;
  }

  /// Puts those that pop_before(position) would give behind the others, as if pushed again.
  void move_to_back(QueuePosition position) noexcept {
    while (Queueable* item = pop_before(position)) push(*item);
  }

  /// Takes all of `other`'s, in order, behind its own.
  void take(ReadyQueue& other) noexcept {
    while (Queueable* item = other.pop()) push(*item);
  }

  /// Those that were pushed at `position` or later, in order. For those who watch.
  template <class F>
  void for_each_from(QueuePosition position, F call) const {
    Queueable* at = last_;
    if (at == nullptr || before(at->position, position)) return;
    while (at->previous_ != nullptr && !before(at->previous_->position, position)) {
      at = at->previous_;
    }
    for (; at != nullptr; at = at->next_) call(*at);
  }

  template <class F>
  void for_each(F call) const {
    for (Queueable* at = first_; at != nullptr; at = at->next_) call(*at);
  }

  /// Whether the first one is the one that was pushed at `position`.
  bool starts_at(QueuePosition position) const noexcept {
    return first_ != nullptr && first_->position == position;
  }

  /// Not one of another queue's.
  void remove(Queueable& item) noexcept {
    (item.previous_ != nullptr ? item.previous_->next_ : first_) = item.next_;
    (item.next_ != nullptr ? item.next_->previous_ : last_) = item.previous_;
    item.position = 0;
  }

 private:
  static bool before(QueuePosition a, QueuePosition b) noexcept {
    return static_cast<std::int32_t>(a - b) < 0;
  }

  Queueable* first_ = nullptr;
  Queueable* last_ = nullptr;
  QueuePosition end_ = 1;
};

}  // namespace detail
}  // namespace weir

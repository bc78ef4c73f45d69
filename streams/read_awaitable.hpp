// Internal: used by stream_reader.hpp; what its functions return, with one of read_ops.hpp.
// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <cstddef>
#include <source_location>

#include <weir/reactor/error.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/promise.hpp>
#include <weir/streams/reader_state.hpp>

namespace WEIR_API weir {
namespace detail {

template <class Op>
class OwningRead;

/// A read, as {reader, what to read}: no allocation, and no suspension if the buffer has the
/// answer. await_ready() looks, await_resume() takes.
///
/// Lifetime  Rests on the StreamReader it came from. owning() is the form that keeps the reader
///           alive by itself; tasks and time-outs ask for it.
template <class Op>
class [[nodiscard]] ReadAwaitable : private AnyRead {
 public:
  ReadAwaitable(ReaderState& its_reader, const Op& op) noexcept : AnyRead{&its_reader}, op_(op) {}

  // Forced: with several reads in a file the compiler would call one function for all of them, and
  // each record would pay for the call and for what it cannot know of the read.
  [[gnu::always_inline]] bool await_ready() { return op_.at_once(*reader) || look_first(); }
  template <WeirPromise P>
  void await_suspend(std::coroutine_handle<P> waiter,
                     std::source_location at = std::source_location::current()) {
    waiter.promise().awaits_at = at;
    if (reader->verdict() != Verdict::wait) {  // An answer, but after a turn of others.
      return or_give_up([&] { reader->end_turn(kind, *this, waiter.promise()); });
    }
    reader->check_may_wait(Op::function);  // Refused, it has taken nothing.
    or_give_up([&] { reader->wait(kind, *this, waiter.promise()); });
  }
  [[gnu::always_inline]] typename Op::Result await_resume() {
    if (reader->verdict() == Verdict::at_once) [[likely]]
      return op_.take(*reader);
    return finish();
  }

  OwningRead<Op> owning() const { return OwningRead<Op>(*reader, op_); }

 private:
  [[gnu::noinline]] bool look_first() {
    if constexpr (requires { op_.must_wait(*reader); }) {
      if (op_.must_wait(*reader)) {  // All has been read: the usual wait.
        reader->set_verdict(Verdict::wait);
        return false;
      }
    }
    return look_closely();
  }
  [[gnu::noinline]] bool look_closely() {
    or_give_up([this] { reader->set_verdict(op_.look(*reader, Look::first)); });
    const Verdict verdict = reader->verdict();
    if (verdict == Verdict::wait) return reader->fails_instead_of_waiting();
    const bool is_answer = verdict == Verdict::take || verdict == Verdict::take_part;
    return !is_answer || !reader->had_its_turn();
  }
  [[gnu::noinline]] typename Op::Result finish() {
    if (reader->waited()) or_give_up([this] { reader->finish_wait(); });
    const Verdict verdict = reader->verdict();
    if (verdict == Verdict::take) return op_.take(*reader);
    return op_.instead(*reader, verdict);
  }
  // BYTE 7/7: the read looks again. If it can finish, its coroutine resumes with the bytes; else it
  // goes on waiting, and the coroutine hears nothing of it.
  static void run(Runnable& runnable) {
    auto& task = static_cast<TaskBase&>(runnable);
    ReadWait& node = ReadWait::of(task);
    ReaderState& its_reader = node.reader();
    if (its_reader.only_has_bytes(node) && op_of(*node.read).at_once(its_reader)) [[likely]] {
      // The wait is over: the coroutine takes the bytes as if it had never waited.
      its_reader.end_own_wait();
      return task.step();  // The reader may be gone after this.
    }
    its_reader.look_again(node);
  }
  static const Op& op_of(const AnyRead& read) noexcept {
    return static_cast<const ReadAwaitable&>(read).op_;
  }
  static Verdict look(const AnyRead& read) { return op_of(read).look(*read.reader, Look::again); }
  static std::size_t goal(const AnyRead& read) {
    [[maybe_unused]] const Op& op = op_of(read);
    if constexpr (requires { op.limit.of(*read.reader); }) {
      return op.limit.of(*read.reader);
    } else if constexpr (requires { op.wanted; }) {
      return op.wanted < 0 ? 0 : static_cast<std::size_t>(op.wanted);
    } else if constexpr (requires { op.limit; }) {
      return op.limit;
    } else {
      return 0;
    }
  }
  static constexpr ReadKind kind = {
      {run, ReadWait::describe, nullptr, note_look}, Op::function, look, goal};

  /// A read that takes bytes before it has all gives them back when it fails.
  template <class Step>
  void or_give_up(Step step) {
    if constexpr (requires { op_.give_up(*reader); }) {
      try {
        step();
      } catch (...) {
        op_.give_up(*reader);
        throw;
      }
    } else {
      step();
    }
  }

  Op op_;
};

/// A read that holds its reader, and its separators.
template <class Op>
class [[nodiscard]] OwningRead {
 public:
  OwningRead(ReaderState& reader, const Op& op) : reader_(&reader), op_(op) {}
  ReadAwaitable<Op> operator co_await() const noexcept {
    return ReadAwaitable<Op>(*reader_, op_.op());
  }

 private:
  Ref<ReaderState> reader_;
  typename Op::Owning op_;
};

}  // namespace detail
}  // namespace weir

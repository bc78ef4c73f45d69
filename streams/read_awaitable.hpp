// Internal: used by stream_reader.hpp; what its functions return.
// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <weir/reactor/error.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/promise.hpp>
#include <weir/streams/read_forms.hpp>
#include <weir/streams/reader_state.hpp>
#include <weir/streams/separators.hpp>

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
class [[nodiscard]] ReadAwaitable {
 public:
  ReadAwaitable(ReaderState& reader, const Op& op) noexcept : reader_(&reader), op_(op) {}

  // Forced: with several reads in a file the compiler would call one function for all of them, and
  // each record would pay for the call and for what it cannot know of the read.
  [[gnu::always_inline]] bool await_ready() { return op_.at_once(*reader_) || look_first(); }
  template <WeirPromise P>
  void await_suspend(std::coroutine_handle<P> waiter) {
    if (reader_->verdict() != Verdict::wait) {  // An answer, but after a turn of others.
      return or_give_up([&] { reader_->end_turn(kind, this, waiter.promise()); });
    }
    reader_->check_may_wait(Op::function);  // Refused, it has taken nothing.
    or_give_up([&] { reader_->wait(kind, this, waiter.promise()); });
  }
  [[gnu::always_inline]] typename Op::Result await_resume() {
    if (reader_->verdict() == Verdict::at_once) [[likely]]
      return op_.take(*reader_);
    return finish();
  }

  OwningRead<Op> owning() const { return OwningRead<Op>(*reader_, op_); }

 private:
  [[gnu::noinline]] bool look_first() {
    or_give_up([this] { reader_->set_verdict(op_.look(*reader_, Look::first)); });
    const Verdict verdict = reader_->verdict();
    if (verdict == Verdict::wait) return reader_->fails_instead_of_waiting();
    const bool is_answer = verdict == Verdict::take || verdict == Verdict::take_part;
    return !is_answer || !reader_->had_its_turn();
  }
  [[gnu::noinline]] typename Op::Result finish() {
    if (reader_->waited()) or_give_up([this] { reader_->finish_wait(); });
    const Verdict verdict = reader_->verdict();
    if (verdict == Verdict::take) return op_.take(*reader_);
    return op_.instead(*reader_, verdict);
  }
  static Verdict look_again(ReaderState& reader, const void* read) {
    return static_cast<const ReadAwaitable*>(read)->op_.look(reader, Look::again);
  }
  static constexpr ReadKind kind = {Op::function, look_again};

  /// A read that takes bytes before it has all gives them back when it fails.
  template <class Step>
  void or_give_up(Step step) {
    if constexpr (requires { op_.give_up(*reader_); }) {
      try {
        step();
      } catch (...) {
        op_.give_up(*reader_);
        throw;
      }
    } else {
      step();
    }
  }

  ReaderState* reader_;
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

/// How much may precede a separator: what the reader says, or the call.
struct ReadersLimit {
  static std::size_t of(const ReaderState& reader) noexcept { return reader.limit(); }
  static std::size_t reach(const ReaderState& reader) noexcept { return reader.reach(); }
};
struct CallsLimit {
  std::size_t of(const ReaderState&) const noexcept { return bytes; }
  std::size_t reach(const ReaderState& reader) const noexcept { return reader.reach_for(bytes); }
  std::size_t bytes;
};

/// Throws what `verdict` means to the reads; never returns.
[[noreturn]] void throw_exactly_failure(ReaderState& reader, Verdict verdict,
                                        std::ptrdiff_t wanted);
[[noreturn]] void throw_read_failure(ReaderState& reader, Verdict verdict, std::ptrdiff_t wanted,
                                     const void* read);
[[noreturn]] void throw_until_failure(ReaderState& reader, Verdict verdict, std::size_t limit,
                                      bool any_separator = true);
/// What readline() makes of everything but a line: the partial line, or ValueError.
std::string_view end_of_line_or_throw(ReaderState& reader, Verdict verdict);

/// The answer in its form, then taken: without memory for a string nothing is.
template <class Form>
typename Form::Result take_as(const Form& form, ReaderState& reader) {
  typename Form::Result result = form.of(reader.answer());
  reader.take();
  return result;
}
template <class Form>
[[gnu::always_inline]] inline typename Form::Result take_record_as(const Form& form,
                                                                   ReaderState& reader) {
  typename Form::Result result = form.of(reader.answer());
  reader.take_record();
  return result;
}

/// Ops without anything to own are their own owning form.
template <class Op>
struct PlainOwning {
  PlainOwning(const Op& its_op) noexcept : held(its_op) {}  // NOLINT: converts
  const Op& op() const noexcept { return held; }
  Op held;
};

struct ReadOp {
  static constexpr const char* function = "read";
  using Result = std::string;
  using Owning = PlainOwning<ReadOp>;
  Verdict look(ReaderState& reader, Look look) const {
    return reader.look_read(wanted, this, look);
  }
  bool at_once(ReaderState& reader) const noexcept {
    return wanted > 0 && reader.at_hand(1, static_cast<std::size_t>(wanted));
  }
  void give_up(ReaderState& reader) const {
    if (wanted < 0) reader.give_back_collected(this);
  }
  Result take(ReaderState& reader) const {
    if (wanted == 0) return Result();  // Not a read: the transport stays as it is.
    if (wanted > 0) return take_as(AsString(), reader);
    const std::string_view taken = reader.take();
    std::optional<std::string> collected = reader.take_collected(this);
    return collected ? *std::move(collected) : Result(taken);
  }
  [[noreturn]] Result instead(ReaderState& reader, Verdict verdict) const {
    throw_read_failure(reader, verdict, wanted, this);
  }
  std::ptrdiff_t wanted;
};

template <class Form>
struct ReadExactlyOp {
  static constexpr const char* function = "readexactly";
  using Result = typename Form::Result;
  using Owning = PlainOwning<ReadExactlyOp>;
  Verdict look(ReaderState& reader, Look look) const { return reader.look_exactly(wanted, look); }
  bool at_once(ReaderState& reader) const noexcept {
    const auto bytes = static_cast<std::size_t>(wanted);
    return wanted > 0 && bytes <= reader.cap() && reader.at_hand(bytes, bytes);
  }
  Result take(ReaderState& reader) const {
    if (wanted == 0) return form.of({});  // Not a read: the transport stays as it is.
    return take_as(form, reader);
  }
  [[noreturn]] Result instead(ReaderState& reader, Verdict verdict) const {
    throw_exactly_failure(reader, verdict, wanted);
  }
  std::ptrdiff_t wanted;
  [[no_unique_address]] Form form = {};
};

template <class Form, class Limit = ReadersLimit>
struct ReadUntilOp {
  static constexpr const char* function = "readuntil";
  using Result = typename Form::Result;
  struct Owning {
    Owning(const ReadUntilOp& its_op)  // NOLINT: converts
        : separator(its_op.separator), limit(its_op.limit), form(its_op.form) {}
    ReadUntilOp op() const noexcept { return {separator, limit, form}; }
    std::string separator;
    [[no_unique_address]] Limit limit;
    [[no_unique_address]] Form form;
  };
  Verdict look(ReaderState& reader, Look look) const {
    return reader.look_until(separator, look, limit.of(reader));
  }
  bool at_once(ReaderState& reader) const noexcept {
    return reader.at_hand(separator, limit.reach(reader));
  }
  Result take(ReaderState& reader) const { return take_record_as(form, reader); }
  [[noreturn]] Result instead(ReaderState& reader, Verdict verdict) const {
    throw_until_failure(reader, verdict, limit.of(reader));
  }
  std::string_view separator;
  [[no_unique_address]] Limit limit;
  [[no_unique_address]] Form form = {};
};

template <class Form, class Limit = ReadersLimit>
struct ReadUntilAnyOp {
  static constexpr const char* function = "readuntil";
  using Result = typename Form::Result;
  /// Copies the bytes of all separators into one string, and points into that.
  struct Owning {
    Owning(const ReadUntilAnyOp& its_op)  // NOLINT: converts
        : separators(its_op.separators), limit(its_op.limit), form(its_op.form) {
      for (const std::string_view separator : separators) bytes += separator;
    }
    ReadUntilAnyOp op() const noexcept { return {separators.moved_to(bytes), limit, form}; }
    Separators separators;
    std::string bytes;
    [[no_unique_address]] Limit limit;
    [[no_unique_address]] Form form;
  };
  Verdict look(ReaderState& reader, Look look) const {
    return reader.look_until_any(separators, look, limit.of(reader));
  }
  static constexpr bool at_once(ReaderState&) noexcept { return false; }
  Result take(ReaderState& reader) const { return take_as(form, reader); }
  [[noreturn]] Result instead(ReaderState& reader, Verdict verdict) const {
    throw_until_failure(reader, verdict, limit.of(reader), !separators.empty());
  }
  Separators separators;
  [[no_unique_address]] Limit limit;
  [[no_unique_address]] Form form = {};
};

template <class Form, class Limit = ReadersLimit>
struct ReadLineOp {
  static constexpr const char* function =
      "readuntil";  // asyncio's readline() waits inside readuntil(), and says so.
  using Result = typename Form::Result;
  using Owning = PlainOwning<ReadLineOp>;
  Verdict look(ReaderState& reader, Look look) const {
    return reader.look_until("\n", look, limit.of(reader));
  }
  bool at_once(ReaderState& reader) const noexcept {
    return reader.at_hand("\n", limit.reach(reader));
  }
  Result take(ReaderState& reader) const { return take_record_as(form, reader); }
  Result instead(ReaderState& reader, Verdict verdict) const {
    return form.of(end_of_line_or_throw(reader, verdict));
  }
  [[no_unique_address]] Limit limit;
  [[no_unique_address]] Form form = {};
};

// g++ 12 destroys temporaries with destructors twice in some co_await expressions; these have none.
static_assert(std::is_trivially_destructible_v<ReadAwaitable<ReadOp>>);
static_assert(std::is_trivially_destructible_v<ReadAwaitable<ReadUntilOp<AsString>>>);
static_assert(std::is_trivially_destructible_v<ReadAwaitable<ReadUntilAnyOp<AsString>>>);
static_assert(std::is_trivially_destructible_v<ReadAwaitable<ReadLineOp<AsString>>>);

}  // namespace detail
}  // namespace weir

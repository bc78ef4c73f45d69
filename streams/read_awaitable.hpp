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
#include <weir/reactor/task/promise.hpp>
#include <weir/streams/reader_state.hpp>
#include <weir/streams/separators.hpp>

namespace weir::detail {

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

  bool await_ready() {
    or_give_up([this] { reader_->set_verdict(op_.look(*reader_, Look::first)); });
    return reader_->verdict() != Verdict::wait || reader_->fails_instead_of_waiting();
  }
  template <WeirPromise P>
  void await_suspend(std::coroutine_handle<P> waiter) {
    reader_->check_may_wait(Op::function);  // Refused, it has taken nothing.
    or_give_up([&] { reader_->wait(Op::function, this, look_again, waiter.promise()); });
  }
  typename Op::Result await_resume() {
    if (reader_->waited()) [[unlikely]]
      or_give_up([this] { reader_->finish_wait(); });
    return op_.finish(*reader_, reader_->verdict());
  }

  OwningRead<Op> owning() const { return OwningRead<Op>(*reader_, op_); }

 private:
  static Verdict look_again(ReaderState& reader, const void* read) {
    return static_cast<const ReadAwaitable*>(read)->op_.look(reader, Look::again);
  }
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

/// What a read gives: a string of its own, a view, or (next_line) an optional string.
struct AsString {
  using Result = std::string;
  static Result of(std::string_view bytes) { return Result(bytes); }
};
struct AsView {
  using Result = std::string_view;
  static Result of(std::string_view bytes) noexcept { return bytes; }
};
struct AsOptional {
  using Result = std::optional<std::string>;
  static Result of(std::string_view bytes) {
    return bytes.empty() ? std::nullopt : std::optional<std::string>(std::in_place, bytes);
  }
};

/// How much may precede a separator: what the reader says, or the call.
struct ReadersLimit {
  static std::size_t of(const ReaderState& reader) noexcept { return reader.limit(); }
};
struct CallsLimit {
  std::size_t of(const ReaderState&) const noexcept { return bytes; }
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
  void give_up(ReaderState& reader) const {
    if (wanted < 0) reader.give_back_collected(this);
  }
  Result finish(ReaderState& reader, Verdict verdict) const {
    if (verdict != Verdict::take) throw_read_failure(reader, verdict, wanted, this);
    if (wanted == 0) return Result();  // Not a read: the transport stays as it is.
    const std::string_view taken = reader.take();
    std::optional<std::string> collected;
    if (wanted < 0) collected = reader.take_collected(this);
    return collected ? *std::move(collected) : Result(taken);
  }
  std::ptrdiff_t wanted;
};

struct ReadExactlyOp {
  static constexpr const char* function = "readexactly";
  using Result = std::string;
  using Owning = PlainOwning<ReadExactlyOp>;
  Verdict look(ReaderState& reader, Look look) const { return reader.look_exactly(wanted, look); }
  Result finish(ReaderState& reader, Verdict verdict) const {
    if (verdict != Verdict::take) throw_exactly_failure(reader, verdict, wanted);
    if (wanted == 0) return Result();  // Not a read: the transport stays as it is.
    return std::string(reader.take());
  }
  std::ptrdiff_t wanted;
};

template <class Form, class Limit = ReadersLimit>
struct ReadUntilOp {
  static constexpr const char* function = "readuntil";
  using Result = typename Form::Result;
  struct Owning {
    Owning(const ReadUntilOp& its_op)  // NOLINT: converts
        : separator(its_op.separator), limit(its_op.limit) {}
    ReadUntilOp op() const noexcept { return {separator, limit}; }
    std::string separator;
    [[no_unique_address]] Limit limit;
  };
  Verdict look(ReaderState& reader, Look look) const {
    return reader.look_until(separator, look, limit.of(reader));
  }
  Result finish(ReaderState& reader, Verdict verdict) const {
    if (verdict != Verdict::take) throw_until_failure(reader, verdict, limit.of(reader));
    return Form::of(reader.take());
  }
  std::string_view separator;
  [[no_unique_address]] Limit limit;
};

template <class Form, class Limit = ReadersLimit>
struct ReadUntilAnyOp {
  static constexpr const char* function = "readuntil";
  using Result = typename Form::Result;
  /// Copies the bytes of all separators into one string, and points into that.
  struct Owning {
    Owning(const ReadUntilAnyOp& its_op)  // NOLINT: converts
        : separators(its_op.separators), limit(its_op.limit) {
      for (const std::string_view separator : separators) bytes += separator;
    }
    ReadUntilAnyOp op() const noexcept { return {separators.moved_to(bytes), limit}; }
    Separators separators;
    std::string bytes;
    [[no_unique_address]] Limit limit;
  };
  Verdict look(ReaderState& reader, Look look) const {
    return reader.look_until_any(separators, look, limit.of(reader));
  }
  Result finish(ReaderState& reader, Verdict verdict) const {
    if (verdict != Verdict::take)
      throw_until_failure(reader, verdict, limit.of(reader), !separators.empty());
    return Form::of(reader.take());
  }
  Separators separators;
  [[no_unique_address]] Limit limit;
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
  Result finish(ReaderState& reader, Verdict verdict) const {
    if (verdict != Verdict::take) return Form::of(end_of_line_or_throw(reader, verdict));
    return Form::of(reader.take());
  }
  [[no_unique_address]] Limit limit;
};

// g++ 12 destroys temporaries with destructors twice in some co_await expressions; these have none.
static_assert(std::is_trivially_destructible_v<ReadAwaitable<ReadOp>>);
static_assert(std::is_trivially_destructible_v<ReadAwaitable<ReadUntilOp<AsString>>>);
static_assert(std::is_trivially_destructible_v<ReadAwaitable<ReadUntilAnyOp<AsString>>>);
static_assert(std::is_trivially_destructible_v<ReadAwaitable<ReadLineOp<AsString>>>);

}  // namespace weir::detail

// Internal: used by stream_reader.hpp; the reads that asyncio has.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <weir/reactor/export.hpp>
#include <weir/streams/read_awaitable.hpp>
#include <weir/streams/read_forms.hpp>
#include <weir/streams/reader_state.hpp>
#include <weir/streams/separators.hpp>

namespace WEIR_API weir {
namespace detail {

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
[[gnu::always_inline]] inline typename Form::Result take_as(const Form& form, ReaderState& reader) {
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
  bool must_wait(const ReaderState& reader) const noexcept {
    return wanted > 0 && reader.must_wait();
  }
  void give_up(ReaderState& reader) const {
    if (wanted < 0) reader.give_back_collected(this);
  }
  [[gnu::always_inline]] Result take(ReaderState& reader) const {
    if (wanted > 0) [[likely]]
      return take_as(AsString(), reader);
    return take_all_or_nothing(reader);
  }
  [[gnu::noinline]] Result take_all_or_nothing(ReaderState& reader) const {
    if (wanted == 0) return Result();  // Not a read: the transport stays as it is.
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
  bool must_wait(const ReaderState& reader) const noexcept {
    return wanted > 0 && static_cast<std::size_t>(wanted) <= reader.cap() && reader.must_wait();
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
  bool must_wait(const ReaderState& reader) const noexcept { return reader.must_wait(separator); }
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
  bool must_wait(const ReaderState& reader) const noexcept { return reader.must_wait("\n"); }
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

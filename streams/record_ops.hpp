// Internal: used by stream_reader.hpp; the reads that asyncio does not have.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include <weir/reactor/export.hpp>
#include <weir/streams/read_awaitable.hpp>
#include <weir/streams/read_forms.hpp>
#include <weir/streams/read_ops.hpp>
#include <weir/streams/read_options.hpp>
#include <weir/streams/reader_state.hpp>

namespace WEIR_API weir {
namespace detail {

[[noreturn]] void throw_some_failure(ReaderState& reader, Verdict verdict);
[[noreturn]] void throw_peek_failure(ReaderState& reader, Verdict verdict, std::ptrdiff_t wanted);
[[noreturn]] void throw_discard_failure(ReaderState& reader, Verdict verdict,
                                        std::uint64_t discarded);

/// read(n) in other forms than a string: n is not negative, for what read(-1) collects is a string.
template <class Form>
struct ReadSomeOp {
  static constexpr const char* function = "read";
  using Result = typename Form::Result;
  using Owning = PlainOwning<ReadSomeOp>;
  Verdict look(ReaderState& reader, Look look) const {
    return wanted < 0 ? Verdict::bad_argument : reader.look_read(wanted, this, look);
  }
  bool at_once(ReaderState& reader) const noexcept {
    return wanted > 0 && reader.at_hand(1, static_cast<std::size_t>(wanted));
  }
  bool must_wait(const ReaderState& reader) const noexcept {
    return wanted > 0 && reader.must_wait();
  }
  Result take(ReaderState& reader) const {
    if (wanted == 0) return form.of({});  // Not a read: the transport stays as it is.
    return take_as(form, reader);
  }
  [[noreturn]] Result instead(ReaderState& reader, Verdict verdict) const {
    throw_some_failure(reader, verdict);
  }
  std::ptrdiff_t wanted;
  [[no_unique_address]] Form form = {};
};

template <class Form>
struct PeekOp {
  static constexpr const char* function = "peek";
  using Result = typename Form::Result;
  using Owning = PlainOwning<PeekOp>;
  Verdict look(ReaderState& reader, Look look) const { return reader.look_peek(wanted, look); }
  static constexpr bool at_once(ReaderState&) noexcept { return false; }
  Result take(ReaderState& reader) const { return Form::of(reader.answer()); }
  [[noreturn]] Result instead(ReaderState& reader, Verdict verdict) const {
    throw_peek_failure(reader, verdict, wanted);
  }
  std::ptrdiff_t wanted;
};

struct DiscardOp {
  static constexpr const char* function = "discard_until";
  using Result = std::uint64_t;
  struct Owning {
    Owning(const DiscardOp& its_op) : separator(its_op.separator) {}  // NOLINT: converts
    DiscardOp op() const noexcept { return {separator}; }
    std::string separator;
  };
  Verdict look(ReaderState& reader, Look look) const {
    if (look == Look::first) discarded = 0;
    return reader.look_discard(separator, look, discarded);
  }
  static constexpr bool at_once(ReaderState&) noexcept { return false; }
  Result take(ReaderState& reader) const { return discarded + reader.take().size(); }
  [[noreturn]] Result instead(ReaderState& reader, Verdict verdict) const {
    throw_discard_failure(reader, verdict, discarded);
  }
  std::string_view separator;
  mutable std::uint64_t discarded = 0;  // So far.
};

template <class Piece>
struct PieceOp {
  static constexpr const char* function = "readuntil_piece";
  using Result = Piece;
  struct Owning {
    Owning(const PieceOp& its_op)  // NOLINT: converts
        : separator(its_op.separator), limit(its_op.limit) {}
    PieceOp op() const noexcept { return {separator, limit}; }
    std::string separator;
    std::size_t limit;
  };
  Verdict look(ReaderState& reader, Look look) const {
    return reader.look_piece(separator, look, limit);
  }
  static constexpr bool at_once(ReaderState&) noexcept { return false; }
  Result take(ReaderState& reader) const { return Piece{reader.take(), true}; }
  Result instead(ReaderState& reader, Verdict verdict) const {
    if (verdict != Verdict::take_part) throw_until_failure(reader, verdict, limit);
    return Piece{reader.take(), false};
  }
  std::string_view separator;
  std::size_t limit;
};

// g++ 12 destroys temporaries with destructors twice in some co_await expressions; these have none.
static_assert(std::is_trivially_destructible_v<ReadAwaitable<ReadSomeOp<AsView>>>);
static_assert(std::is_trivially_destructible_v<ReadAwaitable<PeekOp<AsString>>>);
static_assert(std::is_trivially_destructible_v<ReadAwaitable<DiscardOp>>);
static_assert(std::is_trivially_destructible_v<ReadAwaitable<PieceOp<RecordPiece>>>);

}  // namespace detail
}  // namespace weir

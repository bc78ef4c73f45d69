// Internal: used by the reader's state.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include <weir/reactor/export.hpp>
#include <weir/streams/byte_buffer.hpp>
#include <weir/streams/match_mask.hpp>

namespace WEIR_API weir {
namespace detail {

/// What is known of where a separator is: how far the stream has been searched for it, and the
/// matches in the last 64 positions of that. Short records come many to a block: it is searched
/// once, and each of them takes the next bit.
///
/// All of it is in positions of the stream, which only grow: feeding, waiting, cancelling and
/// moving bytes about change nothing of it. Only taking bytes does (drop_next(), drop_before()),
/// and bytes that are put back (forget()).
///
/// Errors    start() may throw std::bad_alloc, with nothing changed.
/// Cost      No byte is looked at twice for a separator, however often it is asked for.
class MatchMemo {
 public:
  /// Whether this is about `separator`.
  bool knows(std::string_view separator) const noexcept {
    return separator.size() == size_ && separator[0] == head_[0] &&
           (size_ == 1 || (separator[1] == head_[1] && (size_ == 2 || tail_is(separator))));
  }
  /// From here on it is about `separator`: an account that begins at `position`.
  void start(std::string_view separator, std::uint64_t position);
  /// It is about none.
  void forget() noexcept {
    size_ = none;
    window_.mask = 0;
  }

  /// The matches that are known, a bit for each. The first one may overlap the one that was taken
  /// last, and begin before the record.
  std::uint64_t matches() const noexcept { return window_.mask; }
  bool any() const noexcept { return matches() != 0; }
  /// Where the first of `matches` starts; there is one.
  std::uint64_t first_of(std::uint64_t matches) const noexcept {
    return window_.base + static_cast<unsigned>(__builtin_ctzll(matches));
  }
  std::uint64_t next() const noexcept { return first_of(matches()); }
  /// The first one has been taken.
  void drop_next() noexcept { window_.mask &= window_.mask - 1; }
  /// All before `position` has been taken, the beginning of a match perhaps.
  void drop_before(std::uint64_t position) noexcept {
    if (window_.mask == 0 || position <= window_.base) return;
    const std::uint64_t gone = position - window_.base;
    window_.mask = gone < 64 ? window_.mask & (~std::uint64_t{0} << gone) : 0;
  }

  /// Where there is not any(): searches what has come since.
  void search(const ByteBuffer& buffer) noexcept {
    if (way_ == Way::blocks || way_ == Way::probes) search_on(buffer);
    if (!any() && (way_ == Way::once || way_ == Way::costly)) search_once(buffer);
  }
  /// The same, but only by blocks. Returns matches(); none may mean that this is not the way for
  /// it.
  [[gnu::always_inline]] std::uint64_t search_on(const ByteBuffer& buffer) noexcept {
    // Branches to functions of their own: what those save must not cost the usual case. The second
    // one is nearly always guessed; as a conditional move it would chain the search for a record to
    // the end of that for the last one.
    if (window_.searched >= buffer.end()) return 0;
    if (search_ == nullptr) [[unlikely]]
      return search_long(buffer);
    const std::size_t overlap = size_ - 1;
    if (window_.searched < buffer.position() + overlap) [[unlikely]]
      return begin_and_search(buffer);
    window_.base = window_.searched - overlap;
    return search_(window_, buffer.at(window_.base),
                   static_cast<std::size_t>(buffer.end() - window_.searched));
  }
  /// How many bytes have been searched in all, for whatever separator.
  std::uint64_t bytes_scanned() const noexcept { return window_.scanned; }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  /// How it is searched for.
  enum class Way : std::uint8_t {
    once,    // to the first match: who changes separators with every call uses no more
    blocks,  // by blocks of its one or two bytes: with search_
    probes,  // by blocks of two of its bytes; then the others are compared
    costly,  // once, for ever: those two bytes are everywhere
  };
  /// A separator of three bytes and more.
  struct Long {
    std::size_t lead;  // Where the first of the two bytes is that are searched for.
    std::unique_ptr<char[]> bytes;
  };

  std::string_view separator() const noexcept {
    return {size_ > 2 ? long_->bytes.get() : head_, size_};
  }
  bool tail_is(std::string_view separator) const noexcept;
  inline bool prepare(const ByteBuffer& buffer) noexcept;
  std::uint64_t begin_and_search(const ByteBuffer& buffer) noexcept;
  std::uint64_t search_long(const ByteBuffer& buffer) noexcept;
  inline void verify(const ByteBuffer& buffer) noexcept;
  void search_once(const ByteBuffer& buffer) noexcept;

  MatchWindow window_;
  std::uint64_t (*search_)(MatchWindow&, const char*, std::size_t) noexcept = nullptr;
  std::size_t size_ = none;  // Of the separator.
  std::unique_ptr<Long> long_;
  char head_[2] = {};
  Way way_ = Way::once;
};

}  // namespace detail
}  // namespace weir

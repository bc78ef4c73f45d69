// Internal: used by the reader's state.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include <weir/streams/byte_buffer.hpp>
#include <weir/streams/match_mask.hpp>

namespace weir::detail {

/// What is known of where a separator is: how far the stream has been searched for it, and the
/// matches in the last 64 bytes of that. Short records come many to a block: it is searched once,
/// and each of them takes the next bit.
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
    mask_ = 0;
  }

  /// Whether a match is known. The first one may overlap the one that was taken last, and begin
  /// before the record.
  bool any() const noexcept { return mask_ != 0; }
  /// Where the first one starts, if there is any().
  std::uint64_t next() const noexcept {
    return base_ + static_cast<unsigned>(__builtin_ctzll(mask_));
  }
  /// The first one has been taken.
  void drop_next() noexcept { mask_ &= mask_ - 1; }
  /// All before `position` has been taken, the beginning of a match perhaps.
  void drop_before(std::uint64_t position) noexcept {
    if (mask_ == 0 || position <= base_) return;
    const std::uint64_t gone = position - base_;
    mask_ = gone < 64 ? mask_ & (~std::uint64_t{0} << gone) : 0;
  }

  /// Where there is not any(): searches what has come since.
  void search(const ByteBuffer& buffer, std::string_view separator) noexcept {
    if (!by_blocks_) return search_once(buffer, separator);
    search_block(buffer);
  }
  /// The same for a separator that has been asked for before; not for others. Returns any().
  [[gnu::always_inline]] bool search_on(const ByteBuffer& buffer) noexcept {
    return by_blocks_ && search_block(buffer);
  }
  /// How many bytes have been searched in all, for whatever separator.
  std::uint64_t bytes_scanned() const noexcept { return scanned_; }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  bool tail_is(std::string_view separator) const noexcept {
    return std::memcmp(separator.data() + 2, tail_.get(), separator.size() - 2) == 0;
  }
  [[gnu::always_inline]] bool search_block(const ByteBuffer& buffer) noexcept {
    return size_ == 1 ? search_byte(buffer) : search_pair(buffer);
  }
  [[gnu::always_inline]] bool search_byte(const ByteBuffer& buffer) noexcept {
    std::uint64_t from = searched_;
    // A branch that is nearly always guessed, to a function of its own so that it stays one: as a
    // conditional move it would chain the search for a record to the end of that for the last one.
    if (from < buffer.position()) [[unlikely]]
      from = begin_again(buffer.position());
    if (from == buffer.end()) return false;
    return found(
        first_match_block(buffer.at(from), static_cast<std::size_t>(buffer.end() - from), head_[0]),
        from, buffer.end());
  }
  bool search_pair(const ByteBuffer& buffer) noexcept {
    std::uint64_t from = searched_ - 1;
    if (searched_ < buffer.position() + 1) [[unlikely]]
      from = begin_again(buffer.position());
    const std::uint64_t last = buffer.end() - 1;  // No pair starts there yet.
    if (buffer.end() <= searched_) return false;
    return found(first_match_block(buffer.at(from), static_cast<std::size_t>(last - from),
                                   BytePair{head_[0], head_[1]}),
                 from, last, 1);
  }
  /// A search that began at `from` and went as far as `end`, where nothing was found. `overlap`:
  /// how many bytes of the separator lie behind where it starts.
  [[gnu::always_inline]] bool found(const MatchBlock& block, std::uint64_t from, std::uint64_t end,
                                    std::size_t overlap = 0) noexcept {
    base_ = from + block.offset;
    mask_ = block.mask;
    const std::uint64_t block_end = from + block.offset + 64;
    const std::uint64_t looked_to = (block_end < end ? block_end : end) + overlap;
    scanned_ += looked_to - searched_;
    searched_ = looked_to;
    return block.mask != 0;
  }
  [[gnu::noinline]] std::uint64_t begin_again(std::uint64_t record) noexcept {
    searched_ = std::max(searched_, record);
    return record;
  }
  void search_once(const ByteBuffer& buffer, std::string_view separator) noexcept;

  std::uint64_t searched_ = 0;  // No match ends here or before, but for those of the mask.
  std::uint64_t base_ = 0;      // A match starts at base_ + i if bit i of the mask is set.
  std::uint64_t mask_ = 0;
  std::uint64_t scanned_ = 0;
  std::size_t size_ = none;       // Of the separator.
  std::unique_ptr<char[]> tail_;  // What follows its head.
  char head_[2] = {};
  bool by_blocks_ = false;  // It was asked for before.
};

}  // namespace weir::detail

// SPDX-License-Identifier: MIT
#include <weir/streams/match_memo.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <weir/streams/find_separator.hpp>

namespace weir::detail {

void MatchMemo::start(std::string_view separator, std::uint64_t position) {
  std::unique_ptr<char[]> tail;
  if (separator.size() > 2) {
    tail.reset(new char[separator.size() - 2]);
    std::copy(separator.begin() + 2, separator.end(), tail.get());
  }
  tail_ = std::move(tail);
  std::copy_n(separator.begin(), std::min<std::size_t>(separator.size(), 2), head_);
  size_ = separator.size();
  searched_ = position;
  mask_ = 0;
  by_blocks_ = false;
}

/// No further than to the first match: who changes separators with every call would pay for 64
/// bytes to use one of them.
void MatchMemo::search_once(const ByteBuffer& buffer, std::string_view separator) noexcept {
  by_blocks_ = separator.size() <= 2;
  const std::uint64_t record = buffer.position();
  const std::size_t overlap = separator.size() - 1;
  const std::uint64_t from =
      searched_ < record + overlap ? begin_again(record) : searched_ - overlap;
  if (buffer.end() <= searched_) return;
  const std::string_view rest(buffer.at(from), static_cast<std::size_t>(buffer.end() - from));
  const std::size_t start = find_separator(rest, separator, 0);
  const bool found = start != not_found;
  const std::uint64_t looked_to = found ? from + start + separator.size() : buffer.end();
  scanned_ += looked_to - searched_;
  searched_ = looked_to;
  if (!found) return;
  base_ = from + start;
  mask_ = 1;
}

}  // namespace weir::detail

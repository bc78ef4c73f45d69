// SPDX-License-Identifier: MIT
#include <weir/streams/match_memo.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include <weir/streams/find_separator.hpp>
#include <weir/streams/separator_probe.hpp>

namespace weir::detail {

void MatchMemo::start(std::string_view separator, std::uint64_t position) {
  const Probe probe = probe_for(separator);
  std::unique_ptr<Long> made;
  if (separator.size() > 2) {
    made.reset(new Long{probe.lead, std::make_unique<char[]>(separator.size())});
    std::copy(separator.begin(), separator.end(), made->bytes.get());
  }
  long_ = std::move(made);
  std::copy_n(separator.begin(), std::min<std::size_t>(separator.size(), 2), head_);
  size_ = separator.size();
  window_.searched = position;
  window_.bytes = {probe.first, probe.last, probe.gap};
  window_.mask = 0;
  search_ = nullptr;
  way_ = Way::once;
}

/// A call, as a few words to compare in every read would cost the shorter separators more.
bool MatchMemo::tail_is(std::string_view separator) const noexcept {
  const char* const tail = long_->bytes.get() + 2;
  return size_ <= 18 ? same_short_bytes(separator.data() + 2, tail, size_ - 2)
                     : std::memcmp(separator.data() + 2, tail, size_ - 2) == 0;
}

/// Sets the base to where a search has to begin. False if nothing has come that could end it.
///
/// No match ends in the first bytes of a record, as many as the separator has but one. They are
/// looked at all the same.
bool MatchMemo::prepare(const ByteBuffer& buffer) noexcept {
  const std::size_t overlap = size_ - 1;
  const std::uint64_t record = buffer.position();
  if (buffer.size() <= overlap) return false;
  if (window_.searched < record + overlap) {
    window_.scanned += record + overlap - std::max(window_.searched, record);
    window_.searched = record + overlap;
  }
  window_.base = window_.searched - overlap;
  return buffer.end() > window_.searched;
}

std::uint64_t MatchMemo::begin_and_search(const ByteBuffer& buffer) noexcept {
  return prepare(buffer) ? search_on(buffer) : 0;
}

/// Leaves of the candidates in the mask those that are matches. Beyond two bytes read for each of
/// the block's, candidates cost more than a search for one record does: then the rest of the block
/// counts as not searched.
void MatchMemo::verify(const ByteBuffer& buffer) noexcept {
  constexpr std::size_t most_bytes = 2 * 64;
  const std::string_view wanted = separator();
  std::size_t bytes_read = 0;
  for (std::uint64_t left = window_.mask; left != 0; left &= left - 1) {
    const std::uint64_t start = window_.base + static_cast<unsigned>(std::countr_zero(left));
    if (bytes_read > most_bytes) {
      way_ = Way::costly;
      window_.mask &= ~left;
      window_.searched = start + size_ - 1;
      return;
    }
    if (!is_at(buffer.at(start), wanted, bytes_read)) window_.mask ^= left & (~left + 1);
  }
}

/// The two bytes tell where it may be, the others whether it is.
std::uint64_t MatchMemo::search_long(const ByteBuffer& buffer) noexcept {
  while (way_ == Way::probes && prepare(buffer)) {
    const char* const at = buffer.at(window_.base) + long_->lead;
    const auto starts = static_cast<std::size_t>(buffer.end() - window_.searched);
    if (known_match_kernels().search_pair(window_, at, starts) == 0) return 0;
    verify(buffer);
    if (any()) return matches();
  }
  return 0;
}

/// No further than to the first match. The next time it is worth more.
void MatchMemo::search_once(const ByteBuffer& buffer) noexcept {
  if (way_ == Way::once) {
    way_ = size_ <= 2 ? Way::blocks : Way::probes;
    const MatchKernels& kernels = known_match_kernels();
    if (way_ == Way::blocks) search_ = size_ == 1 ? kernels.search_byte : kernels.search_pair;
  }
  if (!prepare(buffer)) return;
  const std::string_view rest(buffer.at(window_.base),
                              static_cast<std::size_t>(buffer.end() - window_.base));
  const std::size_t start = find_separator(rest, separator(), 0);
  const std::size_t starts = rest.size() - (size_ - 1);
  window_.take(start == not_found ? MatchBlock{starts, 0} : MatchBlock{start, 1},
               start == not_found ? starts : start + 1);
}

}  // namespace weir::detail

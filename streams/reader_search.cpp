// SPDX-License-Identifier: MIT
//
// The part of ReaderState that looks for separators.
#include <algorithm>
#include <limits>
#include <utility>

#include <weir/streams/find_separator.hpp>
#include <weir/streams/reader_state.hpp>

namespace weir::detail {

using Scan = SetMemo::Scan;

/// The bits of the last block are used up: the next one with a match.
std::uint64_t ReaderState::search_on() noexcept {
  return buffer_.position() < turn_end_ ? memo_.search_on(buffer_) : 0;
}

Verdict ReaderState::look_until(std::string_view separator, Look look, std::size_t limit) {
  if (separator.empty()) return Verdict::bad_argument;
  if (refused(look)) return Verdict::failed;
  if (!memo_.knows(separator)) [[unlikely]]
    memo_.start(separator, buffer_.position());
  Match match;
  if (buffer_.size() >= separator.size()) {
    memo_.drop_before(buffer_.position());  // Matches that overlapped the last one.
    if (!memo_.any()) memo_.search(buffer_);
    if (memo_.any()) {
      match = {static_cast<std::size_t>(memo_.next() - buffer_.position()), separator.size()};
    }
  }
  return judge(match, separator.size(), separator.size(), limit);
}

namespace {

std::string length_prefix(std::string_view separator) {
  return std::to_string(separator.size()) + ":";
}

/// All of them in one string that no other set gives.
std::string key_of(const Separators& separators) {
  std::string key;
  for (const std::string_view separator : separators) {
    key += length_prefix(separator);
    key += separator;
  }
  return key;
}

/// Whether key_of() would give `key`. Asked for every read, so it makes no key to compare.
bool is_key_of(std::string_view key, const Separators& separators) {
  const auto goes_on_with = [&key](std::string_view piece) {
    if (!key.starts_with(piece)) return false;
    key.remove_prefix(piece.size());
    return true;
  };
  for (const std::string_view separator : separators) {
    if (!goes_on_with(length_prefix(separator)) || !goes_on_with(separator)) return false;
  }
  return key.empty();
}

}  // namespace

Verdict ReaderState::look_until_any(const Separators& separators, Look look, std::size_t limit) {
  if (separators.empty() || separators.shortest().empty()) return Verdict::bad_argument;
  if (refused(look)) return Verdict::failed;
  if (!seldom_ || !is_key_of(seldom_->set.key, separators)) [[unlikely]]
    start_account(key_of(separators), separators.size());
  Match match;
  if (buffer_.size() >= separators.shortest().size()) {
    match = search(std::span(separators.begin(), separators.size()));
  }
  return judge(match, separators.shortest().size(), separators.longest().size(), limit);
}

/// What a search has come to, for separators of `shortest` to `longest` bytes.
Verdict ReaderState::judge(const Match& match, std::size_t shortest, std::size_t longest,
                           std::size_t limit) noexcept {
  if (match.length != 0) {
    const bool overrun = match.start > limit;
    set_amount(overrun ? match.start : match.end());
    return overrun ? Verdict::overrun_found : Verdict::take;
  }
  if (buffer_.size() >= shortest) {
    // The last bytes may be the beginning of a separator, and do not count yet.
    set_amount(buffer_.size() >= longest ? buffer_.size() + 1 - longest : 0);
    if (amount() > limit) return Verdict::overrun_not_found;
  }
  return ended() ? Verdict::incomplete : Verdict::wait;
}

/// Another set starts anew at the record that begins now.
void ReaderState::start_account(std::string key, std::size_t count) {
  SetMemo& set = seldom().set;
  set.scans.assign(count, Scan{buffer_.position(), Scan::none});
  set.key = std::move(key);  // From here on it is its; nothing can throw any more.
}

/// The match that ends first; of two that end together the one of the shorter separator. Each of
/// them goes on where it stopped, and no further than it could still win: looking for all of them
/// to the end of the buffer, for every record, would be quadratic.
ReaderState::Match ReaderState::search(std::span<const std::string_view> separators) noexcept {
  const std::span<Scan> scans = seldom_->set.scans;
  const std::uint64_t record = buffer_.position();
  Match best;
  for (std::size_t i = 0; i < separators.size(); ++i) {
    if (scans[i].match < record) scans[i].match = Scan::none;  // Its beginning has been taken.
    if (scans[i].match == Scan::none) continue;
    const Match known{static_cast<std::size_t>(scans[i].match - record), separators[i].size()};
    if (best.length == 0 || known.end() < best.end()) best = known;
  }
  for (std::size_t i = 0; i < separators.size(); ++i) {
    const std::string_view separator = separators[i];
    if (scans[i].match != Scan::none) continue;
    // Only one that ends earlier still wins: the shorter ones have been here before.
    std::size_t end = best.length == 0 ? buffer_.size() : best.end() - 1;
    const auto searched = static_cast<std::size_t>(std::max(scans[i].searched, record) - record);
    if (searched >= end) continue;
    const std::size_t from = searched >= separator.size() ? searched + 1 - separator.size() : 0;
    const std::size_t start = find_separator(buffer_.view().substr(0, end), separator, from);
    if (start != not_found) {
      best = {start, separator.size()};
      end = best.end();
      scans[i].match = record + start;
    }
    scans[i].searched = record + end;
    seldom_->set_bytes_scanned += end - std::min(searched, from + separator.size() - 1);
  }
  return best;
}

/// A piece of the record: all that is left of it, or, if that is more than `limit`, the next
/// `limit` bytes. Where it is cut does not depend on how the bytes have come.
Verdict ReaderState::look_piece(std::string_view separator, Look look, std::size_t limit) {
  const Verdict verdict = look_until(separator, look, limit);
  if (verdict != Verdict::overrun_found && verdict != Verdict::overrun_not_found) return verdict;
  set_amount(limit);  // Less than what precedes the separator, or the beginning of one.
  return Verdict::take_part;
}

/// What cannot be a part of the separator goes at once, and is added to `discarded`.
Verdict ReaderState::look_discard(std::string_view separator, Look look, std::uint64_t& discarded) {
  constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();
  const Verdict verdict = look_until(separator, look, unlimited);
  // Another read waits: this one will be refused, and the bytes are not its own.
  if (verdict != Verdict::wait || waiter_ != nullptr) return verdict;
  if (buffer_.size() < separator.size()) return verdict;
  const std::size_t certain = buffer_.size() + 1 - separator.size();
  buffer_.consume(certain);
  discarded += certain;
  trim_when_drained();
  return verdict;
}

}  // namespace weir::detail

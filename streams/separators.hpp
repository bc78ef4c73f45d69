// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {

/// One separator of readuntil(): a string literal (with any NULs inside it), a std::string or a
/// std::string_view.
///
/// Lifetime  Points to the caller's bytes, for the expression that it stands in.
class Separator {
 public:
  template <std::size_t N>
  constexpr Separator(const char (&literal)[N]) noexcept
      : bytes_(literal, N - 1) {}  // NOLINT: implicit by design
  template <class S>
    requires(std::convertible_to<const S&, std::string_view> && !std::is_array_v<S>)
  constexpr Separator(const S& bytes) noexcept : bytes_(bytes) {}  // NOLINT: likewise

  constexpr std::string_view bytes() const noexcept { return bytes_; }

 private:
  std::string_view bytes_;
};

/// Several separators: readuntil({"\r\n", "\n"}). Ordered by length, as asyncio orders them.
///
/// Shape     None to eight. A variadic constructor, since g++ 12 cannot compile a
///           std::initializer_list inside a
///           co_await expression.
/// Source    CPython 3.13 streams.py readuntil.
class Separators {
 public:
  static constexpr std::size_t max_count = 8;

  constexpr Separators() noexcept {}
  template <class... More>
    requires(sizeof...(More) >= 1 && (std::convertible_to<const More&, Separator> && ...))
  constexpr Separators(const Separator& first,
                       const More&... more) noexcept  // NOLINT: implicit by design
      : all_{first.bytes(), Separator(more).bytes()...}, count_(1 + sizeof...(More)) {
    static_assert(1 + sizeof...(More) <= max_count, "readuntil() takes at most eight separators");
    // Stable, so that of two of one length the earlier wins. std::stable_sort may allocate; eight
    // need no better sort.
    for (std::size_t i = 1; i < count_; ++i) {
      for (std::size_t j = i; j > 0 && all_[j].size() < all_[j - 1].size(); --j)
        std::swap(all_[j], all_[j - 1]);
    }
  }
  explicit constexpr Separators(const Separator& only) noexcept : all_{only.bytes()}, count_(1) {}

  /// The same separators in `bytes`, where they lie one behind the other in this order.
  constexpr Separators moved_to(std::string_view bytes) const noexcept {
    Separators moved = *this;
    for (std::size_t i = 0; i < count_; ++i) {
      moved.all_[i] = bytes.substr(0, all_[i].size());
      bytes.remove_prefix(all_[i].size());
    }
    return moved;
  }

  constexpr const std::string_view* begin() const noexcept { return all_.data(); }
  constexpr const std::string_view* end() const noexcept { return all_.data() + count_; }
  constexpr std::size_t size() const noexcept { return count_; }
  constexpr bool empty() const noexcept { return count_ == 0; }
  constexpr std::string_view shortest() const noexcept { return all_[0]; }
  constexpr std::string_view longest() const noexcept { return all_[count_ - 1]; }

 private:
  std::array<std::string_view, max_count> all_{};
  std::size_t count_ = 0;
};
static_assert(std::is_trivially_destructible_v<Separators>);

}  // namespace weir

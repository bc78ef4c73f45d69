// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {

/// Where a server listens: one host, or several: create_server(factory, {"127.0.0.1", "::1"}, 80).
/// An empty name is all interfaces, and so is no name at all.
///
/// Shape     One to eight names, or a span of any number of them. A variadic constructor, since
///           g++ 12 cannot compile a std::initializer_list inside a co_await expression.
/// Lifetime  Points to the caller's names, for the expression that it stands in.
class Hosts {
 public:
  static constexpr std::size_t max_count = 8;

  constexpr Hosts() noexcept {}
  Hosts(std::nullptr_t) = delete;  // Python's None: write "" or Hosts().
  template <class... More>
    requires(std::convertible_to<const More&, std::string_view> && ...)
  constexpr Hosts(std::string_view first,
                  const More&... more) noexcept  // NOLINT: implicit by design
      : some_{first, std::string_view(more)...}, count_(1 + sizeof...(More)) {
    static_assert(1 + sizeof...(More) <= max_count, "more than eight hosts are given as a span");
  }
  template <class Name>
    requires(std::convertible_to<const Name&, std::string_view> &&
             !std::same_as<Name, std::string_view>)
  constexpr Hosts(const Name& only) noexcept  // NOLINT: likewise
      : Hosts(std::string_view(only)) {}
  constexpr Hosts(std::span<const std::string_view> list) noexcept  // NOLINT: likewise
      : many_(list), count_(0) {}

  constexpr const std::string_view* begin() const noexcept {
    return count_ != 0 ? some_.data() : many_.data();
  }
  constexpr const std::string_view* end() const noexcept { return begin() + size(); }
  constexpr std::size_t size() const noexcept { return count_ != 0 ? count_ : many_.size(); }

 private:
  std::array<std::string_view, max_count> some_{};
  std::span<const std::string_view> many_;
  std::size_t count_ = 1;  // Of some_; 0: the list.
};
static_assert(std::is_trivially_destructible_v<Hosts>);

}  // namespace weir

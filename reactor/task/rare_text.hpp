// Internal: used by future_base.hpp.
// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {
namespace detail {

/// A text that is nearly always empty: then it takes 8 bytes, not a std::string's 32.
class RareText {
 public:
  const std::string& get() const noexcept;
  /// A copy of `text`, or nothing where there is no memory for that. `text` may be get().
  void set(const std::string& text) noexcept;

 private:
  std::unique_ptr<const std::string> text_;
};

}  // namespace detail
}  // namespace weir

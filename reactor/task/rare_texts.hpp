// Internal: used by future_base.hpp.
// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {
namespace detail {

/// The texts of a future or a task, which nearly none has: then they take 8 bytes.
class RareTexts {
 public:
  const std::string& cancel_message() const noexcept;
  /// A copy of `text`, or nothing where there is no memory for that. `text` may be
  /// cancel_message().
  void set_cancel_message(const std::string& text) noexcept;
  /// Null if it was given none.
  const std::string* name() const noexcept {
    return texts_ && texts_->name ? &*texts_->name : nullptr;
  }
  void set_name(std::string name) { texts().name = std::move(name); }

 private:
  struct Texts {
    std::string cancel_message;
    std::optional<std::string> name;
  };
  Texts& texts() {
    if (!texts_) texts_ = std::make_unique<Texts>();
    return *texts_;
  }

  std::unique_ptr<Texts> texts_;
};

}  // namespace detail
}  // namespace weir

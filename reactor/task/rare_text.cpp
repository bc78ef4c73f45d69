// SPDX-License-Identifier: MIT
#include <weir/reactor/task/rare_text.hpp>

#include <new>

#include <weir/reactor/no_alloc.hpp>

namespace weir::detail {

const std::string& RareText::get() const noexcept {
  static const std::string nothing;
  return text_ ? *text_ : nothing;
}

void RareText::set(const std::string& text) noexcept {
  if (&text == &get()) return;
  text_.reset();
  if (text.empty()) return;
  const MayAllocScope a_text;
  try {
    text_ = std::make_unique<const std::string>(text);
  } catch (const std::bad_alloc&) {
  }
}

}  // namespace weir::detail

// SPDX-License-Identifier: MIT
#include <weir/reactor/task/rare_texts.hpp>

#include <new>

#include <weir/reactor/no_alloc.hpp>

namespace weir::detail {

const std::string& RareTexts::cancel_message() const noexcept {
  static const std::string nothing;
  return texts_ ? texts_->cancel_message : nothing;
}

void RareTexts::set_cancel_message(const std::string& text) noexcept {
  if (!texts_ && text.empty()) return;
  const MayAllocScope a_text;
  try {
    texts().cancel_message = text;
  } catch (const std::bad_alloc&) {
    if (texts_) texts_->cancel_message.clear();
  }
}

}  // namespace weir::detail

// SPDX-License-Identifier: MIT
#include <weir/reactor/trace.hpp>

#include <utility>

#include <weir/reactor/trace/json.hpp>

namespace weir {

void Trace::explain_to(std::function<void(std::string_view)> line) {
  explainer_ = std::make_unique<detail::Explainer>(std::move(line));
  tracer_.set_listener(
      [its = explainer_.get()](const detail::TraceRecord& record) { its->tell(record); });
}

void Trace::flush() {
  if (explainer_) explainer_->flush();
}

std::string Trace::json() const {
  const detail::TraceRing* const rings[] = {&tracer_.records()};
  return detail::trace_json(rings);
}

}  // namespace weir

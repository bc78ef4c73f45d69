// SPDX-License-Identifier: MIT
#include <weir/streams/reader_extensions.hpp>

#include <weir/reactor/error.hpp>

namespace weir {

void ReaderExtensions::set_read_cap(std::optional<std::ptrdiff_t> bytes) const {
  if (bytes && *bytes <= 0) throw ValueError("Cap cannot be <= 0");
  state_->set_cap(bytes ? static_cast<std::size_t>(*bytes) : detail::ReaderSeldom::no_cap);
}

}  // namespace weir

// SPDX-License-Identifier: MIT
//
// What one writes for "\r\n": memchr for the last byte, and a look at those before it.
#include <bench/readuntil/bare_buffer.hpp>
#include <bench/readuntil/sides.hpp>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace weir::bench {
namespace {

struct LastByte {
  std::string_view separator;

  const char* operator()(const char* begin, const char* end) const {
    const std::size_t before = separator.size() - 1;
    const char* from = begin + before;
    while (from < end) {
      const void* hit = std::memchr(from, separator.back(), static_cast<std::size_t>(end - from));
      if (hit == nullptr) break;
      const char* const start = static_cast<const char*>(hit) - before;
      if (std::memcmp(start, separator.data(), before) == 0) return start;
      from = start + separator.size();
    }
    return end;
  }
};

struct LastByteView {
  template <class Sink>
  void operator()(const Workload& workload, Sink& sink) {
    buffer.clear();
    take_from_chunks(buffer, workload, LastByte{workload.separator()},
                     [&](std::string_view record) { sink(record); });
  }
  BareBuffer buffer;
};

}  // namespace

Side last_byte_side() {
  return std::make_unique<SimpleContestant<LastByteView>>("last-byte memchr", several_bytes);
}

}  // namespace weir::bench

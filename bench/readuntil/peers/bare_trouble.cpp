// SPDX-License-Identifier: MIT
//
// Floors for what goes wrong: a search that forgets at every time-out how far it was, and memchr
// with a limit.
#include <bench/readuntil/bare_buffer.hpp>
#include <bench/readuntil/peers/last_byte.hpp>
#include <bench/readuntil/sides.hpp>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace weir::bench {
namespace {

template <bool remembers>
struct BareTimeouts {
  template <class Sink>
  void operator()(const Workload& workload, Sink& sink) {
    buffer.clear();
    take_from_chunks<remembers>(buffer, workload, LastByte{workload.separator()},
                                [&](std::string_view record) { sink(record); });
  }
  BareBuffer buffer;
};

/// Never holds more than the limit and a chunk.
struct BareLimit {
  template <class Sink>
  void operator()(const Workload& workload, Sink& sink) {
    buffer.clear();
    bool is_rest = false;
    std::size_t searched = 0;
    for (const std::string_view chunk : workload.chunks) {
      buffer.add(chunk);
      const char* record = buffer.begin();
      const char* const end = buffer.end();
      const char* from = record + searched;
      while (const void* hit =
                 std::memchr(from, workload.separator()[0], static_cast<std::size_t>(end - from))) {
        const char* const next = static_cast<const char*>(hit) + 1;
        const auto length = static_cast<std::size_t>(next - record);
        sink(is_rest || length - 1 > workload.limit ? std::string_view()
                                                    : std::string_view(record, length));
        is_rest = false;
        record = from = next;
      }
      if (static_cast<std::size_t>(end - record) > workload.limit) {
        is_rest = true;
        record = end;
      }
      buffer.consume(static_cast<std::size_t>(record - buffer.begin()));
      searched = buffer.size();
    }
  }
  BareBuffer buffer;
};

}  // namespace

std::vector<Side> bare_timeout_sides() {
  std::vector<Side> sides;
  sides.push_back(std::make_unique<SimpleContestant<BareTimeouts<true>>>("bare loop, remembers",
                                                                         one_separator));
  sides.push_back(
      std::make_unique<SimpleContestant<BareTimeouts<false>>>("bare loop, forgets", one_separator));
  return sides;
}

Side bare_limit_side() {
  return std::make_unique<SimpleContestant<BareLimit>>("memchr, limit checked", one_byte);
}

}  // namespace weir::bench

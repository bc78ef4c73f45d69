// SPDX-License-Identifier: MIT
//
// The last byte of a separator is what memchr finds best, if it is rare.
#include <bench/readuntil/peers/last_byte.hpp>

#include <bench/readuntil/bare_buffer.hpp>
#include <bench/readuntil/sides.hpp>
#include <memory>
#include <string_view>

namespace weir::bench {
namespace {

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

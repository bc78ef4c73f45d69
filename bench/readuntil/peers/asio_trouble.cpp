// SPDX-License-Identifier: MIT
//
// Asio's synchronous read_until where not every read ends with a record: over a socket with a
// time-out (SO_RCVTIMEO), and with a streambuf that has a largest size.
#include <asio.hpp>

#include <bench/readuntil/peers/asio_memory_stream.hpp>
#include <bench/readuntil/sides.hpp>
#include <memory>
#include <string>
#include <string_view>

namespace weir::bench {
namespace {

struct TimingOut {
  template <class Sink>
  void operator()(const Workload& workload, Sink& sink) {
    asio::io_context context(1);
    MemoryStream stream(context, workload, true);
    asio::streambuf buffer;
    buffer.prepare(room_bytes);
    asio::error_code error;
    for (;;) {
      const std::size_t length = asio::read_until(stream, buffer, workload.separator(), error);
      if (error == asio::error::timed_out) continue;
      if (error) break;
      sink(record_in(buffer, length));
      buffer.consume(length);
    }
  }
};

struct Limited {
  template <class Sink>
  void operator()(const Workload& workload, Sink& sink) {
    asio::io_context context(1);
    MemoryStream stream(context, workload);
    const std::string_view separator = workload.separator();
    asio::streambuf buffer(workload.limit + separator.size());
    asio::error_code error;
    bool is_rest = false;
    for (;;) {
      const std::size_t length = asio::read_until(stream, buffer, separator, error);
      if (error == asio::error::not_found) {
        buffer.consume(buffer.size() + 1 - separator.size());
        is_rest = true;
        continue;
      }
      if (error) break;
      sink(is_rest ? std::string_view() : record_in(buffer, length));
      is_rest = false;
      buffer.consume(length);
    }
  }
};

}  // namespace

std::vector<Side> asio_timeout_sides() {
  std::vector<Side> sides;
  sides.push_back(std::make_unique<SimpleContestant<TimingOut>>("Asio read_until", one_separator));
  return sides;
}

std::vector<Side> asio_limit_sides() {
  std::vector<Side> sides;
  sides.push_back(std::make_unique<SimpleContestant<Limited>>("Asio read_until", one_separator));
  return sides;
}

}  // namespace weir::bench

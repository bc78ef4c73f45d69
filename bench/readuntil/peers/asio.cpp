// SPDX-License-Identifier: MIT
//
// Asio's read_until over a stream in memory, as its examples use it: synchronously, and in a
// coroutine whose reads end by way of the io_context. The record is looked at in the streambuf,
// without a copy, and consumed. A streambuf forgets it by moving a pointer, where a dynamic buffer
// over a string would move all that follows.
#include <asio.hpp>

#include <bench/readuntil/peers/asio_memory_stream.hpp>
#include <bench/readuntil/sides.hpp>
#include <memory>
#include <string>
#include <string_view>

namespace weir::bench {
namespace {

/// The separator as read_until() takes it: a string, or, which is faster, a char.
template <class Separator>
Separator separator_of(const Workload& workload) {
  if constexpr (std::is_same_v<Separator, char>) {
    return workload.separator()[0];
  } else {
    return Separator(workload.separator());
  }
}

template <class Separator>
struct Synchronous {
  template <class Sink>
  void operator()(const Workload& workload, Sink& sink) {
    asio::io_context context(1);
    MemoryStream stream(context, workload);
    asio::streambuf buffer;
    buffer.prepare(room_bytes);
    const auto separator = separator_of<Separator>(workload);
    asio::error_code error;
    for (;;) {
      const std::size_t length = asio::read_until(stream, buffer, separator, error);
      if (error) break;
      sink(record_in(buffer, length));
      buffer.consume(length);
    }
  }
};

template <class Separator>
struct Coroutine {
  template <class Sink>
  void operator()(const Workload& workload, Sink& sink) {
    asio::io_context context(1);
    MemoryStream stream(context, workload);
    asio::streambuf buffer;
    buffer.prepare(room_bytes);
    asio::co_spawn(context, take_all(&stream, &workload, &sink, &buffer), asio::detached);
    context.run();
  }

  template <class Sink>
  static asio::awaitable<void> take_all(MemoryStream* stream, const Workload* workload, Sink* sink,
                                        asio::streambuf* buffer) {
    const auto separator = separator_of<Separator>(*workload);
    while (sink->seen.records < workload->expected.records) {
      const std::size_t length =
          co_await asio::async_read_until(*stream, *buffer, separator, asio::use_awaitable);
      (*sink)(record_in(*buffer, length));
      buffer->consume(length);
    }
  }
};

template <template <class> class Work>
std::vector<Side> both(const std::string& name) {
  std::vector<Side> sides;
  sides.push_back(std::make_unique<SimpleContestant<Work<std::string_view>>>(name, one_separator));
  sides.push_back(std::make_unique<SimpleContestant<Work<char>>>(name + ", char", one_byte));
  return sides;
}

}  // namespace

std::vector<Side> asio_sides() {
  std::vector<Side> sides = both<Coroutine>("Asio async_read_until");
  for (Side& side : both<Synchronous>("Asio read_until")) sides.push_back(std::move(side));
  return sides;
}

std::string asio_version() {
  return std::to_string(ASIO_VERSION / 100000) + "." + std::to_string(ASIO_VERSION / 100 % 1000) +
         "." + std::to_string(ASIO_VERSION % 100);
}

}  // namespace weir::bench

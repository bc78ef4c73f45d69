// SPDX-License-Identifier: MIT
//
// Asio's read_until over a stream in memory, as its examples use it: synchronously, and in a
// coroutine whose reads end by way of the io_context. The record is looked at in the streambuf,
// without a copy, and consumed. A streambuf forgets it by moving a pointer, where a dynamic buffer
// over a string would move all that follows.
#include <asio.hpp>

#include <algorithm>
#include <bench/readuntil/sides.hpp>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace weir::bench {
namespace {

/// The chunks as a SyncReadStream and an AsyncReadStream. What of a chunk does not fit into the
/// buffers comes with the next read.
class MemoryStream {
 public:
  using executor_type = asio::io_context::executor_type;

  MemoryStream(asio::io_context& context, const Workload& workload)
      : context_(context), chunks_(workload.chunks) {}
  executor_type get_executor() { return context_.get_executor(); }

  template <class Buffers>
  std::size_t read_some(const Buffers& buffers, asio::error_code& error) {
    error = {};
    // Asio's way to have a record that is there reported by the io_context.
    if (asio::buffer_size(buffers) == 0) return 0;
    if (next_ == chunks_.size()) {
      error = asio::error::eof;
      return 0;
    }
    const std::string_view chunk = chunks_[next_].substr(taken_);
    const std::size_t bytes = asio::buffer_copy(buffers, asio::buffer(chunk.data(), chunk.size()));
    taken_ = bytes == chunk.size() ? 0 : taken_ + bytes;
    if (bytes == chunk.size()) ++next_;
    return bytes;
  }
  template <class Buffers>
  std::size_t read_some(const Buffers& buffers) {
    asio::error_code error;
    const std::size_t bytes = read_some(buffers, error);
    if (error) throw asio::system_error(error);
    return bytes;
  }
  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(asio::error_code, std::size_t)>(
        [this](auto handler, const Buffers& room) {
          asio::error_code error;
          const std::size_t bytes = read_some(room, error);
          asio::post(context_, [handler = std::move(handler), error, bytes]() mutable {
            handler(error, bytes);
          });
        },
        token, buffers);
  }

 private:
  asio::io_context& context_;
  const std::vector<std::string_view>& chunks_;
  std::size_t next_ = 0;
  std::size_t taken_ = 0;
};

constexpr std::size_t room_bytes = 256 * 1024;  // So that a read takes a whole chunk.

std::string_view record_in(const asio::streambuf& buffer, std::size_t length) {
  return {static_cast<const char*>(buffer.data().data()), length};
}

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
    asio::co_spawn(context, take_all(stream, workload, sink, buffer), asio::detached);
    context.run();
  }

  template <class Sink>
  static asio::awaitable<void> take_all(MemoryStream& stream, const Workload& workload, Sink& sink,
                                        asio::streambuf& buffer) {
    const auto separator = separator_of<Separator>(workload);
    while (sink.seen.records < workload.expected.records) {
      const std::size_t length =
          co_await asio::async_read_until(stream, buffer, separator, asio::use_awaitable);
      sink(record_in(buffer, length));
      buffer.consume(length);
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

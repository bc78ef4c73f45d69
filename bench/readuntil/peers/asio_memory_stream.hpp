// Internal: used by Asio's sides of the readuntil benchmark.
// SPDX-License-Identifier: MIT
#pragma once

#include <asio.hpp>
#include <bench/readuntil/workload.hpp>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::bench {

/// The chunks as a SyncReadStream and an AsyncReadStream. What of a chunk does not fit into the
/// buffers comes with the next read. One that times out says so once after every chunk.
class MemoryStream {
 public:
  using executor_type = asio::io_context::executor_type;

  MemoryStream(asio::io_context& context, const Workload& workload, bool times_out = false)
      : context_(context), chunks_(workload.chunks), times_out_(times_out) {}
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
    if (late_) {
      late_ = false;
      error = asio::error::timed_out;
      return 0;
    }
    const std::string_view chunk = chunks_[next_].substr(taken_);
    const std::size_t bytes = asio::buffer_copy(buffers, asio::buffer(chunk.data(), chunk.size()));
    taken_ = bytes == chunk.size() ? 0 : taken_ + bytes;
    if (bytes == chunk.size()) ++next_;
    late_ = times_out_ && taken_ == 0;
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
  bool times_out_;
  bool late_ = false;
};

inline constexpr std::size_t room_bytes = 256 * 1024;  // So that a read takes a whole chunk.

inline std::string_view record_in(const asio::streambuf& buffer, std::size_t length) {
  return {static_cast<const char*>(buffer.data().data()), length};
}

}  // namespace weir::bench

// SPDX-License-Identifier: MIT
#include <weir/net/sendfile.hpp>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include <weir/net/socket_transport.hpp>
#include <weir/reactor/task/run_in_executor.hpp>

namespace weir {
namespace {

using detail::SocketTransport;

constexpr std::int64_t native_block_bytes = 1 << 30;  // sendfile(2) sends less than 2^31 at a time.
constexpr std::int64_t fallback_block_bytes = 64 * 1024;

/// The sending side of a transport, for as long as a sendfile() has it; nothing is received.
class SendingSide {
 public:
  explicit SendingSide(std::shared_ptr<SocketTransport> transport)
      : transport_(std::move(transport)) {
    transport_->begin_sendfile();
  }
  SendingSide(const SendingSide&) = delete;
  SendingSide& operator=(const SendingSide&) = delete;
  ~SendingSide() { transport_->end_sendfile(); }

 private:
  std::shared_ptr<SocketTransport> transport_;
};

/// What is still to be sent, and no more than one block of it.
std::size_t next_block(const SendfileOptions& options, std::int64_t sent, std::int64_t block) {
  return static_cast<std::size_t>(options.count ? std::min(*options.count - sent, block) : block);
}

/// The system has no sendfile, or not from such a file or to such a socket.
bool is_unavailable(int error) {
  return error == ENOSYS || error == EINVAL || error == EOPNOTSUPP || error == ESPIPE;
}

std::string read_block(Kernel& kernel, int fd, std::int64_t offset, std::size_t bytes) {
  std::string block(bytes, '\0');
  IoResult got{0, EINTR};
  while (got.error == EINTR) got = kernel.pread(fd, block, offset);
  if (!got.ok()) throw_os_error(got.error);
  block.resize(static_cast<std::size_t>(got.value));
  return block;
}

Coro<std::int64_t> read_and_write(std::shared_ptr<SocketTransport> transport, int fd,
                                  SendfileOptions options) {
  EventLoop& loop = get_running_loop();
  std::int64_t sent = 0;
  while (const std::size_t bytes = next_block(options, sent, fallback_block_bytes)) {
    const auto read = [&kernel = loop.kernel(), fd, offset = options.offset + sent, bytes] {
      return read_block(kernel, fd, offset, bytes);
    };
    const std::string block = co_await loop.run_in_executor(read);
    if (block.empty()) break;
    transport->send_block(block);
    co_await transport->drained();
    sent += static_cast<std::int64_t>(block.size());
  }
  co_return sent;
}

/// One call for each time that the socket has room: a fast peer must not starve the others.
Coro<std::int64_t> send_file(std::shared_ptr<SocketTransport> transport, int fd,
                             SendfileOptions options) {
  const SendingSide side(transport);
  std::int64_t sent = 0;
  co_await transport->drained();
  while (const std::size_t bytes = next_block(options, sent, native_block_bytes)) {
    const IoResult got = transport->send_from(fd, options.offset + sent, bytes);
    if (!got.ok() && !got.would_block()) {
      if (sent != 0 || !is_unavailable(got.error)) throw_os_error(got.error);
      if (!options.fallback) throw SendfileNotAvailableError("os.sendfile call failed");
      const std::int64_t all = co_await read_and_write(transport, fd, options);
      co_return all;
    }
    if (got.ok() && got.value == 0) break;
    sent += got.value;
    if (options.count && sent == *options.count) break;
    co_await transport->writable();
  }
  co_return sent;
}

}  // namespace

Coro<std::int64_t> sendfile(const std::shared_ptr<Transport>& transport, int fd,
                            const SendfileOptions& options) {
  if (transport->is_closing()) throw RuntimeError("Transport is closing");
  auto its = std::dynamic_pointer_cast<SocketTransport>(transport);
  if (!its) throw RuntimeError("sendfile is not supported for transport " + transport->repr());
  if (options.count && *options.count <= 0) {
    throw ValueError("count must be a positive integer (got " + std::to_string(*options.count) +
                     ")");
  }
  if (options.offset < 0) {
    throw ValueError("offset must be a non-negative integer (got " +
                     std::to_string(options.offset) + ")");
  }
  return send_file(std::move(its), fd, options);
}

}  // namespace weir

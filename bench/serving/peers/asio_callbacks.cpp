// SPDX-License-Identifier: MIT
//
// Echo on Asio with callbacks: a session that keeps itself alive, one buffer of its own.
//
//     asio_callbacks [BUFFER_BYTES]
#include <asio.hpp>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

namespace {

using asio::ip::tcp;

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, std::size_t buffer_bytes)
      : socket_(std::move(socket)), buffer_(buffer_bytes) {}

  void read() {
    socket_.async_read_some(asio::buffer(buffer_),
                            [self = shared_from_this()](std::error_code error, std::size_t bytes) {
                              if (!error) self->write(bytes);
                            });
  }

 private:
  void write(std::size_t bytes) {
    asio::async_write(socket_, asio::buffer(buffer_, bytes),
                      [self = shared_from_this()](std::error_code error, std::size_t) {
                        if (!error) self->read();
                      });
  }

  tcp::socket socket_;
  std::vector<char> buffer_;
};

void accept(tcp::acceptor& acceptor, std::size_t buffer_bytes) {
  acceptor.async_accept([&acceptor, buffer_bytes](std::error_code error, tcp::socket socket) {
    if (!error) {
      socket.set_option(tcp::no_delay(true));
      std::make_shared<Session>(std::move(socket), buffer_bytes)->read();
    }
    accept(acceptor, buffer_bytes);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t buffer_bytes = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 64 * 1024;
  asio::io_context context(1);  // One thread: no locks.
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  acceptor.listen(1024);
  std::printf("listening on 127.0.0.1:%d\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  accept(acceptor, buffer_bytes);
  context.run();
}

// SPDX-License-Identifier: MIT
//
// Echo and lines on Asio with coroutines.
//
//     asio_coroutines echo [BUFFER_BYTES]
//     asio_coroutines lines            async_read_until, and an async_write for every line
//     asio_coroutines lines_batched    the same, batched by hand: writes when no line is left
#include <asio.hpp>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace {

using asio::awaitable;
using asio::use_awaitable;
using asio::ip::tcp;

awaitable<void> echo(tcp::socket socket, std::size_t buffer_bytes) {
  std::vector<char> buffer(buffer_bytes);
  for (;;) {
    const std::size_t bytes = co_await socket.async_read_some(asio::buffer(buffer), use_awaitable);
    co_await asio::async_write(socket, asio::buffer(buffer, bytes), use_awaitable);
  }
}

awaitable<void> lines(tcp::socket socket) {
  std::string input;
  for (;;) {
    const std::size_t line = co_await asio::async_read_until(
        socket, asio::dynamic_buffer(input, 1024 * 1024), '\n', use_awaitable);
    co_await asio::async_write(socket, asio::buffer(input, line), use_awaitable);
    input.erase(0, line);
  }
}

awaitable<void> lines_batched(tcp::socket socket) {
  std::string input;
  std::string answers;
  for (;;) {
    const std::size_t first = co_await asio::async_read_until(
        socket, asio::dynamic_buffer(input, 1024 * 1024), '\n', use_awaitable);
    std::size_t begin = 0;
    for (std::size_t end = first; end != 0; end = input.find('\n', begin) + 1) {
      answers.append(input, begin, end - begin);
      begin = end;
    }
    input.erase(0, begin);
    co_await asio::async_write(socket, asio::buffer(answers), use_awaitable);
    answers.clear();
  }
}

awaitable<void> listen(tcp::acceptor& acceptor, std::string_view what, std::size_t buffer_bytes) {
  const auto executor = co_await asio::this_coro::executor;
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(use_awaitable);
    socket.set_option(tcp::no_delay(true));
    if (what == "echo") {
      asio::co_spawn(executor, echo(std::move(socket), buffer_bytes), asio::detached);
    } else if (what == "lines") {
      asio::co_spawn(executor, lines(std::move(socket)), asio::detached);
    } else {
      asio::co_spawn(executor, lines_batched(std::move(socket)), asio::detached);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "echo";
  const std::size_t buffer_bytes = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 64 * 1024;
  asio::io_context context(1);  // One thread: no locks.
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  acceptor.listen(1024);
  std::printf("listening on 127.0.0.1:%d\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  asio::co_spawn(context, listen(acceptor, what, buffer_bytes), asio::detached);
  context.run();
}

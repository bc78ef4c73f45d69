// Internal: used by echo.cpp.
// SPDX-License-Identifier: MIT
// A server whose clients are coroutines with a reader.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "loop.hpp"
#include "stream_reader.hpp"
#include "task.hpp"
#include "transport.hpp"

using ClientHandler =
    std::function<Coro<>(std::shared_ptr<StreamReader>, std::shared_ptr<Transport>)>;

// [protocol]
/// Feeds a reader, and starts the coroutine of a client.
class StreamReaderProtocol : public Protocol {
 public:
  StreamReaderProtocol(EventLoop& loop, std::size_t limit, ClientHandler handler)
      : loop_(loop),
        reader_(std::make_shared<StreamReader>(loop, limit)),
        handler_(std::move(handler)) {}

  void connection_made(const std::shared_ptr<Transport>& transport) override {
    create_task(loop_, handler_(reader_, transport));
  }
  void data_received(std::string_view data) override { reader_->feed_data(data); }
  bool eof_received() override {
    reader_->feed_eof();
    return true;  // The coroutine says when it has finished.
  }
  void connection_lost(int) override { reader_->feed_eof(); }

 private:
  EventLoop& loop_;
  std::shared_ptr<StreamReader> reader_;
  ClientHandler handler_;
};
// [/protocol]

// [start_server]
inline int start_server(EventLoop& loop, const ClientHandler& handler, int port,
                        std::size_t limit) {
  const auto factory = [&loop, handler, limit] {
    return std::make_shared<StreamReaderProtocol>(loop, limit, handler);
  };
  return create_server(loop, factory, port);
}
// [/start_server]

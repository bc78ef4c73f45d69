// Internal: used by echo.cpp.
// SPDX-License-Identifier: MIT
// A server whose clients are coroutines with a reader and a writer.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "loop.hpp"
#include "stream_reader.hpp"
#include "stream_writer.hpp"
#include "task.hpp"
#include "transport.hpp"

using ClientHandler =
    std::function<Coro<>(std::shared_ptr<StreamReader>, std::shared_ptr<StreamWriter>)>;

// [protocol]
/// Feeds a reader, tells a writer when to pause, and starts the coroutine of a client.
class StreamReaderProtocol : public Protocol {
 public:
  StreamReaderProtocol(EventLoop& loop, std::size_t limit, ClientHandler handler)
      : loop_(loop),
        reader_(std::make_shared<StreamReader>(loop, limit)),
        handler_(std::move(handler)) {}

  void connection_made(const std::shared_ptr<Transport>& transport) override {
    reader_->set_transport(transport);
    writer_ = std::make_shared<StreamWriter>(loop_, transport);
    create_task(loop_, handler_(reader_, writer_));
  }
  void data_received(std::string_view data) override { reader_->feed_data(data); }
  bool eof_received() override {
    reader_->feed_eof();
    return true;  // The coroutine says when it has finished.
  }
  void pause_writing() override { writer_->pause_writing(); }
  void resume_writing() override { writer_->resume_writing(); }
  void connection_lost(int) override {
    reader_->set_transport(nullptr);
    reader_->feed_eof();
    writer_->connection_lost();
  }

 private:
  EventLoop& loop_;
  std::shared_ptr<StreamReader> reader_;
  std::shared_ptr<StreamWriter> writer_;
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

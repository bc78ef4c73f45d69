// SPDX-License-Identifier: MIT
// Step 7: one client is one coroutine, which is written from top to bottom.
//
//     ./echo [PORT [DELAY_IN_MILLISECONDS]]
#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "loop.hpp"
#include "task.hpp"
#include "transport.hpp"

namespace {

// [stream]
/// Callbacks on one side, something to await on the other.
class Stream : public Protocol {
 public:
  explicit Stream(EventLoop& loop) : loop_(loop) {}

  /// What has come since the last time, as soon as there is something. Empty: the end.
  Future<std::string> read() {
    Future<std::string> result(loop_);
    waiter_ = result;
    if (!received_.empty() || ended_) wake();
    return result;
  }
  void write(std::string_view data) { transport_->write(data); }
  void close() { transport_->close(); }
  EventLoop& loop() { return loop_; }

  void connection_made(const std::shared_ptr<Transport>& transport) override {
    transport_ = transport;
  }
  void data_received(std::string_view data) override {
    received_ += data;
    wake();
  }
  bool eof_received() override {
    ended_ = true;
    wake();
    return true;  // The coroutine says when it has finished.
  }
  void connection_lost(int) override {
    ended_ = true;
    wake();
  }

 private:
  void wake() {
    if (!waiter_) return;
    const Future<std::string> waiter = *std::exchange(waiter_, std::nullopt);
    waiter.set_result(std::exchange(received_, {}));
  }

  EventLoop& loop_;
  std::shared_ptr<Transport> transport_;
  std::string received_;  // And not yet read.
  bool ended_ = false;
  std::optional<Future<std::string>> waiter_;
};
// [/stream]

// [echo]
Coro<> answer(std::shared_ptr<Stream> stream, std::string data, Clock::duration delay) {
  co_await sleep(stream->loop(), delay);
  stream->write(data);
}

Coro<> echo(std::shared_ptr<Stream> stream, Clock::duration delay) {
  for (;;) {
    const std::string data = co_await stream->read();
    if (data.empty()) break;
    co_await answer(stream, data, delay);
  }
  stream->close();
}
// [/echo]

}  // namespace

// [main]
int main(int argc, char** argv) {
  EventLoop loop;
  const std::chrono::milliseconds delay(argc > 2 ? std::atoi(argv[2]) : 0);
  const auto factory = [&loop, delay] {
    const auto stream = std::make_shared<Stream>(loop);
    create_task(loop, echo(stream, delay));  // Begins in the next pass, after connection_made.
    return stream;
  };
  create_server(loop, factory, argc > 1 ? std::atoi(argv[1]) : 0);
  loop.run_forever();
}
// [/main]

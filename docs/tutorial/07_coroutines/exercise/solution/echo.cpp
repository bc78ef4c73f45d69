// SPDX-License-Identifier: MIT
// Step 7, the exercise: nobody is served before WANTED clients are there.
//
//     ./echo PORT WANTED
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loop.hpp"
#include "task.hpp"
#include "transport.hpp"

namespace {

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

/// Something that happens once, and that any number of coroutines can wait for.
class Event {
 public:
  explicit Event(EventLoop& loop) : loop_(loop) {}

  /// It has happened: wakes all who wait.
  void set() {
    happened_ = true;
    for (const Future<bool>& waiter : std::exchange(waiters_, {})) waiter.set_result(true);
  }

  /// Done when it has happened.
  Future<bool> wait() {
    Future<bool> result(loop_);
    if (happened_) {
      result.set_result(true);
    } else {
      waiters_.push_back(result);
    }
    return result;
  }

 private:
  EventLoop& loop_;
  bool happened_ = false;
  std::vector<Future<bool>> waiters_;
};

/// What all clients share.
struct Meeting {
  explicit Meeting(EventLoop& loop, int clients) : wanted(clients), all_there(loop) {}
  int wanted;
  int there = 0;
  Event all_there;
};

Coro<> echo(std::shared_ptr<Stream> stream, std::shared_ptr<Meeting> meeting) {
  if (++meeting->there >= meeting->wanted) meeting->all_there.set();
  co_await meeting->all_there.wait();
  stream->write("go " + std::to_string(meeting->there) + "\n");
  for (;;) {
    const std::string data = co_await stream->read();
    if (data.empty()) break;
    stream->write(data);
  }
  stream->close();
}

}  // namespace

int main(int argc, char** argv) {
  EventLoop loop;
  const auto meeting = std::make_shared<Meeting>(loop, argc > 2 ? std::atoi(argv[2]) : 3);
  const auto factory = [&loop, meeting] {
    const auto stream = std::make_shared<Stream>(loop);
    create_task(loop, echo(stream, meeting));
    return stream;
  };
  create_server(loop, factory, argc > 1 ? std::atoi(argv[1]) : 0);
  loop.run_forever();
}

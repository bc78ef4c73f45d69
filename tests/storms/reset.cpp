// SPDX-License-Identifier: MIT
//
// Opens connections at a steady rate and resets each: at once, after a few bytes, after their
// answer, or in the middle of more than the other side can take. Says at the end how long it took.
//
//     storm_reset COUNT PER_SECOND PORT HOST...
//
// The hosts in turn: each has ports for some 28 000 connections, and finding one of the last takes
// the kernel long.
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/net/connect.hpp>
#include <weir/net/protocol.hpp>
#include <weir/net/transport.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/runner.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task.hpp>

namespace {

using namespace std::chrono_literals;
using Seconds = std::chrono::duration<double>;

class Resetter : public weir::Protocol {
 public:
  void connection_made(const std::shared_ptr<weir::Transport>& transport) override {
    transport_ = transport;
    const linger at_once{1, 0};
    const int fd = transport->get_extra_info("socket").socket()->fd();
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  void data_received(std::string_view) override {
    if (!answered.done()) answered.set_result();
  }
  void connection_lost(const std::exception_ptr&) override {
    transport_ = nullptr;
    if (!answered.done()) answered.set_result();
  }

  weir::Future<> answered = weir::get_running_loop().create_future<void>();

 private:
  std::shared_ptr<weir::Transport> transport_;
};

// A machine that was held up catches up in small steps: thousands of connections at once would keep
// the loop from resetting any.
constexpr int at_a_time = 200;

class Storm {
 public:
  Storm(int count, int per_second, int port, std::vector<std::string> hosts)
      : count_(count), per_second_(per_second), port_(port), hosts_(std::move(hosts)) {}

  weir::Coro<> run() {
    weir::EventLoop& loop = weir::get_running_loop();
    const weir::TimePoint start = loop.time();
    while (started_ < count_) {
      const double due = Seconds(loop.time() - start).count() * per_second_;
      while (started_ < count_ && started_ < due && started_ - ended_ < at_a_time) {
        loop.create_task(one(started_++));
      }
      co_await weir::sleep(2ms);
    }
    while (ended_ < count_) co_await weir::sleep(2ms);
    std::printf("reset %d in %.2f s\n", count_ - refused_, Seconds(loop.time() - start).count());
  }

 private:
  weir::Coro<> one(int number) {
    try {
      co_await connect_and_reset(number);
    } catch (const weir::OSError&) {  // The server's queue was full for too long.
      ++refused_;
    }
    ++ended_;
  }
  weir::Coro<> connect_and_reset(int number) {
    const auto factory = [] { return std::make_shared<Resetter>(); };
    const std::string& host = hosts_[static_cast<std::size_t>(number) % hosts_.size()];
    const auto made = co_await weir::create_connection(factory, host, port_);
    switch (number % 4) {
      case 1: made.transport->write("hello"); break;
      case 2:
        made.transport->write("hello");
        co_await made.protocol->answered;
        break;
      case 3: made.transport->write(std::string(100 * 1024, 'x')); break;
      default: break;
    }
    made.transport->abort();
  }

  int count_;
  int per_second_;
  int port_;
  std::vector<std::string> hosts_;
  int started_ = 0;
  int ended_ = 0;
  int refused_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: %s COUNT PER_SECOND PORT HOST...\n", argv[0]);
    return 2;
  }
  Storm storm(std::atoi(argv[1]), std::atoi(argv[2]), std::atoi(argv[3]), {argv + 4, argv + argc});
  return weir::run(storm.run());
}

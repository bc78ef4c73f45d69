// SPDX-License-Identifier: MIT
//
// Opens connections to a server, says so, and holds them until it is killed. A third of them has
// had an answer by then, a third has one that was never read, a third has not said a word.
//
//     storm_hold HOST PORT COUNT FIRST
//
// They come from 127.0.0.FIRST and the seven addresses after it.
#include <stdio.h>
#include <stdlib.h>

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
#include <weir/reactor/task/task.hpp>

namespace {

constexpr int sources = 8;
constexpr int at_a_time = 100;  // A server's queue has room for a few of us.

class Holder : public weir::Protocol {
 public:
  void connection_made(const std::shared_ptr<weir::Transport>& transport) override {
    transport_ = transport;
  }
  void data_received(std::string_view) override {
    if (!answered.done()) answered.set_result();
  }
  void connection_lost(const std::exception_ptr&) override {
    std::fprintf(stderr, "the server hung up\n");
    std::exit(1);
  }

  weir::Future<> answered = weir::get_running_loop().create_future<void>();

 private:
  std::shared_ptr<weir::Transport> transport_;
};

class Storm {
 public:
  Storm(std::string host, int port, int count, int first)
      : host_(std::move(host)), port_(port), count_(count), first_(first) {}

  weir::Coro<> run() {
    weir::EventLoop& loop = weir::get_running_loop();
    std::vector<weir::Task<>> openers;
    for (int i = 0; i < at_a_time; ++i) openers.push_back(loop.create_task(open_some()));
    for (const weir::Task<>& opener : openers) co_await opener;
    std::printf("open %zu\n", held_.size());
    std::fflush(stdout);
    co_await loop.create_future<void>();  // Never.
  }

 private:
  weir::Coro<> open_some() {
    const auto factory = [] { return std::make_shared<Holder>(); };
    while (next_ < count_) {
      const int number = next_++;
      const std::string source = "127.0.0." + std::to_string(first_ + number % sources);
      const weir::LocalAddress from{source};
      const auto made =
          co_await weir::create_connection(factory, host_, port_, {.local_addr = from});
      held_.push_back(made.protocol);
      if (number % 3 == 1) {
        made.transport->write("hello");
        co_await made.protocol->answered;
      } else if (number % 3 == 2) {
        made.transport->pause_reading();
        made.transport->write("hello");
      }
    }
  }

  std::string host_;
  int port_;
  int count_;
  int first_;
  int next_ = 0;
  std::vector<std::shared_ptr<Holder>> held_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: %s HOST PORT COUNT FIRST\n", argv[0]);
    return 2;
  }
  Storm storm(argv[1], std::atoi(argv[2]), std::atoi(argv[3]), std::atoi(argv[4]));
  return weir::run(storm.run());
}

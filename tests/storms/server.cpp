// SPDX-License-Identifier: MIT
//
// The echo server that the storms break over. It counts what its protocols hear, and says it when
// asked on standard input:
//
//     count     now
//     made N    when N connections have been made
//     lost N    when N connections have been lost, and their descriptors closed
//
// One question at a time. It ends with its standard input, or with SIGINT.
#include <weir/net/server.hpp>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/net/protocol.hpp>
#include <weir/net/testing/checked_protocol.hpp>
#include <weir/net/transport.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/runner.hpp>

namespace {

/// What all connections together have come to.
class Ledger {
 public:
  std::uint64_t made = 0;
  std::uint64_t lost = 0;
  std::uint64_t lost_clean = 0;  // connection_lost(null)
  std::uint64_t lost_reset = 0;  // connection_lost(ConnectionError)
  std::uint64_t protocols = 0;   // Alive.
  std::uint64_t illegal = 0;     // Calls that the grammar of protocols does not have.
  std::uint64_t bytes = 0;       // Received.

  void watch(const std::shared_ptr<weir::Transport>& transport) {
    transports_.push_back(transport);
  }
  void answer_at(const std::uint64_t& counter, std::uint64_t goal) {
    counter_ = &counter;
    goal_ = goal;
    changed();
  }
  /// Answers a question whose time has come, in the next pass: who called this is not done yet.
  void changed() {
    if (counter_ == nullptr || *counter_ < goal_) return;
    counter_ = nullptr;
    weir::get_running_loop().call_soon([this] { answer(); });
  }

 private:
  void answer() {
    std::erase_if(transports_, [](const auto& transport) { return transport.expired(); });
    const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
    std::printf(
        "made=%llu lost=%llu clean=%llu reset=%llu protocols=%llu transports=%llu illegal=%llu "
        "bytes=%llu\n",
        number(made), number(lost), number(lost_clean), number(lost_reset), number(protocols),
        number(transports_.size()), number(illegal), number(bytes));
    std::fflush(stdout);
  }

  std::vector<std::weak_ptr<weir::Transport>> transports_;
  const std::uint64_t* counter_ = nullptr;  // Asked about, until it is `goal_`.
  std::uint64_t goal_ = 0;
};

class Echo : public weir::Protocol {
 public:
  explicit Echo(Ledger& ledger) : ledger_(ledger) { ++ledger_.protocols; }
  ~Echo() override { --ledger_.protocols; }

  void connection_made(const std::shared_ptr<weir::Transport>& transport) override {
    transport_ = transport;
    ledger_.watch(transport);
    ++ledger_.made;
    ledger_.changed();
  }
  void data_received(std::string_view data) override {
    ledger_.bytes += data.size();
    transport_->write(data);
  }
  // Who does not read its echo is not listened to.
  void pause_writing() override { transport_->pause_reading(); }
  void resume_writing() override { transport_->resume_reading(); }
  void connection_lost(const std::exception_ptr& error) override {
    transport_ = nullptr;
    ++ledger_.lost;
    try {
      if (error) std::rethrow_exception(error);
      ++ledger_.lost_clean;
    } catch (const weir::ConnectionError&) {
      ++ledger_.lost_reset;
    }
    ledger_.changed();
  }

 private:
  Ledger& ledger_;
  std::shared_ptr<weir::Transport> transport_;
};

/// The questions, line by line, and the end of the program.
class Console {
 public:
  explicit Console(Ledger& ledger)
      : ledger_(ledger), loop_(weir::get_running_loop()), ended_(loop_.create_future<void>()) {
    loop_.add_reader(STDIN_FILENO, [this] { read_ready(); });
  }
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;
  ~Console() { loop_.remove_reader(STDIN_FILENO); }

  const weir::Future<>& ended() const { return ended_; }

 private:
  void read_ready() {
    char room[256];
    const ssize_t count = ::read(STDIN_FILENO, room, sizeof room);
    if (count <= 0) {
      loop_.remove_reader(STDIN_FILENO);
      return ended_.set_result();
    }
    text_.append(room, static_cast<std::size_t>(count));
    for (std::size_t end = text_.find('\n'); end != std::string::npos; end = text_.find('\n')) {
      ask(text_.substr(0, end));
      text_.erase(0, end + 1);
    }
  }
  void ask(const std::string& line) {
    const std::string number = line.substr(line.find(' ') + 1);
    const std::uint64_t goal = std::strtoull(number.c_str(), nullptr, 10);
    if (line.starts_with("made ")) return ledger_.answer_at(ledger_.made, goal);
    if (line.starts_with("lost ")) return ledger_.answer_at(ledger_.lost, goal);
    ledger_.answer_at(ledger_.made, 0);
  }

  Ledger& ledger_;
  weir::EventLoop& loop_;
  weir::Future<> ended_;
  std::string text_;
};

weir::Coro<> serve(std::vector<std::string_view> hosts) {
  Ledger ledger;
  const auto complain = [&ledger](const std::string& complaint) {
    ++ledger.illegal;
    std::fprintf(stderr, "%s\n", complaint.c_str());
  };
  const auto factory = [&ledger, complain] {
    return std::make_shared<weir::testing::CheckedProtocol>(std::make_shared<Echo>(ledger),
                                                            complain);
  };
  const std::span<const std::string_view> names(hosts);
  const weir::Server server = co_await weir::create_server(factory, names, 0, {.backlog = 4096});
  Console console(ledger);
  std::printf("listening on %d\n", server.sockets().front().getsockname().port());
  std::fflush(stdout);
  co_await console.ended();
  server.close();
  server.abort_clients();
  co_await server.wait_closed();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s HOST...\n", argv[0]);
    return 2;
  }
  return weir::run(serve({argv + 1, argv + argc}));
}

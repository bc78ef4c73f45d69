// SPDX-License-Identifier: MIT
// What the chapter "Transports and protocols" shows.
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <weir/net/protocol.hpp>
#include <weir/net/server.hpp>
#include <weir/net/testing/checked_protocol.hpp>
#include <weir/net/transport.hpp>
#include <weir/reactor/task/run_until_complete.hpp>

#include "stage.hpp"

using namespace std::chrono_literals;

namespace {

using book::Stage;

// [length]
/// Answers each line with its length. Bytes come cut anywhere, so the beginning of a line is kept.
class Lengths : public weir::Protocol {
 public:
  void connection_made(const std::shared_ptr<weir::Transport>& transport) override {
    transport_ = transport;
  }
  void data_received(std::string_view data) override {
    line_ += data;
    for (std::size_t end = 0; (end = line_.find('\n')) != std::string::npos;) {
      transport_->write(std::to_string(end) + "\n");
      line_.erase(0, end + 1);
    }
  }
  bool eof_received() override { return false; }  // Nothing more to answer: close.
  void connection_lost(const std::exception_ptr&) override { transport_ = nullptr; }

 private:
  std::shared_ptr<weir::Transport> transport_;
  std::string line_;
};
// [/length]

// [port]
weir::Coro<weir::Server> serve_lengths(int port) {
  const auto new_protocol = [] { return std::make_shared<Lengths>(); };
  co_return co_await weir::create_server(new_protocol, "127.0.0.1", port);
}
// [/port]

/// Writes down what it is called.
class Diary : public weir::Protocol {
 public:
  explicit Diary(std::string& pages) : pages_(pages) {}
  void connection_made(const std::shared_ptr<weir::Transport>& transport) override {
    pages_ += "made ";
    transport_ = transport;
  }
  void data_received(std::string_view data) override {
    pages_ += "data(" + std::string(data) + ") ";
    if (data == "bye") {
      // [close]
      transport_->write("bye");
      transport_->close();  // Sends first. connection_lost comes later, from the loop:
      pages_ += "closed ";  // so this line runs before it.
      // [/close]
    }
    if (data == "boom") throw std::runtime_error("a bug");
  }
  bool eof_received() override {
    pages_ += "eof ";
    return false;
  }
  void connection_lost(const std::exception_ptr& error) override {
    pages_ += error ? "lost(" + weir::describe(error) + ") " : "lost() ";
    transport_ = nullptr;
  }

 private:
  std::string& pages_;
  std::shared_ptr<weir::Transport> transport_;
};

/// Answers the end of the stream, a little later, with more than the kernel and the high-water mark
/// hold.
class Late : public weir::Protocol {
 public:
  explicit Late(std::string& calls) : calls_(calls) {}
  void connection_made(const std::shared_ptr<weir::Transport>& transport) override {
    transport_ = transport;
  }
  void data_received(std::string_view) override {}
  bool eof_received() override {
    calls_ += "eof ";
    weir::get_running_loop().call_soon(
        [to = transport_] { to->write(std::string(130 * 1024, 'x')); });
    return true;
  }
  void pause_writing() override { calls_ += "pause "; }
  void resume_writing() override { calls_ += "resume "; }
  void connection_lost(const std::exception_ptr&) override { transport_ = nullptr; }

 private:
  std::string& calls_;
  std::shared_ptr<weir::Transport> transport_;
};

/// A stage with a server on it.
class Play : public Stage {
 public:
  static constexpr int port = 4000;

  template <class Factory>
  void serve(Factory factory) {
    loop.run_until_complete(weir::create_server(std::move(factory), "127.0.0.1", port));
  }
  void serve_diary() {
    serve([this] { return std::make_shared<Diary>(trace); });
  }
  int dial() {
    const int client = kernel.dial(port);
    run_for(1ms);
    return client;
  }
  void say(int client, std::string_view bytes) {
    kernel.put(client, bytes);
    run_for(1ms);
  }
};

}  // namespace

TEST_SUITE("book/protocols") {
  TEST_CASE_FIXTURE(Play, "protocols: a line that is cut in two is one line") {
    serve([] { return std::make_shared<Lengths>(); });
    const int client = dial();
    say(client, "four\nno");
    CHECK(kernel.take(client) == "4\n");
    say(client, "w\n\n");
    CHECK(kernel.take(client) == "3\n0\n");
  }

  TEST_CASE_FIXTURE(Play, "protocols: create_server asks its factory once for each client") {
    const weir::Server server = loop.run_until_complete(serve_lengths(port));
    const int one = dial();
    const int other = dial();
    say(one, "half");
    say(other, "x\n");
    CHECK(kernel.take(other) == "1\n");
    say(one, "\n");
    CHECK(kernel.take(one) == "4\n");
  }

  TEST_CASE_FIXTURE(Play, "protocols: an answered end of stream leaves our side open") {
    std::string calls;
    serve([&calls] { return std::make_shared<Late>(calls); });
    const int client = kernel.dial(port);
    run_for(1ms);
    kernel.put_eof(client);
    run_for(1ms);
    CHECK(calls == "eof pause ");
    static_cast<void>(kernel.take(client));
    run_for(1ms);
    CHECK(calls == "eof pause resume ");
  }

  TEST_CASE_FIXTURE(Play, "protocols: data, the end of the stream, and the end") {
    serve_diary();
    const int client = dial();
    say(client, "one");
    say(client, "two");
    kernel.put_eof(client);
    run_for(1ms);
    CHECK(trace == "made data(one) data(two) eof lost() ");
  }

  TEST_CASE_FIXTURE(Play, "protocols: close() sends what was written, and calls back later") {
    serve_diary();
    const int client = dial();
    say(client, "bye");
    CHECK(trace == "made data(bye) closed lost() ");
    CHECK(kernel.take(client) == "bye");
    CHECK(kernel.at_eof(client));
  }

  TEST_CASE_FIXTURE(Play, "protocols: a reset comes after the bytes that came before it") {
    serve_diary();
    const int client = dial();
    kernel.put(client, "one");
    kernel.reset(client);
    run_for(1ms);
    CHECK(trace ==
          "made data(one) lost(ConnectionResetError: [Errno 104] Connection reset by peer) ");
  }

  TEST_CASE_FIXTURE(Play, "protocols: what data_received throws is reported, and ends this one") {
    serve_diary();
    const int client = dial();
    const int other = dial();
    say(client, "boom");
    CHECK(reports.size() == 1);
    CHECK(reports.front() == "Fatal error: protocol.data_received() call failed.");
    trace.clear();
    say(other, "still here");
    CHECK(trace == "data(still here) ");
  }

  TEST_CASE_FIXTURE(Play, "protocols: a CheckedProtocol finds no illegal call") {
    // [checked]
    std::shared_ptr<weir::testing::CheckedProtocol> checked;
    serve([&checked] {
      checked = std::make_shared<weir::testing::CheckedProtocol>(std::make_shared<Lengths>());
      return checked;
    });
    const int client = dial();
    say(client, "a\n");
    kernel.put_eof(client);
    run_for(1ms);
    CHECK_NOTHROW(checked->grammar().check());
    // [/checked]
    CHECK(checked->grammar().lost());
  }
}

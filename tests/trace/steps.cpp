// SPDX-License-Identifier: MIT
//
// The steps of docs/tutorial, each with weir: what happens to the bytes is what the section "Byte
// by byte" of its page tells.
#include <sys/uio.h>

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <weir/net/connect.hpp>
#include <weir/net/protocol.hpp>
#include <weir/net/socket.hpp>
#include <weir/net/transport.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/streams/errors.hpp>
#include <weir/streams/open_connection.hpp>

#include "steps.hpp"

namespace {

using namespace std::chrono_literals;
using weir::Coro;
using weir::EventLoop;
using weir::Socket;
using weir::StreamReader;
using weir::Streams;
using weir::StreamWriter;
using weir::Transport;

Streams streams_of(Stage& stage, const Peer& peer, std::ptrdiff_t limit) {
  Socket socket(stage.trace.kernel(), peer.ours);
  return stage.loop.run_until_complete(weir::open_connection({.limit = limit, .sock = &socket}));
}

template <class P>
void connect_protocol(Stage& stage, const Peer& peer) {
  Socket socket(stage.trace.kernel(), peer.ours);
  const auto factory = [&stage] { return std::make_shared<P>(stage.loop); };
  stage.loop.run_until_complete(weir::create_connection(factory, {.sock = &socket}));
}

// ---- 1: one client

Coro<> serve(StreamReader reader, StreamWriter writer) {
  for (;;) {
    const std::string bytes = co_await reader.read(4096);
    if (bytes.empty()) break;
    writer.write(bytes);
  }
  writer.close();
}

void step_1(Stage& stage) {
  stage.peer.sends(1ms, "a\n");
  stage.peer.ends(2ms);
  Streams streams = streams_of(stage, stage.peer, 64);
  stage.loop.create_task(serve(std::move(streams.reader), std::move(streams.writer)), "serve");
}

// ---- 2: two clients; 4: one that does not read

class Echo : public weir::Protocol {
 public:
  explicit Echo(EventLoop&) {}
  void connection_made(const std::shared_ptr<Transport>& transport) override {
    transport_ = transport;
  }
  void data_received(std::string_view data) override { transport_->write(data); }
  void connection_lost(const std::exception_ptr&) override { transport_ = nullptr; }

 private:
  std::shared_ptr<Transport> transport_;
};

void step_2(Stage& stage) {
  const Peer a = stage.peer;
  const Peer b = stage.connect();
  connect_protocol<Echo>(stage, a);
  connect_protocol<Echo>(stage, b);
  b.sends(1ms, "b\n");
  a.sends(2ms, "a\n");
  b.sends(2ms, "b\n");
}

void step_4(Stage& stage) {
  static const std::string much(60'000, 'x');
  connect_protocol<Echo>(stage, stage.peer);
  stage.peer.sends(1ms, much);
  stage.peer.sends(2ms, much);
  stage.peer.reads(3ms);
}

// ---- 3: a table of callbacks

/// One client. The loop's callbacks hold it.
struct Client {
  EventLoop& loop;
  Socket socket;
};

void send(Client& client, std::string_view data) {
  const iovec piece{const_cast<char*>(data.data()), data.size()};
  static_cast<void>(client.socket.send({&piece, 1}));
}

void echo_ready(Client& client) {
  char bytes[4096];
  const weir::IoResult got = client.socket.recv(bytes);
  if (got.value > 0) return send(client, {bytes, static_cast<std::size_t>(got.value)});
  client.loop.remove_reader(client.socket.fd());
  client.socket.close();
}

std::shared_ptr<Client> client_of(Stage& stage) {
  return std::make_shared<Client>(
      Client{stage.loop, Socket(stage.trace.kernel(), stage.peer.ours)});
}

void step_3(Stage& stage) {
  stage.loop.add_reader(stage.peer.ours, [client = client_of(stage)] { echo_ready(*client); });
  stage.peer.sends(1ms, "a\n");
  stage.peer.ends(2ms);
}

// ---- 5: every answer comes a little later

void answer(const std::shared_ptr<Client>& client, const std::string& data) {
  send(*client, data);
  client->loop.call_soon([client] { send(*client, "and that is all\n"); });
}

void delay_ready(const std::shared_ptr<Client>& client) {
  char bytes[4096];
  const weir::IoResult got = client->socket.recv(bytes);
  if (got.value <= 0) return static_cast<void>(client->loop.remove_reader(client->socket.fd()));
  const std::string data(bytes, static_cast<std::size_t>(got.value));
  client->loop.call_later(100ms, [client, data] { answer(client, data); });
}

void step_5(Stage& stage) {
  stage.loop.add_reader(stage.peer.ours, [client = client_of(stage)] { delay_ready(client); });
  stage.peer.sends(1ms, "a\n");
}

// ---- 6: a protocol

class DelayedEcho : public weir::Protocol {
 public:
  explicit DelayedEcho(EventLoop& loop) : loop_(loop) {}
  void connection_made(const std::shared_ptr<Transport>& transport) override {
    transport_ = transport;
  }
  void data_received(std::string_view data) override {
    loop_.call_later(
        0ms, [transport = transport_, answer = std::string(data)] { transport->write(answer); });
  }
  bool eof_received() override {
    loop_.call_later(0ms, [transport = transport_] { transport->close(); });
    return true;  // There may be answers to come.
  }
  void connection_lost(const std::exception_ptr&) override { transport_ = nullptr; }

 private:
  EventLoop& loop_;
  std::shared_ptr<Transport> transport_;
};

void step_6(Stage& stage) {
  connect_protocol<DelayedEcho>(stage, stage.peer);
  stage.peer.sends(1ms, "bye\n");
  stage.peer.ends(1ms);
}

// ---- 7: a coroutine for each client

using Handler = Coro<>(StreamReader, StreamWriter);

/// The first client's task is called A, the second one's B.
void start_both(Stage& stage, const Peer& second, Handler handler) {
  Streams a = streams_of(stage, stage.peer, 64);
  Streams b = streams_of(stage, second, 64);
  stage.loop.create_task(handler(std::move(a.reader), std::move(a.writer)), "A");
  stage.loop.create_task(handler(std::move(b.reader), std::move(b.writer)), "B");
}

Coro<> answer_later(StreamWriter writer, std::string data) {
  co_await weir::sleep(100ms);
  writer.write(data);
}

Coro<> delayed_echo(StreamReader reader, StreamWriter writer) {
  for (;;) {
    const std::string data = co_await reader.read(4096);
    if (data.empty()) break;
    co_await answer_later(writer, data);
  }
  writer.close();
}

void step_7(Stage& stage) {
  const Peer b = stage.connect();
  start_both(stage, b, delayed_echo);
  stage.peer.sends(1ms, "a\n");
  b.sends(51ms, "b\n");
}

// ---- 8: lines; 9: back-pressure

Coro<> echo_lines(StreamReader reader, StreamWriter writer) {
  try {
    for (;;) {
      const std::string line = co_await reader.readuntil("\n");
      writer.write(line);
      co_await writer.drain();
    }
  } catch (const weir::IncompleteReadError& error) {
    writer.write(error.partial);  // The last line, if it had no end.
  } catch (const weir::LimitOverrunError&) {
    writer.write("the line is too long\n");
  }
  writer.close();
}

void step_8(Stage& stage) {
  static const std::string long_line(65, 'x');
  const Peer b = stage.connect();
  start_both(stage, b, echo_lines);
  stage.peer.sends(1ms, "he");
  stage.peer.sends(2ms, "llo\nwor");
  stage.peer.sends(3ms, "ld");
  stage.peer.ends(4ms);
  b.sends(5ms, long_line);
}

/// A line has 32 KiB, and the reader's limit is that. The marks of the writer are 16 and 4 KiB.
void step_9(Stage& stage) {
  constexpr std::size_t line_bytes = 32 << 10;
  static const std::string line = std::string(line_bytes - 1, 'x') + '\n';
  static const std::string lines = line + line;
  Streams streams = streams_of(stage, stage.peer, line_bytes);
  streams.writer.transport()->set_write_buffer_limits(line_bytes / 2);
  stage.loop.create_task(echo_lines(std::move(streams.reader), std::move(streams.writer)), "echo");
  for (const auto when : {1ms, 2ms, 3ms}) stage.peer.sends(when, lines);
  stage.peer.reads(4ms);
}

constexpr Step steps[] = {
    {"step_1", step_1, 3ms},   {"step_2", step_2, 3ms},   {"step_3", step_3, 3ms},
    {"step_4", step_4, 4ms},   {"step_5", step_5, 102ms}, {"step_6", step_6, 2ms},
    {"step_7", step_7, 152ms}, {"step_8", step_8, 6ms},   {"step_9", step_9, 5ms},
};

}  // namespace

std::span<const Step> tutorial_steps() { return steps; }

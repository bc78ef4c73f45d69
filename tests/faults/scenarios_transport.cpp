// SPDX-License-Identifier: MIT
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>

#include <weir/net/connect.hpp>
#include <weir/net/sendfile.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/task.hpp>

#include <tests/faults/party.hpp>
#include <tests/faults/scenario_lists.hpp>

// One connection each, between a protocol and a peer that the machine plays.

namespace weir::faults {
namespace {

using namespace std::chrono_literals;

/// A connection, and its other end. `capacity`: how much we can send ahead of it.
template <class P>
struct Pair {
  Pair(Connection<P> its, Peer its_peer)
      : transport(std::move(its.transport)),
        protocol(std::move(its.protocol)),
        peer(std::move(its_peer)) {}
  std::shared_ptr<Transport> transport;
  std::shared_ptr<P> protocol;
  Peer peer;
};

template <class P>
Coro<Pair<P>> connected(Stage stage, std::shared_ptr<P> protocol,
                        std::size_t capacity = FakeKernel::default_capacity_bytes) {
  int fds[2];
  {
    const Exempt exempt;
    static_cast<void>(stage.machine.socketpair(AF_UNIX, SOCK_STREAM, fds));
    stage.machine.set_capacity(fds[0], capacity);
  }
  Peer peer(stage, fds[1]);
  Socket socket(stage.kernel, fds[0]);
  const auto factory = [protocol] { return protocol; };
  Connection<P> connection = co_await connect_accepted_socket(factory, std::move(socket));
  co_return Pair<P>(std::move(connection), std::move(peer));
}

/// Until `flow` has come out at the peer, or will not.
template <class P>
Coro<> delivered(Pair<P>& pair, Flow& flow) {
  co_await until([&] {
    pair.peer.take(flow);
    return flow.received == flow.sent || pair.peer.at_eof();
  });
}

template <class P>
Coro<> gone(Pair<P>& pair) {
  co_await until([&] { return pair.protocol->lost(); });
}

/// The peer has said all that it has to say; we have not.
Coro<> peer_half_closes(Stage stage) {
  Flow& in = stage.oracle.flow("in");
  Flow& out = stage.oracle.flow("out");
  const auto party = std::make_shared<Party>(stage, "ours", &in);
  party->keep_open = true;
  Pair<Party> pair = co_await connected(stage, party);
  const TransportGuard guard(pair.transport);
  in.sent = "all I have to say";
  pair.peer.put(in.sent);
  pair.peer.put_eof();
  co_await until([&] { return party->at_eof || party->lost(); });
  out.sent = text_of(500);
  pair.transport->write(out.sent);
  pair.transport->close();
  co_await delivered(pair, out);
  co_await gone(pair);
  stage.oracle.result("answered");
}

Coro<> we_half_close(Stage stage) {
  Flow& in = stage.oracle.flow("in");
  Flow& out = stage.oracle.flow("out");
  const auto party = std::make_shared<Party>(stage, "ours", &in);
  Pair<Party> pair = co_await connected(stage, party, 100);
  const TransportGuard guard(pair.transport);
  out.sent = text_of(250);
  pair.transport->write(out.sent);
  pair.transport->write_eof();
  co_await delivered(pair, out);
  co_await until([&] { return pair.peer.at_eof(); });
  in.sent = "and the answer";
  pair.peer.put(in.sent);
  co_await until([&] { return in.received == in.sent || party->lost(); });
  pair.peer.close();
  co_await gone(pair);
  stage.oracle.result("answered");
}

/// Writes when it may, to a peer that reads 50 bytes at a time.
Coro<> slow_reader(Stage stage) {
  Flow& out = stage.oracle.flow("out");
  const auto party = std::make_shared<Party>(stage, "ours");
  Pair<Party> pair = co_await connected(stage, party, 50);
  const TransportGuard guard(pair.transport);
  pair.transport->set_write_buffer_limits(60, 20);
  for (int i = 0; i < 8; ++i) {
    co_await until([&] {
      pair.peer.take(out);
      return !party->paused || party->lost();
    });
    const std::string piece = text_of(80);
    out.sent += piece;
    pair.transport->write(piece);
  }
  co_await delivered(pair, out);
  pair.transport->close();
  co_await gone(pair);
  stage.oracle.result(party->pauses > 1 ? "paused" : "not-paused");
}

Coro<> close_flushes(Stage stage) {
  Flow& out = stage.oracle.flow("out");
  Pair<Party> pair = co_await connected(stage, std::make_shared<Party>(stage, "ours"), 64);
  const TransportGuard guard(pair.transport);
  out.sent = text_of(300);
  pair.transport->write(out.sent);
  pair.transport->close();
  co_await delivered(pair, out);
  co_await gone(pair);
  stage.oracle.result("flushed");
}

Coro<> writelines(Stage stage) {
  Flow& out = stage.oracle.flow("out");
  Pair<Party> pair = co_await connected(stage, std::make_shared<Party>(stage, "ours"), 30000);
  const TransportGuard guard(pair.transport);
  const std::string large = text_of(20000);
  out.sent = "head" + large + "tail" + large + "end";
  pair.transport->writelines({"head", large, "", "tail"});
  pair.transport->writelines({large, "end"});
  co_await delivered(pair, out);
  pair.transport->close();
  co_await gone(pair);
  stage.oracle.result("delivered");
}

Coro<> pause_and_resume(Stage stage) {
  Flow& in = stage.oracle.flow("in");
  const auto party = std::make_shared<Party>(stage, "ours", &in);
  Pair<Party> pair = co_await connected(stage, party);
  const TransportGuard guard(pair.transport);
  pair.transport->pause_reading();
  in.sent = "held back";
  pair.peer.put(in.sent);
  co_await sleep(5ms);
  if (!in.received.empty()) stage.oracle.wrong("data_received while reading was paused");
  pair.transport->resume_reading();
  co_await until([&] { return in.received == in.sent || party->lost(); });
  pair.transport->close();
  co_await gone(pair);
  stage.oracle.result("resumed");
}

Coro<> peer_resets(Stage stage) {
  Flow& in = stage.oracle.flow("in");
  const auto party = std::make_shared<Party>(stage, "ours", &in);
  Pair<Party> pair = co_await connected(stage, party);
  const TransportGuard guard(pair.transport);
  in.sent = "last words";
  pair.peer.put(in.sent);
  pair.peer.reset();
  co_await gone(pair);
  stage.oracle.result("reset");
}

Coro<> writes_to_nobody(Stage stage) {
  Pair<Party> pair = co_await connected(stage, std::make_shared<Party>(stage, "ours"));
  const TransportGuard guard(pair.transport);
  pair.peer.close();
  pair.transport->write("is anybody there?");
  co_await gone(pair);
  pair.transport->write("hello?");
  stage.oracle.result("nobody");
}

/// A file that a thread may still be reading when sendfile() was cancelled: it is closed later.
class FileOfAThread {
 public:
  FileOfAThread(Stage stage, const std::string& contents) {
    const Exempt exempt;
    file_ = std::make_shared<Peer>(stage, stage.machine.add_file(contents));
  }
  FileOfAThread(const FileOfAThread&) = delete;
  FileOfAThread& operator=(const FileOfAThread&) = delete;
  ~FileOfAThread() {
    try {
      get_running_loop().call_later(100ms, [file = file_] { file->close(); });
    } catch (...) {  // No memory, or no loop any more: then no job will run.
    }
  }

  int fd() const { return file_->fd(); }

 private:
  std::shared_ptr<Peer> file_;
};

Coro<> sendfile_between_writes(Stage stage, IoResult first) {
  Flow& out = stage.oracle.flow("out");
  Pair<Party> pair = co_await connected(stage, std::make_shared<Party>(stage, "ours"), 400);
  const TransportGuard guard(pair.transport);
  const std::string contents = text_of(1000);
  if (!first.ok()) {
    const Exempt exempt;
    stage.machine.script(Call::sendfile, first);
  }
  const FileOfAThread file(stage, contents);
  out.sent = "before " + contents;
  pair.transport->write("before ");
  const auto sending = create_task(sendfile(pair.transport, file.fd()));
  stage.oracle.must_end("sendfile()", sending);
  co_await until([&] {
    pair.peer.take(out);
    return sending.done();
  });
  const std::int64_t sent = co_await sending;
  out.sent = "before " + contents.substr(0, static_cast<std::size_t>(sent)) + " after";
  pair.transport->write(" after");
  co_await delivered(pair, out);
  pair.transport->close();
  co_await gone(pair);
  stage.oracle.result("sent-" + std::to_string(sent));
}

Coro<> sendfile_native(Stage stage) { return sendfile_between_writes(stage, {}); }
Coro<> sendfile_fallback(Stage stage) { return sendfile_between_writes(stage, {.error = ENOSYS}); }

Coro<> buffered_protocol(Stage stage) {
  Flow& in = stage.oracle.flow("in");
  const auto party = std::make_shared<BufferedParty>(stage, "ours", &in);
  Pair<BufferedParty> pair = co_await connected(stage, party);
  const TransportGuard guard(pair.transport);
  in.sent = text_of(70);
  pair.peer.put(in.sent);
  co_await until([&] { return in.received == in.sent || party->lost(); });
  pair.peer.close();
  co_await gone(pair);
  stage.oracle.result("received");
}

/// The first bytes decide who gets the rest.
Coro<> set_protocol(Stage stage) {
  Flow& in = stage.oracle.flow("in");
  const auto first = std::make_shared<Party>(stage, "first", &in);
  std::shared_ptr<Party> second;
  Pair<Party> pair = co_await connected(stage, first);
  const TransportGuard guard(pair.transport);
  first->on_data = [&, stage](std::string_view) {
    second = std::make_shared<Party>(stage, "second", &in, *first);
    pair.transport->set_protocol(second);
    first->transport = nullptr;
  };
  pair.peer.put("upgrade");
  in.sent = "upgrade";
  co_await until([&] { return second != nullptr || first->lost(); });
  first->on_data = nullptr;
  if (second == nullptr) co_return;
  in.sent += "and go on";
  pair.peer.put("and go on");
  co_await until([&] { return in.received == in.sent || second->lost(); });
  pair.peer.close();
  co_await until([&] { return second->lost(); });
  stage.oracle.result("handed-over");
}

constexpr Scenario list[] = {
    {"peer_half_closes", peer_half_closes},
    {"we_half_close", we_half_close},
    {"slow_reader", slow_reader},
    {"close_flushes", close_flushes},
    {"writelines", writelines},
    {"pause_and_resume", pause_and_resume},
    {"peer_resets", peer_resets},
    {"writes_to_nobody", writes_to_nobody},
    {"sendfile_native", sendfile_native},
    {"sendfile_fallback", sendfile_fallback},
    {"buffered_protocol", buffered_protocol},
    {"set_protocol", set_protocol},
};

}  // namespace

std::span<const Scenario> transport_scenarios() { return list; }

}  // namespace weir::faults

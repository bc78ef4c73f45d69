// SPDX-License-Identifier: MIT
//
// weir's performer: does what the driver says, one line at a time. peer.py is its twin for CPython,
// function by function; README.md has the language.
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/net/connect.hpp>
#include <weir/net/server.hpp>
#include <weir/net/unix_connect.hpp>
#include <weir/net/unix_server.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/runner.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/streams/open_connection.hpp>
#include <weir/streams/open_unix_connection.hpp>
#include <weir/streams/start_server.hpp>
#include <weir/streams/start_unix_server.hpp>

#include <tests/interop/sockets/side.hpp>
#include <tests/interop/sockets/sockets.hpp>

using namespace weir;
using namespace weir::test;

namespace {

constexpr int settle_passes = 8;  // As many as peer.py's, which says why.

void say(std::string line) {
  line += '\n';
  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t written = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (written <= 0) ::_exit(1);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// Standard input, line by line; what is asked for comes as a future. Nothing at its end.
class Lines {
 public:
  explicit Lines(EventLoop& loop) : loop_(loop) {
    loop.add_reader(STDIN_FILENO, [this] { read(); });
  }
  ~Lines() { loop_.remove_reader(STDIN_FILENO); }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  Future<std::optional<std::string>> next() {
    Future<std::optional<std::string>> line = loop_.create_future<std::optional<std::string>>();
    waiting_ = line;
    serve();
    return line;
  }

 private:
  void read() {
    char room[4096];
    const ssize_t got = ::read(STDIN_FILENO, room, sizeof room);
    if (got <= 0) {
      ended_ = true;
      loop_.remove_reader(STDIN_FILENO);
    } else {
      text_.append(room, static_cast<std::size_t>(got));
    }
    serve();
  }
  void serve() {
    const std::size_t end = text_.find('\n');
    if (!waiting_ || (end == std::string::npos && !ended_)) return;
    std::optional<std::string> line;
    if (end != std::string::npos) {
      line = text_.substr(0, end);
      text_.erase(0, end + 1);
    }
    std::exchange(waiting_, std::nullopt)->set_result(std::move(line));
  }

  EventLoop& loop_;
  std::string text_;
  std::optional<Future<std::optional<std::string>>> waiting_;
  bool ended_ = false;
};

/// Until what the last command did has left: some passes, then once through the poller. weir sends
/// what it has gathered when the event is over, and a command is one event.
class Settling {
 public:
  Settling() {
    if (::pipe(ends_) != 0) throw_os_error(errno);
  }
  ~Settling() {
    for (const int end : ends_) ::close(end);
  }
  Settling(const Settling&) = delete;
  Settling& operator=(const Settling&) = delete;

  Coro<> settle() {
    for (int pass = 0; pass < settle_passes; ++pass) co_await sleep(Duration(0));
    EventLoop& loop = get_running_loop();
    Future<> came = loop.create_future<void>();
    loop.add_reader(ends_[0], [this, came] {
      get_running_loop().remove_reader(ends_[0]);
      char byte = 0;
      if (::read(ends_[0], &byte, 1) == 1) Future<>(came).set_result();
    });
    if (::write(ends_[1], "!", 1) != 1) throw_os_error(errno);
    co_await came;
  }

 private:
  int ends_[2] = {-1, -1};
};

struct Performer {
  Settling settling;
  std::shared_ptr<Side> side;
  std::optional<Server> server;
};

/// The four ways to serve: unix or TCP, streams or protocols.
Coro<Server> serve_at(std::shared_ptr<Side> side, Socket listener, bool over_unix) {
  ClientConnected connected = [side](StreamReader reader, StreamWriter writer) {
    side->made_streams(std::move(reader), std::move(writer));
  };
  detail::ProtocolFactory factory = [side] { return std::make_shared<Spy>(side); };
  if (over_unix && side->streams) {
    co_return co_await start_unix_server(std::move(connected), {.sock = &listener});
  }
  if (over_unix) co_return co_await create_unix_server(std::move(factory), {.sock = &listener});
  if (side->streams) co_return co_await start_server(std::move(connected), {.sock = &listener});
  co_return co_await create_server(std::move(factory), {.sock = &listener});
}

Coro<std::string> serve(std::shared_ptr<Performer> performer, std::vector<std::string> words) {
  const std::shared_ptr<Side> side = std::make_shared<Side>("server", words);
  performer->side = side;
  Socket listener = bound_socket(words);
  std::string where = where_of(listener, words);
  performer->server = co_await serve_at(side, std::move(listener), words.front() == "unix");
  co_return where;
}

Coro<Streams> open_over(Socket connected, bool over_unix) {
  if (over_unix) co_return co_await open_unix_connection({.sock = &connected});
  co_return co_await open_connection({.sock = &connected});
}

Coro<std::string> connect(std::shared_ptr<Performer> performer, std::vector<std::string> words) {
  const std::shared_ptr<Side> side = std::make_shared<Side>("client", words);
  performer->side = side;
  Socket connected = connected_socket(words);
  const bool over_unix = words.front() == "unix";
  if (side->streams) {
    Streams streams = co_await open_over(std::move(connected), over_unix);
    side->made_streams(std::move(streams.reader), std::move(streams.writer));
    co_return "ok";
  }
  detail::ProtocolFactory factory = [side] { return std::make_shared<Spy>(side); };
  if (over_unix) {
    co_await create_unix_connection(std::move(factory), {.sock = &connected});
  } else {
    co_await create_connection(std::move(factory), {.sock = &connected});
  }
  co_return "ok";
}

Coro<std::string> finish(std::shared_ptr<Performer> performer) {
  const std::shared_ptr<Side> side = std::exchange(performer->side, nullptr);
  if (performer->server) performer->server->close();
  performer->server.reset();
  if (!side) co_return "ok";
  if (side->consumer) side->consumer->cancel();
  if (side->transport && side->lost == "-") {
    side->transport->abort();
    std::function<bool()> is_lost = [side] { return side->lost != "-"; };
    co_await side->until(std::move(is_lost));
  }
  side->let_go();
  co_return "ok";
}

Coro<std::string> answer(std::shared_ptr<Performer> performer, std::string line) {
  std::vector<std::string> words = split(line, ' ');
  const std::string word = words.front();
  words.erase(words.begin());
  const std::shared_ptr<Side> side = performer->side;
  std::string reply = "ok";
  if (word == "report") co_return side->report();
  if (word == "do") {
    side->perform(line.substr(3));
  } else if (word == "until") {
    std::function<bool()> holds = [side, words] { return side->holds(words); };
    co_await side->until(std::move(holds));
  } else if (word == "serve") {
    reply = co_await serve(performer, words);
  } else if (word == "connect") {
    reply = co_await connect(performer, words);
  } else if (word == "finish") {
    reply = co_await finish(performer);
  }
  co_await performer->settling.settle();
  co_return reply;
}

Coro<> perform_all(std::shared_ptr<Performer> performer, std::shared_ptr<Lines> lines) {
  for (;;) {
    std::optional<std::string> line = co_await lines->next();
    if (!line) break;
    std::string reply = co_await answer(performer, *line);
    say(std::move(reply));
  }
}

Coro<> listen_to_the_driver() {
  const std::shared_ptr<Performer> performer = std::make_shared<Performer>();
  EventLoop& loop = get_running_loop();
  loop.set_exception_handler([performer](EventLoop&, const ExceptionContext& context) {
    if (performer->side) performer->side->note_report(context);
  });
  loop.set_log_sink([performer](LogLevel level, std::string_view text) {
    if (performer->side && level >= LogLevel::warning) performer->side->reports.emplace_back(text);
  });
  const std::shared_ptr<Lines> lines = std::make_shared<Lines>(loop);
  co_await perform_all(performer, lines);
  loop.set_exception_handler({});
  loop.set_log_sink(log_to_stderr);
}

}  // namespace

int main() { return run(listen_to_the_driver()); }

// SPDX-License-Identifier: MIT
//
// serve_on_threads() with real threads, sockets and signals. More of those: test_line_echo.py.

#include <doctest/doctest.h>

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <future>
#include <map>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include <weir/net/protocol.hpp>
#include <weir/net/serve_on_threads.hpp>
#include <weir/net/transport.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/sim/counting_kernel.hpp>
#include <weir/reactor/task/runner.hpp>
#include <weir/reactor/trace.hpp>
#include <weir/streams/serve_on_threads.hpp>

using weir::Coro;
using weir::Endpoint;
using weir::Kernel;
using weir::serve_on_threads;
using weir::Server;
using weir::Socket;
using weir::StreamReader;
using weir::StreamWriter;
using weir::ThreadsOptions;
using namespace std::chrono_literals;

namespace {

/// A blocking connection. Every call that the server does not answer ends in doctest's time-out.
class Client {
 public:
  explicit Client(const Endpoint& server) : fd_(::socket(server.family(), SOCK_STREAM, 0)) {
    sockaddr_storage storage{};
    const socklen_t length = server.copy_to(storage);
    error_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&storage), length) == 0 ? 0 : errno;
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { ::close(fd_); }

  int error() const noexcept { return error_; }
  void send(const std::string& text) const {
    REQUIRE(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
  }
  /// Until a newline, or the end of the stream, or a reset.
  std::string line() const {
    std::string got;
    for (char byte = 0; byte != '\n' && ::recv(fd_, &byte, 1, 0) == 1;) got += byte;
    return got;
  }
  std::string ask(const std::string& text) const {
    send(text);
    return line();
  }

 private:
  int fd_;
  int error_;
};

/// A call of serve_on_threads() on a thread of its own, and what came of it.
class Serving {
 public:
  /// call(options) serves.
  template <class Call>
  explicit Serving(const Call& call, ThreadsOptions options = {}) {
    options.stop = &stop_;
    const auto place = std::make_shared<std::promise<Endpoint>>();
    options.listening = [place](const Server& server) {
      place->set_value(server.sockets().front().getsockname());
    };
    result_ = std::async(std::launch::async, [call, options] { return call(options); });
    where_ = place->get_future().get();
  }
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;
  ~Serving() { stop_.request_stop(); }

  const Endpoint& where() const noexcept { return where_; }
  void request_stop() { stop_.request_stop(); }
  /// What the call returned, or throws what it threw.
  int result() { return result_.get(); }
  int stop() {
    request_stop();
    return result();
  }

 private:
  std::stop_source stop_;
  Endpoint where_;
  std::future<int> result_;  // Its destructor waits for the thread: last.
};

std::string this_thread() {
  return std::to_string(std::hash<std::thread::id>()(std::this_thread::get_id())) + "\n";
}

/// Answers every line with the name of the thread.
Coro<> tell_thread(StreamReader reader, StreamWriter writer) {
  while (auto line = co_await reader.next_line()) writer.write(this_thread());
}

Coro<> echo(StreamReader reader, StreamWriter writer) {
  while (auto line = co_await reader.next_line()) writer.write(*line);
}

/// Serves `handler` on `threads` loops at a free port.
template <class Handler>
auto on_threads(std::size_t threads, Handler handler) {
  return [=](const ThreadsOptions& how) {
    return serve_on_threads(threads, handler, "127.0.0.1", 0, {}, how);
  };
}

struct Echo final : weir::Protocol {
  void connection_made(const std::shared_ptr<weir::Transport>& its) override { transport = its; }
  void data_received(std::string_view data) override { transport->write(data); }
  void connection_lost(const std::exception_ptr&) override { transport = nullptr; }
  std::shared_ptr<weir::Transport> transport;
};

/// Ends its loop with the first byte that comes.
struct Interrupting final : weir::Protocol {
  void data_received(std::string_view) override { throw weir::KeyboardInterrupt(); }
};

/// A process that serves on two threads, with an hour of grace, and what SIGTERM does at first.
class Child {
 public:
  explicit Child(void (*disposition)(int)) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    process_ = ::fork();
    REQUIRE(process_ >= 0);
    if (process_ == 0) {
      ::signal(SIGTERM, disposition);
      const auto tell = [end = ends[1]](const Server& server) {
        const std::uint16_t port = server.sockets().front().getsockname().port();
        if (::write(end, &port, sizeof port) != sizeof port) ::_exit(99);
      };
      ::_exit(serve_on_threads(2, echo, "127.0.0.1", 0, {}, {.listening = tell, .grace = 1h}));
    }
    ::close(ends[1]);
    std::uint16_t port = 0;
    REQUIRE(::read(ends[0], &port, sizeof port) == sizeof port);
    ::close(ends[0]);
    where_ = *Endpoint::parse("127.0.0.1", port);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (ended_) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }

  const Endpoint& where() const noexcept { return where_; }
  void signal(int number) const { REQUIRE(::kill(process_, number) == 0); }
  int wait() {
    int status = 0;
    REQUIRE(::waitpid(process_, &status, 0) == process_);
    ended_ = true;
    return status;
  }

 private:
  pid_t process_;
  Endpoint where_;
  bool ended_ = false;
};

/// Returns when nobody listens any more: the stop has arrived.
void await_refusal(const Endpoint& where) {
  while (Client(where).error() == 0) std::this_thread::yield();
}

/// Gives so many threads, or so many pollers; refuses further ones.
class MeanKernel final : public weir::CountingKernel {
 public:
  MeanKernel(int threads, int pollers)
      : CountingKernel(Kernel::posix()), threads_left_(threads), pollers_left_(pollers) {}
  std::unique_ptr<weir::Executor> make_executor(std::size_t max_threads) override {
    if (threads_left_-- == 0) throw weir::RuntimeError("can't start new thread");
    return CountingKernel::make_executor(max_threads);
  }
  std::unique_ptr<weir::Poller> make_poller() override {
    if (pollers_left_-- == 0) weir::throw_os_error(EMFILE);
    return CountingKernel::make_poller();
  }

 private:
  int threads_left_;
  int pollers_left_;
};

constexpr int many = 1000;

/// Counts the connections of each loop; the copies belong to one loop each.
class Numbering {
 public:
  void operator()(const StreamReader&, const StreamWriter& writer) {
    writer.write(std::to_string(++connections_) + "\n");
  }

 private:
  int connections_ = 0;  // Neither atomic nor locked.
};

}  // namespace

TEST_SUITE("system/serve_on_threads" * doctest::timeout(30)) {
  TEST_CASE("serve_on_threads: loops get connections in turn, each the same number") {
    Serving serving(on_threads(2, tell_thread));
    std::map<std::string, int> connections;
    for (int i = 0; i < many; ++i) ++connections[Client(serving.where()).ask("?\n")];
    REQUIRE(connections.size() == 2);
    CHECK(connections.begin()->second == many / 2);
  }

  TEST_CASE("serve_on_threads: no loop runs on the calling thread") {
    std::string caller;
    Serving serving([&caller](const ThreadsOptions& how) {
      caller = this_thread();
      return serve_on_threads(1, tell_thread, "127.0.0.1", 0, {}, how);
    });
    CHECK(Client(serving.where()).ask("?\n") != caller);
  }

  TEST_CASE("serve_on_threads: a handler that blocks its loop leaves the others free") {
    std::atomic<int> calls = 0;
    std::promise<void> entered;
    std::promise<void> gate;
    Serving serving(on_threads(2, [&](const StreamReader&, const StreamWriter& writer) {
      if (++calls == 1) {
        entered.set_value();
        gate.get_future().wait();
      }
      writer.write("done\n");
    }));
    const Client blocked(serving.where());
    entered.get_future().wait();
    const Client free(serving.where());
    CHECK(free.line() == "done\n");
    gate.set_value();
    CHECK(blocked.line() == "done\n");
  }

  TEST_CASE("serve_on_threads: every loop has a copy of the handler, shared by nobody") {
    Serving serving(on_threads(2, Numbering()));
    std::string numbers;
    for (int i = 0; i < 4; ++i) numbers += Client(serving.where()).line();
    CHECK(numbers == "1\n1\n2\n2\n");
  }

  TEST_CASE("serve_on_threads: protocols of a factory are served, too") {
    Serving serving(on_threads(2, [] { return std::make_shared<Echo>(); }));
    const Client one(serving.where());
    const Client two(serving.where());
    CHECK(one.ask("one\n") == "one\n");
    CHECK(two.ask("two\n") == "two\n");
  }

  TEST_CASE("serve_on_threads: over a socket that is bound already") {
    int error = 0;
    Socket socket = Socket::open(Kernel::posix(), AF_INET, SOCK_STREAM, 0, error);
    REQUIRE(socket.bind(*Endpoint::parse("127.0.0.1", 0)) == 0);
    const Endpoint where = socket.local_endpoint();
    Serving serving([&socket](const ThreadsOptions& how) {
      return serve_on_threads(2, echo, {.sock = &socket}, how);
    });
    CHECK(serving.where() == where);
    CHECK(Client(where).ask("hello\n") == "hello\n");
  }

  TEST_CASE("serve_unix_on_threads: serves at a path, and removes it at the end") {
    char folder[] = "/tmp/weir-threads-XXXXXX";
    REQUIRE(::mkdtemp(folder) != nullptr);
    const std::string path = std::string(folder) + "/socket";
    {
      Serving serving([&path](const ThreadsOptions& how) {
        return weir::serve_unix_on_threads(2, echo, path, {}, how);
      });
      CHECK(Client(serving.where()).ask("one\n") == "one\n");
      CHECK(Client(serving.where()).ask("two\n") == "two\n");
      CHECK(serving.stop() == 0);
    }
    CHECK(::access(path.c_str(), F_OK) != 0);
    ::rmdir(folder);
  }

  TEST_CASE("serve_unix_on_threads: protocols of a factory are served, too") {
    const std::string path("\0weir-test-threads", 18);
    Serving serving([path](const ThreadsOptions& how) {
      return weir::serve_unix_on_threads(2, [] { return std::make_shared<Echo>(); }, path, {}, how);
    });
    CHECK(Client(serving.where()).ask("one\n") == "one\n");
  }

  TEST_CASE("serve_on_threads: a stop returns 0 and resets the port's clients to come") {
    Serving serving(on_threads(2, echo));
    CHECK(serving.stop() == 0);
    CHECK(Client(serving.where()).error() == ECONNREFUSED);
  }

  TEST_CASE("serve_on_threads: a stop that was requested before ends it at once") {
    std::stop_source stop;
    stop.request_stop();
    CHECK(serve_on_threads(2, echo, "127.0.0.1", 0, {}, {.stop = &stop}) == 0);
  }

  TEST_CASE("serve_on_threads: within the grace time handlers finish") {
    Serving serving(on_threads(2, echo), {.grace = 1h});
    {
      const Client one(serving.where());
      const Client two(serving.where());
      one.send("hel");
      CHECK(two.ask("hello\n") == "hello\n");
      serving.request_stop();
      await_refusal(serving.where());
      CHECK(one.ask("lo\n") == "hello\n");
      CHECK(two.ask("again\n") == "again\n");
    }  // An hour is not waited for: they are gone.
    CHECK(serving.result() == 0);
  }

  TEST_CASE("serve_on_threads: when the grace time is over connections are aborted") {
    Serving serving(on_threads(2, echo), {.grace = 1ms});
    const Client one(serving.where());
    const Client two(serving.where());
    CHECK(one.ask("hello\n") == "hello\n");
    CHECK(two.ask("hello\n") == "hello\n");
    CHECK(serving.stop() == 0);
    CHECK(one.line().empty());
    CHECK(two.line().empty());
  }

  TEST_CASE("serve_on_threads: without a grace time they are aborted at once") {
    Serving serving(on_threads(2, echo), {.grace = 0s});
    const Client client(serving.where());
    CHECK(client.ask("hello\n") == "hello\n");
    CHECK(serving.stop() == 0);
    CHECK(client.line().empty());
  }

  TEST_CASE("serve_on_threads: the first SIGTERM stops, the second one kills") {
    Child child(SIG_DFL);
    const Client client(child.where());
    CHECK(client.ask("hello\n") == "hello\n");
    child.signal(SIGTERM);
    await_refusal(child.where());
    CHECK(client.ask("still\n") == "still\n");
    child.signal(SIGTERM);
    const int status = child.wait();
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGTERM);
  }

  TEST_CASE("serve_on_threads: a program that ignores SIGTERM goes on to ignore it") {
    Child child(SIG_IGN);
    child.signal(SIGTERM);
    // New ones: the thread that would have stopped has accepted each.
    for (int i = 0; i < 5; ++i) CHECK(Client(child.where()).ask("hello\n") == "hello\n");
  }

  TEST_CASE("serve_on_threads: what ends one loop ends them all, and is thrown") {
    Serving serving(on_threads(3, [] { return std::make_shared<Interrupting>(); }), {.grace = 0s});
    const Client one(serving.where());
    const Client two(serving.where());
    two.send("!");
    CHECK_THROWS_AS(serving.result(), weir::KeyboardInterrupt);
    CHECK(one.line().empty());
  }

  TEST_CASE("serve_on_threads: without threads it is refused") {
    CHECK_THROWS_WITH_AS(serve_on_threads(0, echo, "127.0.0.1", 0),
                         "at least 1 thread is needed, not 0", weir::ValueError);
  }

  // Its threads would write to it all at once.
  TEST_CASE("serve_on_threads: a Trace is refused") {
    weir::Trace trace;
    CHECK_THROWS_WITH_AS(serve_on_threads(1, echo, "127.0.0.1", 0, {}, {.kernel = &trace.kernel()}),
                         "a Trace is of one loop: set WEIR_TRACE", weir::ValueError);
  }

  TEST_CASE("serve_on_threads: a limit of 0 is refused") {
    CHECK_THROWS_WITH_AS(serve_on_threads(1, echo, "127.0.0.1", 0, {.limit = 0}),
                         "Limit cannot be <= 0", weir::ValueError);
  }

  TEST_CASE("serve_on_threads: inside a running loop it is refused") {
    const auto nested = []() -> Coro<int> { co_return serve_on_threads(1, echo, "127.0.0.1", 0); };
    CHECK_THROWS_WITH_AS(weir::run(nested()),
                         "asyncio.run() cannot be called from a running event loop",
                         weir::RuntimeError);
  }

  TEST_CASE("serve_on_threads: an address that is taken starts no thread") {
    Serving serving(on_threads(1, echo));
    MeanKernel kernel(0, 9);
    CHECK_THROWS_WITH_AS(
        serve_on_threads(2, echo, "127.0.0.1", serving.where().port(), {}, {.kernel = &kernel}),
        doctest::Contains("error while attempting to bind on address"), weir::OSError);
  }

  TEST_CASE("serve_on_threads: a thread that is refused ends those that there are") {
    MeanKernel kernel(2, 9);
    CHECK_THROWS_WITH_AS(serve_on_threads(3, echo, "127.0.0.1", 0, {}, {.kernel = &kernel}),
                         "can't start new thread", weir::RuntimeError);
  }

  TEST_CASE("serve_on_threads: a loop that gets no poller ends those that there are") {
    MeanKernel kernel(9, 2);  // One for the loop that accepts.
    CHECK_THROWS_AS(serve_on_threads(3, echo, "127.0.0.1", 0, {}, {.kernel = &kernel}),
                    weir::OSError);
  }

  TEST_CASE(
      "serve_on_threads: threads that end before they are used leave nothing to complain of") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t process = ::fork();
    REQUIRE(process >= 0);
    if (process == 0) {
      ::dup2(ends[1], STDERR_FILENO);
      std::stop_source stop;
      stop.request_stop();
      for (int i = 0; i < 10; ++i) serve_on_threads(4, echo, "127.0.0.1", 0, {}, {.stop = &stop});
      const auto fails = [](const Server&) { throw std::out_of_range("no"); };
      try {
        serve_on_threads(4, echo, "127.0.0.1", 0, {}, {.listening = fails});
      } catch (const std::out_of_range&) {
        ::_exit(0);
      }
      ::_exit(1);
    }
    ::close(ends[1]);
    std::string said;
    for (char byte = 0; ::read(ends[0], &byte, 1) == 1;) said += byte;
    ::close(ends[0]);
    int status = -1;
    REQUIRE(::waitpid(process, &status, 0) == process);
    CHECK(said.empty());
    CHECK(status == 0);
  }

  TEST_CASE("serve_on_threads: what `listening` throws ends it") {
    const auto fails = [](const Server&) { throw std::out_of_range("no"); };
    CHECK_THROWS_AS(serve_on_threads(2, echo, "127.0.0.1", 0, {}, {.listening = fails}),
                    std::out_of_range);
  }
}

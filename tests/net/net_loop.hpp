// Internal: used by the tests of net.
// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/net/socket.hpp>
#include <weir/net/socket_transport.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/log.hpp>
#include <weir/reactor/sim/counting_kernel.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>

#include <tests/net/recorder.hpp>

namespace weir::test {

/// What `call` throws, as "type: text"; "nothing" if it does not.
template <class F>
std::string error_of(F&& call) {
  try {
    std::forward<F>(call)();
  } catch (...) {
    return describe(std::current_exception());
  }
  return "nothing";
}

/// For TEST_CASE_FIXTURE: a loop on a fake kernel that counts. At its end the loop is closed; then
/// everything that it has opened must be closed again, no descriptor misused, and all that it
/// reported taken by the test.
class NetLoop {
 public:
  /// A transport of ours, and the descriptor at its other end.
  struct Link {
    std::shared_ptr<Recorder> protocol;
    std::shared_ptr<Transport> transport;
    int peer;
  };

  NetLoop() {
    loop.set_exception_handler(
        [this](EventLoop&, const ExceptionContext& report) { reports_.push_back(report); });
    loop.set_log_sink([this](LogLevel level, std::string_view text) {
      logged.push_back(std::string(to_string(level)) + ": " + std::string(text));
    });
    kernel.set_ready_filter([this](std::vector<Ready>& found) { count_events(found); });
  }
  NetLoop(const NetLoop&) = delete;
  NetLoop& operator=(const NetLoop&) = delete;
  ~NetLoop() {
    kernel.set_ready_filter(nullptr);
    // What the test gave them to do may refer to what the test has taken away.
    for (const std::weak_ptr<Recorder>& weak : recorders_) {
      if (const std::shared_ptr<Recorder> recorder = weak.lock()) recorder->calm_down();
    }
    loop.close();
    for (const ExceptionContext& report : reports_) FAIL_CHECK(to_string(report));
    for (const std::string& misuse : kernel.misuses()) FAIL_CHECK(misuse);
    CHECK(kernel.registered_fds() == std::vector<int>());
    CHECK(fds_of_ours() == std::vector<int>());
  }

  // ---- Running

  /// Exactly one pass, which does not wait.
  void pass() {
    loop.stop();
    loop.run_forever();
  }
  /// Runs until `duration` of the kernel's time has passed: everything that can happen before that
  /// has happened. A loop that is kept busy by one descriptor for ever is stopped by an exception.
  void run(Duration duration = std::chrono::milliseconds(1)) {
    busy_polls = 0;
    loop.call_later(duration, [this] { loop.stop(); });
    loop.run_forever();
  }
  /// Runs `action` as a callback of the loop, and then as run() does.
  template <class F>
  void in_loop(F action) {
    loop.call_soon(std::move(action));
    run();
  }

  // ---- Connections

  /// A connected TCP socket of ours; `peer` is its other end.
  Socket connected_socket(int& peer) {
    if (listener_ < 0) listener_ = theirs(kernel.listen_on(listener_port));
    int error = 0;
    Socket socket = Socket::open(calls, AF_INET, SOCK_STREAM, IPPROTO_TCP, error);
    REQUIRE(error == 0);
    REQUIRE(socket.connect(*Endpoint::parse("127.0.0.1", listener_port)) == 0);
    peer = theirs(kernel.accept_from(listener_));
    return socket;
  }
  /// A transport that has been started: connection_made comes in the next pass.
  Link start(std::shared_ptr<Recorder> protocol = std::make_shared<Recorder>(),
             Callback connected = {}) {
    int peer = -1;
    Socket socket = connected_socket(peer);
    recorders_.push_back(protocol);
    auto transport = detail::SocketTransport::start(loop, std::move(socket), protocol, Endpoint(),
                                                    nullptr, std::move(connected));
    return {std::move(protocol), std::move(transport), peer};
  }
  /// A transport whose connection has been made.
  Link link(std::shared_ptr<Recorder> protocol = std::make_shared<Recorder>()) {
    Link made = start(std::move(protocol));
    run();
    return made;
  }
  /// A link whose socket takes no more than `capacity` bytes until the peer reads.
  Link narrow_link(std::size_t capacity,
                   std::shared_ptr<Recorder> protocol = std::make_shared<Recorder>()) {
    Link made = link(std::move(protocol));
    kernel.set_capacity(fd_of(made), capacity);
    return made;
  }
  static int fd_of(const Link& link) {
    return link.transport->get_extra_info("socket").socket()->fd();
  }
  /// A client that has connected to `port`; its descriptor.
  int dial(std::uint16_t port) { return theirs(kernel.dial(port)); }
  /// Notes that a descriptor belongs to the test, not to the loop.
  int theirs(int fd) {
    theirs_.push_back(fd);
    return fd;
  }
  /// Closes a descriptor of the test's.
  void hang_up(int fd) {
    std::erase(theirs_, fd);
    REQUIRE(kernel.close(fd) == 0);
  }
  /// Open descriptors that do not belong to the test.
  std::vector<int> fds_of_ours() const {
    std::vector<int> fds = kernel.open_fds();
    std::erase_if(fds,
                  [this](int fd) { return std::count(theirs_.begin(), theirs_.end(), fd) != 0; });
    return fds;
  }
  /// What the peer reads until there is no more, with what is sent meanwhile.
  std::string take_all(int peer) {
    std::string all;
    for (;;) {
      run();
      const std::string more = kernel.take(peer);
      if (more.empty()) return all;
      all += more;
    }
  }

  // ---- What the loop said

  /// What was reported since the last call, oldest first.
  std::vector<ExceptionContext> take_reports() { return std::exchange(reports_, {}); }
  /// The only report there is, taken; "message: type: text".
  std::string take_report() {
    const std::vector<ExceptionContext> reports = take_reports();
    if (reports.size() != 1) return std::to_string(reports.size()) + " reports";
    return reports[0].message + ": " + describe(reports[0].exception);
  }

  static constexpr std::uint16_t listener_port = 4000;

  FakeKernel kernel;
  CountingKernel calls{kernel};
  std::vector<std::string> logged;  // "warning: text"
  int busy_polls = 0;               // Since the last run(): polls that reported something.
  EventLoop loop{calls};

 private:
  void count_events(const std::vector<Ready>& found) {
    if (found.empty()) return;
    if (++busy_polls > 20000) throw std::runtime_error("the loop spins");
  }

  int listener_ = -1;
  std::vector<int> theirs_;
  std::vector<std::weak_ptr<Recorder>> recorders_;
  std::vector<ExceptionContext> reports_;
};

}  // namespace weir::test

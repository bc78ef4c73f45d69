// SPDX-License-Identifier: MIT
//
// A level-triggered loop spins if it goes on asking about a descriptor that it does nothing about:
// hang-ups and errors come unasked, and an end of the stream is readable for ever. Here every state
// of a transport meets everything that a peer can do, on the real kernel, with every poller.
//
// h2o#603, twisted#2809, cups#4605, bun#37920, bun#37928.
#include <doctest/doctest.h>

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <weir/net/server.hpp>
#include <weir/net/transport.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/sim/counting_kernel.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/unique_fd.hpp>

#include <tests/net/real_loop.hpp>
#include <tests/net/recorder.hpp>

using namespace weir;
using namespace std::chrono_literals;
using namespace weir::test;

namespace {

constexpr int most_useless_wake_ups = 3;
constexpr int passes = 40;  // Of a loop that spins, each is a useless wake-up.

/// A transport, and what is at its other end.
struct Cell {
  std::shared_ptr<Recorder> recorder;
  int fd = -1;       // The transport's.
  UniqueFd peer;     // Blocking.
  pid_t holder = 0;  // A process that has the peer's end open, too.

  Transport& transport() const { return *recorder->transport; }
};

/// More than the buffers of a connection take: what is left waits for room.
void block(Cell& cell) {
  cell.transport().write(std::string(1 << 20, 'x'));
  REQUIRE(cell.transport().get_write_buffer_size() > 0);
}
void end_peer(Cell& cell, RealLoop& real) {
  put_eof(cell.peer);
  wait_for_events(cell.fd, POLLIN);
  real.settle();
  REQUIRE(cell.recorder->trace == "made eof ");
}

/// What we are doing when the peer acts.
struct State {
  const char* name;
  bool keep_open;        // What eof_received answers.
  bool peer_has_ended;   // It cannot send any more.
  bool blocked;          // Its buffers are full, too.
  void (*enter)(Cell&);  // Beyond that.
};

constexpr State states[] = {
    {"idle", false, false, false, [](Cell&) {}},
    {"idle, will stay half-open", true, false, false, [](Cell&) {}},
    {"paused", false, false, false, [](Cell& cell) { cell.transport().pause_reading(); }},
    {"half-closed", false, false, false, [](Cell& cell) { cell.transport().write_eof(); }},
    {"half-closed, will stay half-open", true, false, false,
     [](Cell& cell) { cell.transport().write_eof(); }},
    {"half-closed and paused", false, false, false,
     [](Cell& cell) {
       cell.transport().write_eof();
       cell.transport().pause_reading();
     }},
    {"write-only", true, true, false, [](Cell&) {}},
    {"write-only, waiting for room", true, true, true, [](Cell&) {}},
    {"both halves closed", true, true, false, [](Cell& cell) { cell.transport().write_eof(); }},
    {"waiting for room", false, false, true, [](Cell&) {}},
    {"waiting for room to end", true, false, true,
     [](Cell& cell) { cell.transport().write_eof(); }},
    {"waiting for room, paused", false, false, true,
     [](Cell& cell) { cell.transport().pause_reading(); }},
    {"waiting for room to close", false, false, true, [](Cell& cell) { cell.transport().close(); }},
};

/// What the peer does.
struct Action {
  const char* name;
  bool sends;   // Makes no sense once it has ended.
  bool leaves;  // The connection has no other end any more.
  bool unread;  // With bytes in its buffer: a reset.
  short shows;  // What poll(2) has to say before we look; 0: a hang-up.
  void (*act)(Cell&, RealLoop&);
};

constexpr short nothing = -1;

void close_peer(Cell& cell, RealLoop&) { cell.peer.reset(); }
void kill_holder(Cell& cell, RealLoop&) {
  cell.peer.reset();
  REQUIRE(::kill(cell.holder, SIGKILL) == 0);
  REQUIRE(::waitpid(cell.holder, nullptr, 0) == cell.holder);
}
/// And what comes meanwhile.
void read_all(Cell& cell, RealLoop& real) {
  std::string room(1 << 20, '\0');
  std::uint64_t before = 0;
  do {
    before = real.calls.bytes_sent();
    while (::recv(cell.peer.get(), room.data(), room.size(), MSG_DONTWAIT) > 0) {
    }
    if (cell.transport().get_write_buffer_size() > 0) wait_for_events(cell.fd, POLLOUT);
    real.pass();
  } while (real.calls.bytes_sent() != before);
}

constexpr Action actions[] = {
    {"nothing", false, false, false, nothing, [](Cell&, RealLoop&) {}},
    {"sends data", true, false, false, POLLIN,
     [](Cell& cell, RealLoop&) { put(cell.peer, "data"); }},
    {"reads all there is", false, false, false, nothing, read_all},
    {"shutdown(WR)", true, false, false, POLLRDHUP,
     [](Cell& cell, RealLoop&) { put_eof(cell.peer); }},
    {"sends data, shutdown(WR)", true, false, false, POLLRDHUP,
     [](Cell& cell, RealLoop&) {
       put(cell.peer, "data");
       put_eof(cell.peer);
     }},
    {"shutdown(RD)", false, false, false, nothing,
     [](Cell& cell, RealLoop&) { ::shutdown(cell.peer.get(), SHUT_RD); }},
    {"close", false, true, false, POLLRDHUP, close_peer},
    {"sends data, close", true, true, false, POLLRDHUP,
     [](Cell& cell, RealLoop&) {
       put(cell.peer, "data");
       cell.peer.reset();
     }},
    {"close with unread data", false, true, true, 0, close_peer},
    {"reset", false, true, false, 0, [](Cell& cell, RealLoop&) { reset(cell.peer); }},
    {"killed", false, true, false, POLLRDHUP, kill_holder},
};

/// A process that does nothing but keep `peer` open.
pid_t hold(int ours) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::close(ours);
  while (::getppid() == parent) ::pause();
  ::_exit(0);
}

/// A transport in `state`, and a peer that is ready for `action`.
Cell make_cell(RealLoop& real, std::pair<UniqueFd, UniqueFd> ends, const State& state,
               const Action& action) {
  Cell cell;
  cell.fd = ends.first.get();
  const int small = 64 * 1024;
  REQUIRE(::setsockopt(cell.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
  if (action.unread) put(ends.first, "never read");
  if (action.act == kill_holder) cell.holder = hold(cell.fd);
  cell.recorder = real.start(std::move(ends.first));
  cell.recorder->keep_open = state.keep_open;
  cell.peer = std::move(ends.second);
  real.settle();
  if (state.peer_has_ended) end_peer(cell, real);
  if (state.blocked) block(cell);
  state.enter(cell);
  real.settle();
  REQUIRE_FALSE(cell.recorder->lost());
  REQUIRE(real.becomes_quiet());
  return cell;
}

/// Everything that happens to a connection counts as a step forward.
std::uint64_t progress(const RealLoop& real, const Cell& cell) {
  return real.calls.bytes_received() + real.calls.bytes_sent() + cell.recorder->trace.size();
}

/// Wake-ups that nothing came of, out of `passes` passes. No clock: a pass that the poller would
/// wake up for, or not.
int useless_wake_ups(RealLoop& real, const Cell& cell) {
  int useless = 0;
  for (int i = 0; i < passes; ++i) {
    const bool woken = real.ready_events() > 0;
    const std::uint64_t before = progress(real, cell);
    real.pass();
    if (woken && progress(real, cell) == before) ++useless;
  }
  return useless;
}

void perform(RealLoop& real, Cell& cell, const Action& action) {
  const int fd = cell.fd;
  action.act(cell, real);
  if (action.shows != nothing) wait_for_events(fd, action.shows);
}

/// What the peer left behind is heard sooner or later, and then nothing is left to wake up for.
void check_end(RealLoop& real, const Cell& cell, const State& state, const Action& action) {
  if (!cell.recorder->lost()) cell.transport().resume_reading();
  CHECK(useless_wake_ups(real, cell) <= most_useless_wake_ups);
  if (action.leaves && !state.keep_open) CHECK(cell.recorder->lost());
  if (!cell.recorder->lost()) cell.transport().abort();
  real.settle();
  CHECK(cell.recorder->lost());
  CHECK(real.becomes_quiet());
}

/// Calls `visit` for all that can happen to a transport over one kind of connection.
template <class F>
void for_each_case(F visit) {
  for (const State& state : states) {
    for (const Action& action : actions) {
      if (action.sends && state.peer_has_ended) continue;
      visit(state, action);
    }
  }
}

std::pair<UniqueFd, UniqueFd> connect_ends(const Loopback& net, bool tcp) {
  return tcp ? net.connection() : unix_connection();
}

/// As long as it lives, no descriptor can be opened.
class NoDescriptors {
 public:
  NoDescriptors() {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const int lowest_free = ::dup(STDIN_FILENO);
    REQUIRE(lowest_free >= 0);
    ::close(lowest_free);
    rlimit now = before_;
    now.rlim_cur = static_cast<rlim_t>(lowest_free);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &now) == 0);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace

TEST_SUITE_BEGIN("system/spin_guard" * doctest::timeout(300));

TEST_CASE("spin guard: whatever we are doing and the peer does, at most 3 wake-ups are useless") {
  const Loopback net;
  for (const char* poller : pollers) {
    for (const bool tcp : {true, false}) {
      for_each_case([&](const State& state, const Action& action) {
        const std::string where =
            std::string(poller) + (tcp ? ", TCP, " : ", unix, ") + state.name + ": " + action.name;
        CAPTURE(where);
        RealLoop real(poller);
        Cell cell = make_cell(real, connect_ends(net, tcp), state, action);
        perform(real, cell, action);
        CHECK(useless_wake_ups(real, cell) <= most_useless_wake_ups);
        CHECK(real.becomes_quiet());
        check_end(real, cell, state, action);
      });
    }
  }
}

TEST_CASE("spin guard: all of these connections together wake the loop once a second, if at all") {
  const Loopback net;
  for (const char* poller : pollers) {
    const std::string where = poller;
    CAPTURE(where);
    RealLoop real(poller);
    std::vector<Cell> cells;
    for (const bool tcp : {true, false}) {
      for_each_case([&](const State& state, const Action& action) {
        cells.push_back(make_cell(real, connect_ends(net, tcp), state, action));
        perform(real, cells.back(), action);
        real.settle();
      });
    }
    const auto run_for = [&](Duration duration) {
      real.calls.reset();
      real.loop->call_later(duration, [&] { real.loop->stop(); });
      real.loop->run_forever();
    };
    run_for(100ms);  // What a busy machine is late with.
    run_for(1s);
    CHECK(real.calls.count(Call::poller_wait) <= 1);  // The one that the timer ended.
    CHECK(real.calls.total_system_calls() <= 2);
    for (const Cell& cell : cells) cell.recorder->calm_down();
  }
}

TEST_CASE("spin guard: a client that no descriptor is left for wakes its server once a second") {
  for (const char* poller : pollers) {
    const std::string where = poller;
    CAPTURE(where);
    RealLoop real(poller);
    int reports = 0;
    real.loop->set_exception_handler([&](EventLoop&, const ExceptionContext& report) {
      CHECK(report.message == "socket.accept() out of system resource");
      if (++reports >= 2) real.loop->stop();
    });
    const auto factory = [] { return std::make_shared<Recorder>(); };
    const Server server = real.loop->run_until_complete(create_server(factory, "127.0.0.1", 0));
    const int listener = server.sockets().at(0).fd();
    const UniqueFd client = Loopback::connect_to(Loopback::address_of(listener));
    wait_for_events(listener, POLLIN);
    {
      const NoDescriptors none;
      real.settle();
      CHECK(reports == 1);
      CHECK(real.becomes_quiet());
      real.calls.reset();
      real.loop->run_forever();  // Until it has tried again.
      CHECK(reports == 2);
      CHECK(real.calls.count(Call::accept) == 1);
      CHECK(real.calls.count(Call::poller_wait) <= most_useless_wake_ups);
    }
  }
}

TEST_SUITE_END();

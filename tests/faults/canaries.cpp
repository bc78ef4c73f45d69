// SPDX-License-Identifier: MIT
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/sleep.hpp>

#include <tests/faults/party.hpp>
#include <tests/faults/scenario.hpp>

// Programs with a planted error each. Whatever runs scenarios must find every one of them.

namespace weir::faults {
namespace {

using namespace std::chrono_literals;

/// Two connected descriptors: the first through the kernel that may fail.
bool open_pair(Stage stage, int (&fds)[2]) {
  return stage.kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0;
}

Coro<> leaked_descriptor(Stage stage) {
  int fds[2];
  if (!open_pair(stage, fds)) co_return;
  co_await sleep(1ms);
  stage.kernel.close(fds[0]);
}

Coro<> closed_twice(Stage stage) {
  int fds[2];
  if (!open_pair(stage, fds)) co_return;
  co_await sleep(1ms);
  stage.kernel.close(fds[0]);
  stage.kernel.close(fds[1]);
  stage.kernel.close(fds[1]);
}

/// A byte that send() does not take is thrown away.
Coro<> lost_byte(Stage stage) {
  int fds[2];
  if (!open_pair(stage, fds)) co_return;
  Peer out(stage, fds[0]);
  Peer in(stage, fds[1]);
  Flow& flow = stage.oracle.flow("bytes");
  flow.sent = text_of(40);
  for (std::size_t at = 0; at < flow.sent.size(); at += 10) {
    const iovec piece{flow.sent.data() + at, 10};
    static_cast<void>(stage.kernel.send(out.fd(), std::span(&piece, 1)));
    co_await sleep(1ms);
  }
  in.take(flow);
}

/// After an error in recv() it waits for ever for what comes next.
Coro<> hangs(Stage stage) {
  int fds[2];
  if (!open_pair(stage, fds)) co_return;
  const Peer ours(stage, fds[0]);
  Peer theirs(stage, fds[1]);
  theirs.put("x");
  char room[8];
  const iovec buffer{room, sizeof room};
  const IoResult got = stage.kernel.recv(ours.fd(), std::span(&buffer, 1));
  co_await sleep(1ms);
  while (!got.ok()) co_await sleep(100ms);
}

/// Keeps memory that nobody asks for again. LeakSanitizer knows where it is.
Coro<> leaked_memory(Stage stage) {
  int fds[2];
  if (!open_pair(stage, fds)) co_return;
  const Peer ours(stage, fds[0]);
  const Peer theirs(stage, fds[1]);
  char room[8];
  const iovec buffer{room, sizeof room};
  const IoResult got = stage.kernel.recv(ours.fd(), std::span(&buffer, 1));
  co_await sleep(1ms);
  static std::vector<std::string> kept;
  if (got.error == ECONNRESET) kept.emplace_back(100, 'x');
}

/// A future that nobody ends.
Coro<> forgotten_future(Stage stage) {
  const Future<> future = get_running_loop().create_future<void>();
  stage.oracle.must_end("a future", future);
  co_await sleep(1ms);
}

/// Cannot live without its peer.
Coro<> crashes(Stage stage) {
  int fds[2];
  if (!open_pair(stage, fds)) co_return;
  const Peer ours(stage, fds[0]);
  const Peer theirs(stage, fds[1]);
  char byte = 'x';
  const iovec piece{&byte, 1};
  const IoResult sent = stage.kernel.send(ours.fd(), std::span(&piece, 1));
  co_await sleep(1ms);
  if (sent.error == EPIPE) std::abort();
}

constexpr Scenario list[] = {
    {"canary_leaked_descriptor", leaked_descriptor},
    {"canary_closed_twice", closed_twice},
    {"canary_lost_byte", lost_byte},
    {"canary_hangs", hangs},
    {"canary_leaked_memory", leaked_memory},
    {"canary_forgotten_future", forgotten_future},
    {"canary_crashes", crashes},
};

}  // namespace

std::span<const Scenario> canaries() { return list; }

}  // namespace weir::faults

// SPDX-License-Identifier: MIT
//
// Small programs that a trace tells of. Each runs on a simulated machine, so that the same happens
// at the same time, always.
//
//     scenes NAME            tells what happens, as WEIR_TRACE=explain does
//     scenes NAME --json     shows it, as WEIR_TRACE=FILE does
//     scenes --list
#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include <weir/net/socket.hpp>
#include <weir/reactor/sim/sim_kernel.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/timeouts.hpp>
#include <weir/reactor/trace.hpp>
#include <weir/streams/open_connection.hpp>

namespace {

using namespace std::chrono_literals;
using weir::Coro;
using weir::Future;
using weir::StreamReader;
using weir::StreamWriter;

/// The machine, the loop, and the other end of a connection, which is not traced.
struct Stage {
  Stage() {
    int fds[2];
    static_cast<void>(machine.socketpair(AF_UNIX, SOCK_STREAM, fds));
    ours = fds[0];
    theirs = fds[1];
  }

  weir::SimKernel machine{1};
  weir::Trace trace{machine};
  weir::EventLoop loop{trace.kernel()};
  int ours = -1;
  int theirs = -1;
};

/// What the other end does, and when.
void peer_sends(Stage* stage, weir::Duration when, std::string_view bytes) {
  stage->loop.call_later(when, [stage, bytes] {
    const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    static_cast<void>(stage->machine.send(stage->theirs, {&piece, 1}));
  });
}
void peer_closes(Stage* stage, weir::Duration when) {
  stage->loop.call_later(
      when, [stage] { static_cast<void>(stage->machine.shutdown(stage->theirs, SHUT_WR)); });
}
void peer_reads(Stage* stage, weir::Duration when) {
  stage->loop.call_later(when, [stage] {
    static char room[1 << 20];
    const iovec piece{room, sizeof room};
    while (stage->machine.recv(stage->theirs, {&piece, 1}).value > 0) {
    }
  });
}

// ---- The scenes

Coro<> echo(StreamReader reader, StreamWriter writer, Stage* stage) {
  peer_sends(stage, 1ms, "hello\n");
  peer_sends(stage, 2ms, "world\n");
  peer_closes(stage, 3ms);
  while (auto line = co_await reader.next_line()) {
    writer.write(*line);
    co_await writer.drain();
  }
}

Coro<> partial_line(StreamReader reader, StreamWriter, Stage* stage) {
  peer_sends(stage, 1ms, "twelve bytes");
  peer_sends(stage, 2ms, ", and the rest\n");
  const std::string line = co_await reader.readuntil("\n");
}

Coro<> eof_mid_record(StreamReader reader, StreamWriter, Stage* stage) {
  peer_sends(stage, 1ms, "half a rec");
  peer_closes(stage, 2ms);
  auto record = co_await weir::outcome(reader.readexactly(16));
}

/// The limit is 64: with more than twice as much in the buffer the transport pauses.
Coro<> pause_resume(StreamReader reader, StreamWriter, Stage* stage) {
  static const std::string flood(150, 'x');
  peer_sends(stage, 1ms, flood);
  co_await weir::sleep(2ms);
  const std::string most = co_await reader.readexactly(140);
  const std::string rest = co_await reader.readexactly(10);
}

/// The peer does not read at first: the kernel's buffer fills up, then ours.
Coro<> drain(StreamReader, StreamWriter writer, Stage* stage) {
  static const std::string much(150'000, 'x');
  peer_reads(stage, 1ms);
  peer_reads(stage, 2ms);
  writer.write(much);
  co_await writer.drain();
}

Coro<> timeout(StreamReader reader, StreamWriter, Stage*) {
  auto line = co_await weir::outcome(weir::wait_for(reader.readline(), 5ms));
}

Coro<> sleeps() { co_await weir::sleep(1h); }

Coro<> cancel(StreamReader, StreamWriter, Stage* stage) {
  const weir::Task<> sleeper = stage->loop.create_task(sleeps(), "sleeper");
  co_await weir::sleep(1ms);
  sleeper.cancel();
  auto end = co_await weir::outcome(sleeper);
}

Coro<> waits_for(Future<int> answer) { static_cast<void>(co_await answer); }

Coro<> wake_across_tasks(StreamReader, StreamWriter, Stage* stage) {
  const auto answer = stage->loop.create_future<int>();
  const weir::Task<> waiter = stage->loop.create_task(waits_for(answer), "waiter");
  co_await weir::sleep(1ms);
  answer.set_result(42);
  co_await waiter;
}

Coro<> call_later(StreamReader, StreamWriter, Stage* stage) {
  stage->loop.call_later(2ms, [] {});
  stage->loop.call_later(1ms, [stage] { stage->loop.call_soon([] {}); });
  weir::TimerHandle never = stage->loop.call_later(1h, [] {});
  never.cancel();
  co_await weir::sleep(3ms);
}

struct Scene {
  const char* name;
  Coro<> (*play)(StreamReader, StreamWriter, Stage*);
};
constexpr Scene scenes[] = {
    {"echo", echo},
    {"partial_line", partial_line},
    {"eof_mid_record", eof_mid_record},
    {"pause_resume", pause_resume},
    {"drain", drain},
    {"timeout", timeout},
    {"cancel", cancel},
    {"wake_across_tasks", wake_across_tasks},
    {"call_later", call_later},
};

void say(std::string_view line) {
  std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
}

void play(const Scene& scene, bool json) {
  Stage stage;
  {
    weir::Socket socket(stage.trace.kernel(), stage.ours);
    weir::Streams streams =
        stage.loop.run_until_complete(weir::open_connection({.limit = 64, .sock = &socket}));
    if (!json) stage.trace.explain_to(say);
    stage.loop.run_until_complete(stage.loop.create_task(
        scene.play(std::move(streams.reader), std::move(streams.writer), &stage), scene.name));
  }
  stage.loop.close();
  stage.trace.flush();
  if (json) std::fputs(stage.trace.json().c_str(), stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view name = argc > 1 ? argv[1] : "";
  for (const Scene& scene : scenes) {
    if (name == "--list") say(scene.name);
    if (name != scene.name) continue;
    play(scene, argc > 2 && std::strcmp(argv[2], "--json") == 0);
    return 0;
  }
  if (name == "--list") return 0;
  std::fputs("usage: scenes NAME [--json] | --list\n", stderr);
  return 2;
}

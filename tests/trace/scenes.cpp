// SPDX-License-Identifier: MIT
//
// Small programs that a trace tells of. Each runs on a simulated machine, so that the same happens
// at the same time, always.
//
//     scenes NAME            tells what happens, as WEIR_TRACE=explain does
//     scenes NAME --json     shows it, as WEIR_TRACE=FILE does
//     scenes --list
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include <weir/net/socket.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/timeouts.hpp>
#include <weir/streams/open_connection.hpp>

#include "stage.hpp"
#include "steps.hpp"

namespace {

using namespace std::chrono_literals;
using weir::Coro;
using weir::Future;
using weir::StreamReader;
using weir::StreamWriter;

// ---- The scenes

Coro<> echo(StreamReader reader, StreamWriter writer, Stage* stage) {
  stage->peer.sends(1ms, "hello\n");
  stage->peer.sends(2ms, "world\n");
  stage->peer.ends(3ms);
  while (auto line = co_await reader.next_line()) {
    writer.write(*line);
    co_await writer.drain();
  }
}

Coro<> partial_line(StreamReader reader, StreamWriter, Stage* stage) {
  stage->peer.sends(1ms, "twelve bytes");
  stage->peer.sends(2ms, ", and the rest\n");
  const std::string line = co_await reader.readuntil("\n");
}

Coro<> eof_mid_record(StreamReader reader, StreamWriter, Stage* stage) {
  stage->peer.sends(1ms, "half a rec");
  stage->peer.ends(2ms);
  auto record = co_await weir::outcome(reader.readexactly(16));
}

/// The limit is 64: with more than twice as much in the buffer the transport pauses.
Coro<> pause_resume(StreamReader reader, StreamWriter, Stage* stage) {
  static const std::string flood(150, 'x');
  stage->peer.sends(1ms, flood);
  co_await weir::sleep(2ms);
  const std::string most = co_await reader.readexactly(140);
  const std::string rest = co_await reader.readexactly(10);
}

/// The peer does not read at first: the kernel's buffer fills up, then ours.
Coro<> drain(StreamReader, StreamWriter writer, Stage* stage) {
  static const std::string much(150'000, 'x');
  stage->peer.reads(1ms);
  stage->peer.reads(2ms);
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
    weir::Socket socket(stage.trace.kernel(), stage.peer.ours);
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

/// Its story has no ends to tie up: what comes after is not told.
void play(const Step& step, bool json) {
  Stage stage;
  step.begin(stage);
  if (!json) stage.trace.explain_to(say);
  stage.loop.call_later(step.ends, [&stage] {
    stage.trace.explain_to([](std::string_view) {});
    stage.loop.stop();
  });
  stage.loop.run_forever();
  stage.loop.close();
  if (json) std::fputs(stage.trace.json().c_str(), stdout);
}

/// Whether there are some of this name: they are played, or listed.
template <class Scenes>
bool play_some(const Scenes& some, std::string_view name, bool json) {
  bool found = name == "--list";
  for (const auto& scene : some) {
    if (name == "--list") say(scene.name);
    if (name != scene.name) continue;
    play(scene, json);
    found = true;
  }
  return found;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view name = argc > 1 ? argv[1] : "";
  const bool json = argc > 2 && std::strcmp(argv[2], "--json") == 0;
  const bool found = play_some(scenes, name, json);
  if (play_some(tutorial_steps(), name, json) || found) return 0;
  std::fputs("usage: scenes NAME [--json] | --list\n", stderr);
  return 2;
}

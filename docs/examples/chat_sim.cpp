// SPDX-License-Identifier: MIT
// The chat of chat.cpp on a simulated machine, with guests who are cut off at any moment:
//
//     ./chat_sim [FIRST_SEED [COUNT]]   says which seed shows what is wrong, and how it came about
//
// What there is to learn: a server need not know that it is simulated. What it takes is a claim
// that can be checked at any time; here: nobody ever hears half a sentence. docs/simulation.md
// walks through this file.
#include <chrono>
#include <cstdint>

#include <weir/reactor/sim/sim_kernel.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/sleep.hpp>

// NOLINTBEGIN(readability-identifier-naming, bugprone-suspicious-include): but for its main()
#define main chat_main
#include "chat.cpp"
#undef main
// NOLINTEND(readability-identifier-naming, bugprone-suspicious-include)

namespace {

using namespace std::chrono_literals;

constexpr int port = 4000;
constexpr int guest_count = 4;

// [world]
/// One evening: a machine, a chat, its guests, and the first thing that went wrong.
struct Evening {
  explicit Evening(std::uint64_t seed)
      : random(seed), kernel(seed, weir::SimOptions::swarm(random)), loop(kernel) {
    loop.set_log_sink([](weir::LogLevel, std::string_view) {});
    loop.set_exception_handler([this](weir::EventLoop&, const weir::ExceptionContext& context) {
      // The machine may be out of descriptors; everything else is the server's fault.
      if (!context.message.starts_with("socket.accept()")) complain(to_string(context));
    });
  }
  // [/world]
  void complain(const std::string& what) {
    if (!wrong.empty()) return;
    wrong = what;
    kernel.trace().note(kernel.now(), what);
  }
  void run_for(weir::Duration time) {
    loop.call_later(time, [this] { loop.stop(); });
    loop.run_forever();
  }

  weir::SimRandom random;
  weir::SimKernel kernel;
  Chat chat;
  std::string wrong;
  int guests_left = 0;
  weir::EventLoop loop;  // Last, so that it goes first, and with it all that rests on the others.
};

// [listen]
/// Hears what is said, and checks it: every sentence ends in "over".
weir::Coro<> listen(Evening* evening, weir::StreamReader reader) {
  while (auto line = co_await reader.next_line()) {
    const bool whole = line->starts_with("* ") || line->ends_with(" over\n");
    if (line->ends_with('\n') && !whole) evening->complain("half a sentence was said: " + *line);
  }
}
// [/listen]

// [visit]
/// Comes, talks, listens, and goes: in order, or because somebody has pulled the plug.
weir::Coro<> visit(Evening* evening, int number) {
  co_await weir::sleep(evening->random.up_to(1s));
  weir::Streams streams = co_await weir::open_connection("127.0.0.1", port);
  const auto listening = weir::create_task(weir::outcome(listen(evening, streams.reader)));
  for (int i = 0; i < 20; ++i) {
    const std::string sentence = "sentence " + std::to_string(i) + " of " + std::to_string(number);
    streams.writer.write(sentence + " over\n");
    co_await weir::sleep(evening->random.up_to(100ms));
  }
  const bool pulls_the_plug = evening->random.coin();
  if (pulls_the_plug) streams.writer.transport()->abort();
  streams.writer.write_eof();
  static_cast<void>(co_await listening);
}
// [/visit]

weir::Coro<> guest(Evening* evening, int number) {
  const weir::Outcome<> visited = co_await weir::outcome(visit(evening, number));
  static_cast<void>(visited);  // Not to get in, or to be cut off, is nobody's fault.
  --evening->guests_left;
}

weir::Coro<> open_house(Evening* evening) {
  const auto talk = [evening](weir::StreamReader reader, weir::StreamWriter writer) {
    return evening->chat.talk(std::move(reader), std::move(writer));
  };
  const weir::StartServerOptions options{.limit = line_bytes};
  const weir::Server server = co_await weir::start_server(talk, "127.0.0.1", port, options);
  co_await weir::sleep(10min);
  server.close();
  co_await server.wait_closed();
}

/// What went wrong that evening; nothing, if all is well.
std::string spend(Evening& evening) {
  const weir::Task<> house = evening.loop.create_task(open_house(&evening));
  for (; evening.guests_left < guest_count; ++evening.guests_left)
    evening.loop.create_task(guest(&evening, evening.guests_left));
  // [end]
  evening.run_for(60s);  // Everything goes wrong.
  evening.kernel.heal();
  evening.run_for(20min);  // Nothing does any more: everybody can finish.
  if (evening.guests_left != 0) evening.complain("a guest waits for ever");
  if (!house.done()) evening.complain("the server does not end");
  // [/end]
  for (const int fd : evening.kernel.open_fds())
    evening.complain("descriptor " + std::to_string(fd) + " is open");
  for (const std::string& misuse : evening.kernel.misuses()) evening.complain(misuse);
  if (house.done()) static_cast<void>(house.exception());  // No descriptors, perhaps.
  return evening.wrong;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t first = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  const std::uint64_t count = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1000;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    Evening evening(seed);
    evening.kernel.trace().record();
    if (spend(evening).empty()) continue;
    for (const std::string& line : evening.kernel.trace().lines()) std::puts(line.c_str());
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), evening.wrong.c_str());
    return 1;
  }
  std::printf("%llu seeds, nothing wrong\n", static_cast<unsigned long long>(count));
}

// SPDX-License-Identifier: MIT
// What the chapter "Back-pressure" shows.
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include <weir/net/transport.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/streams/streams.hpp>

#include "stage.hpp"

using namespace std::chrono_literals;

namespace {

using book::Stage;

/// One connection: our streams, and the descriptor of the other end.
class Line : public Stage {
 public:
  explicit Line(std::ptrdiff_t limit = 10) {
    const int listener = kernel.listen_on(4000);
    const weir::OpenOptions options{.limit = limit};
    streams.emplace(loop.run_until_complete(weir::open_connection("127.0.0.1", 4000, options)));
    peer = kernel.accept_from(listener);
  }
  weir::StreamReader& reader() { return streams->reader; }
  weir::StreamWriter& writer() { return streams->writer; }
  bool reading() { return writer().transport()->is_reading(); }
  std::string read(std::ptrdiff_t n) { return loop.run_until_complete(reader().readexactly(n)); }
  void arrive(const std::string& bytes) {
    kernel.put(peer, bytes);
    run_for(1ms);
  }

  std::optional<weir::Streams> streams;
  int peer = -1;
};

// [pump]
/// Copies at the speed of whoever is slower, with bounded memory.
weir::Coro<> pump(weir::StreamReader from, weir::StreamWriter to) {
  for (;;) {
    const std::string some = co_await from.read(64 * 1024);
    if (some.empty()) break;
    to.write(some);
    co_await to.drain();  // Until `to` has taken enough: meanwhile `from` is not read.
  }
  to.write_eof();
}
// [/pump]

}  // namespace

TEST_SUITE("book/back_pressure") {
  TEST_CASE_FIXTURE(Line, "back-pressure: reading pauses above 2 * limit, resumes at the limit") {
    // [reading]
    // The reader's limit is 10.
    arrive(std::string(20, 'x'));
    CHECK(reading());  // Twice the limit: not yet.
    arrive("x");
    CHECK_FALSE(reading());  // 21: from here on the kernel keeps what comes.
    read(10);
    CHECK_FALSE(reading());  // 11 left.
    read(1);
    CHECK(reading());  // 10, the limit: more may come.
    // [/reading]
  }

  TEST_CASE_FIXTURE(Line, "back-pressure: a read that has to wait resumes, whatever is buffered") {
    arrive(std::string(21, 'x'));
    CHECK_FALSE(reading());
    // [forced]
    const auto task = loop.create_task(reader().readexactly(100));
    run_for(1ms);
    CHECK(reading());  // 21 bytes are buffered, more than the limit; but 100 are wanted.
    // [/forced]
    arrive(std::string(79, 'x'));
    CHECK(task.done());
    CHECK(task.result().size() == 100);
  }

  TEST_CASE_FIXTURE(Line, "back-pressure: drain waits above the high mark, until the low one") {
    kernel.set_capacity(writer().transport()->get_extra_info("socket").socket()->fd(), 100);
    // [writing]
    // The kernel takes 100 bytes until the peer reads.
    writer().transport()->set_write_buffer_limits(50, 20);  // high, low
    writer().write(std::string(150, 'x'));                  // 100 leave, 50 stay: not above.
    auto drain = loop.create_task(writer().drain());
    run_for(1ms);
    CHECK(drain.done());

    writer().write("x");  // 51
    drain = loop.create_task(writer().drain());
    run_for(1ms);
    CHECK_FALSE(drain.done());

    kernel.take(peer);  // Makes room for 100 more.
    run_for(1ms);
    CHECK(drain.done());  // 0, which is not above 20.
    // [/writing]
    CHECK(writer().transport()->get_write_buffer_size() == 0);
  }

  TEST_CASE_FIXTURE(Line, "back-pressure: a pump keeps little, however much is sent") {
    const int listener = kernel.listen_on(4001);
    const weir::OpenOptions options{.limit = 64 * 1024};
    const weir::Streams out =
        loop.run_until_complete(weir::open_connection("127.0.0.1", 4001, options));
    const int slow = kernel.accept_from(listener);
    const auto task = loop.create_task(pump(reader(), out.writer));
    std::size_t most = 0;
    for (int i = 0; i < 64; ++i) {  // 4 MiB come; nobody reads at the other side.
      arrive(std::string(64 * 1024, 'x'));
      most = std::max(most, out.writer.transport()->get_write_buffer_size());
    }
    CHECK(most > 64 * 1024);
    CHECK(most <= 2 * 64 * 1024);
    std::size_t arrived = 0;
    kernel.put_eof(peer);
    while (!kernel.at_eof(slow)) {
      arrived += kernel.take(slow).size();
      run_for(1ms);
    }
    CHECK(arrived == 64 * 64 * 1024);
    CHECK(task.done());
  }
}

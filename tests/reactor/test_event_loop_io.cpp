// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/sim/counting_kernel.hpp>
#include <weir/reactor/unique_fd.hpp>

#include <tests/reactor/fake_loop.hpp>

using namespace weir;
using namespace std::chrono_literals;
using weir::test::Ends;
using weir::test::FakeLoop;
using weir::test::when_destroyed;

namespace {

constexpr detail::RunnableKind transport_kind = {
    [](detail::Runnable&) {},
    [](const detail::Runnable&) { return std::string("<T>"); },
};

/// Adds a word to the trace when the event has been drained.
struct NotingHook : detail::DrainHook {
  NotingHook(std::string& its_trace, std::string its_word)
      : DrainHook([](DrainHook& hook) {
          auto& self = static_cast<NotingHook&>(hook);
          self.trace += self.word + " ";
        }),
        trace(its_trace),
        word(std::move(its_word)) {}
  std::string& trace;
  std::string word;
};

}  // namespace

TEST_SUITE_BEGIN("reactor/event_loop_io");

// ---- add, remove, replace

// CPython: test_events.py EventLoopTestsMixin.test_reader_callback
TEST_CASE_FIXTURE(FakeLoop,
                  "add_reader: runs whenever there is something to read, until it is read") {
  const Ends ends = connect();
  loop.add_reader(ends.ours, note("read"));
  pass();
  CHECK(trace == "");
  kernel.put(ends.theirs, "x");
  pass();
  pass();
  CHECK(trace == "read read ");
  kernel.take(ends.ours);
  pass();
  CHECK(trace == "read read ");
}

TEST_CASE_FIXTURE(FakeLoop, "add_reader: hears of the end of the stream") {
  const Ends ends = connect();
  loop.add_reader(ends.ours, note("read"));
  kernel.put_eof(ends.theirs);
  pass();
  CHECK(trace == "read ");
}

// CPython: test_events.py EventLoopTestsMixin.test_writer_callback
TEST_CASE_FIXTURE(FakeLoop, "add_writer: runs whenever there is room") {
  const Ends ends = connect();
  loop.add_writer(ends.ours, note("write"));
  pass();
  pass();
  CHECK(trace == "write write ");
  CHECK(loop.remove_writer(ends.ours));
  pass();
  CHECK(trace == "write write ");
}

// CPython: test_selector_events.py test_add_reader_existing
TEST_CASE_FIXTURE(FakeLoop, "add_reader: a second one takes the place of the first") {
  const Ends ends = connect_readable();
  const auto captured = std::make_shared<int>();
  loop.add_reader(ends.ours, [captured] {});
  loop.add_reader(ends.ours, note("second"));
  CHECK(captured.use_count() == 1);
  pass();
  CHECK(trace == "second ");
}

// CPython: test_selector_events.py test_add_writer_existing
TEST_CASE_FIXTURE(FakeLoop, "add_writer: a second one takes the place of the first") {
  const Ends ends = connect();
  const auto captured = std::make_shared<int>();
  loop.add_writer(ends.ours, [captured] {});
  loop.add_writer(ends.ours, note("second"));
  CHECK(captured.use_count() == 1);
  pass();
  CHECK(trace == "second ");
}

// CPython: test_selector_events.py test_add_reader_existing_writer
TEST_CASE_FIXTURE(FakeLoop, "add_reader: leaves the writer that is there alone") {
  const Ends ends = connect_readable();
  loop.add_writer(ends.ours, note("write"));
  loop.add_reader(ends.ours, note("read"));
  pass();
  CHECK(trace == "read write ");
}

TEST_CASE_FIXTURE(FakeLoop,
                  "add_reader: may replace the callback that runs, which lives to its end") {
  const Ends ends = connect_readable();
  const auto captured = std::make_shared<int>();
  long uses = 0;
  loop.add_reader(ends.ours, [this, ends, captured, &uses] {
    loop.add_reader(ends.ours, note("second"));
    uses = captured.use_count();
  });
  pass();
  CHECK(uses == 2);
  CHECK(captured.use_count() == 1);
  pass();
  CHECK(trace == "second ");
}

TEST_CASE_FIXTURE(FakeLoop,
                  "add_reader: when the poller refuses, the callback that was there stays") {
  const Ends ends = connect_readable();
  loop.add_reader(ends.ours, note("first"));
  kernel.script(Call::poller_set, {.value = 0, .error = ENOMEM});
  CHECK_THROWS_WITH_AS(loop.add_reader(ends.ours, note("second")),
                       "[Errno 12] Cannot allocate memory", OSError);
  pass();
  CHECK(trace == "first ");
}

TEST_CASE_FIXTURE(FakeLoop, "add_reader: the destructor of what it replaces may remove and add") {
  const Ends ends = connect_readable();
  const auto second = std::make_shared<int>();
  const auto third = std::make_shared<int>();
  loop.add_reader(ends.ours, [guard = when_destroyed([&] {
                                loop.remove_reader(ends.ours);
                                loop.add_reader(ends.ours, [this, third] { trace += "third "; });
                              })] {});
  loop.add_reader(ends.ours, [this, second] { trace += "second "; });
  pass();
  CHECK(trace == "third ");
  CHECK(second.use_count() == 1);
  loop.remove_reader(ends.ours);
  CHECK(third.use_count() == 1);
}

// CPython: test_selector_events.py test_remove_reader, test_remove_reader_unknown
TEST_CASE_FIXTURE(FakeLoop, "remove_reader: tells whether there was one, and destroys it") {
  const Ends ends = connect_readable();
  const auto captured = std::make_shared<int>();
  CHECK_FALSE(loop.remove_reader(ends.ours));
  loop.add_reader(ends.ours, [captured] {});
  CHECK(loop.remove_reader(ends.ours));
  CHECK(captured.use_count() == 1);
  CHECK_FALSE(loop.remove_reader(ends.ours));
  CHECK_FALSE(loop.remove_reader(-1));
}

// CPython: test_selector_events.py test_remove_reader_read_write
TEST_CASE_FIXTURE(FakeLoop, "remove_reader: leaves the writer alone") {
  const Ends ends = connect_readable();
  loop.add_reader(ends.ours, note("read"));
  loop.add_writer(ends.ours, note("write"));
  loop.remove_reader(ends.ours);
  pass();
  CHECK(trace == "write ");
}

// CPython: test_selector_events.py test_remove_writer, test_remove_writer_unknown
TEST_CASE_FIXTURE(FakeLoop, "remove_writer: tells whether there was one, and destroys it") {
  const Ends ends = connect();
  const auto captured = std::make_shared<int>();
  loop.add_writer(ends.ours, [captured] {});
  CHECK(loop.remove_writer(ends.ours));
  CHECK(captured.use_count() == 1);
  CHECK_FALSE(loop.remove_writer(ends.ours));
  CHECK_FALSE(loop.remove_writer(ends.theirs));
  CHECK(kernel.registered_fds() == std::vector<int>());
}

// CPython: test_selector_events.py test_remove_writer_read_write
TEST_CASE_FIXTURE(FakeLoop, "remove_writer: leaves the reader alone") {
  const Ends ends = connect_readable();
  loop.add_reader(ends.ours, note("read"));
  loop.add_writer(ends.ours, note("write"));
  CHECK(loop.remove_writer(ends.ours));
  pass();
  CHECK(trace == "read ");
}

TEST_CASE_FIXTURE(FakeLoop,
                  "remove_reader: in its own callback lets that one finish, and is the last") {
  const Ends ends = connect_readable();
  const auto captured = std::make_shared<int>();
  long uses = 0;
  loop.add_reader(ends.ours, [this, ends, captured, &uses] {
    CHECK(loop.remove_reader(ends.ours));
    uses = captured.use_count();
    trace += "read ";
  });
  pass();
  pass();
  CHECK(trace == "read ");
  CHECK(uses == 2);
  CHECK(captured.use_count() == 1);
}

TEST_CASE_FIXTURE(FakeLoop, "remove_reader: on a closed loop finds nothing") {
  const Ends ends = connect();
  loop.add_reader(ends.ours, note("read"));
  loop.close();
  CHECK_FALSE(loop.remove_reader(ends.ours));
}

TEST_CASE_FIXTURE(FakeLoop, "registration: ends with the last interest") {
  const Ends ends = connect();
  loop.add_reader(ends.ours, [] {});
  loop.add_writer(ends.ours, [] {});
  loop.remove_reader(ends.ours);
  CHECK(kernel.registered_fds() == std::vector<int>{ends.ours});
  loop.remove_writer(ends.ours);
  CHECK(kernel.registered_fds().empty());
}

// CPython: test_selector_events.py test_add_reader (of a transport's descriptor)
TEST_CASE_FIXTURE(
    FakeLoop, "add_reader: the descriptor of a transport is refused, and not let go of either") {
  detail::Runnable transport(transport_kind);
  const int fd = connect().ours;
  const std::string text = "File descriptor " + std::to_string(fd) + " is used by transport <T>";
  loop.io().set_owner(fd, &transport);
  REQUIRE(loop.io().open(fd, &transport, nullptr) == 0);
  CHECK_THROWS_WITH_AS(loop.add_reader(fd, [] {}), text.c_str(), RuntimeError);
  CHECK_THROWS_WITH_AS(loop.add_writer(fd, [] {}), text.c_str(), RuntimeError);
  CHECK_THROWS_WITH_AS(loop.remove_reader(fd), text.c_str(), RuntimeError);
  CHECK_THROWS_WITH_AS(loop.remove_writer(fd), text.c_str(), RuntimeError);
  CHECK(loop.io().reader(fd) == &transport);
  loop.io().forget(fd);
}

TEST_CASE_FIXTURE(FakeLoop, "close: leaves alone what somebody else watches") {
  detail::Runnable transport(transport_kind);
  const int fd = connect().ours;
  REQUIRE(loop.io().open(fd, &transport, nullptr) == 0);
  loop.close();
  CHECK(loop.io().reader(fd) == &transport);
}

// ---- Descriptors that cannot be watched

TEST_CASE_FIXTURE(FakeLoop, "add_reader: a negative descriptor is named") {
  CHECK_THROWS_WITH_AS(loop.add_reader(-1, [] {}), "Invalid file descriptor: -1", ValueError);
  CHECK_THROWS_WITH_AS(loop.add_writer(-7, [] {}), "Invalid file descriptor: -7", ValueError);
}

TEST_CASE("B53: a regular file cannot be watched, and the loop goes on") {
  EventLoop loop;
  std::FILE* const file = std::tmpfile();
  REQUIRE(file != nullptr);
  CHECK_THROWS_WITH_AS(loop.add_reader(fileno(file), [] {}), "[Errno 1] Operation not permitted",
                       PermissionError);
  CHECK_FALSE(loop.remove_reader(fileno(file)));
  std::fclose(file);
  loop.close();
}

TEST_CASE("add_reader: a descriptor that is not open is refused, at no cost whatever its number") {
  EventLoop loop;
  CHECK_THROWS_WITH_AS(loop.add_reader(1'000'000'000, [] {}), "[Errno 9] Bad file descriptor",
                       OSError);
  CHECK(loop.io().size() < 10'000);
  loop.close();
}

// ---- One descriptor

TEST_CASE_FIXTURE(FakeLoop, "event: the reader of a descriptor runs before its writer") {
  const Ends ends = connect_readable();
  loop.add_writer(ends.ours, note("write"));
  loop.add_reader(ends.ours, note("read"));
  pass();
  CHECK(trace == "read write ");
}

// CPython: test_selector_events.py test_process_events_write_cancelled
TEST_CASE_FIXTURE(FakeLoop, "event: a writer that the reader removes does not run") {
  const Ends ends = connect_readable();
  loop.add_writer(ends.ours, note("write"));
  loop.add_reader(ends.ours, [&] {
    trace += "read ";
    loop.remove_writer(ends.ours);
  });
  pass();
  CHECK(trace == "read ");
}

// CPython: test_selector_events.py test_process_events_read_cancelled
TEST_CASE_FIXTURE(FakeLoop, "event: a reader that an earlier event has removed does not run") {
  const Ends first = connect_readable();
  const Ends second = connect_readable();
  loop.add_reader(first.ours, [&] {
    trace += "first ";
    loop.remove_reader(first.ours);
    loop.remove_reader(second.ours);
  });
  loop.add_reader(second.ours, note("second"));
  pass();
  pass();
  CHECK(trace == "first ");
}

TEST_CASE_FIXTURE(FakeLoop,
                  "event: a reader that gives up its descriptor keeps its writer from running") {
  const Ends ends = connect_readable();
  loop.add_writer(ends.ours, note("write"));
  loop.add_reader(ends.ours, [&] {
    loop.remove_reader(ends.ours);
    loop.remove_writer(ends.ours);
    kernel.close(ends.ours);
    REQUIRE(connect().ours == ends.ours);
    loop.add_writer(ends.ours, note("another"));
  });
  pass();
  CHECK(trace == "");
}

TEST_CASE_FIXTURE(FakeLoop,
                  "event: a callback that throws is reported, keeps its place, and hurts nobody") {
  const Ends first = connect_readable();
  const Ends second = connect_readable();
  loop.add_reader(first.ours, [] { throw ValueError("bad"); });
  loop.add_reader(second.ours, note("second"));
  pass();
  pass();
  CHECK(logged.size() == 2);
  CHECK(trace == "second second ");
}

// ---- One batch

// libuv: test-watcher-cross-stop.c
TEST_CASE_FIXTURE(FakeLoop, "batch: the first of 300 callbacks removes all, and no other runs") {
  std::vector<int> fds;
  int calls = 0;
  for (int i = 0; i < 300; ++i) fds.push_back(connect_readable().ours);
  for (const int fd : fds) {
    loop.add_reader(fd, [&] {
      ++calls;
      for (const int other : fds) loop.remove_reader(other);
    });
  }
  pass();
  CHECK(calls == 1);
  CHECK(loop.stats().stale_events == 299);
}

TEST_CASE("batch: the first of 100 real sockets closes all, and no other callback runs") {
  Kernel& kernel = Kernel::posix();
  EventLoop loop(kernel);
  std::vector<UniqueFd> ours;
  std::vector<UniqueFd> theirs;
  int calls = 0;
  for (int i = 0; i < 100; ++i) {
    int fds[2];
    REQUIRE(kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
    ours.emplace_back(kernel, fds[0]);
    theirs.emplace_back(kernel, fds[1]);
    REQUIRE(::write(fds[1], "x", 1) == 1);
  }
  for (const UniqueFd& fd : ours) {
    loop.add_reader(fd.get(), [&] {
      ++calls;
      for (UniqueFd& other : ours) {
        loop.remove_reader(other.get());
        other.reset();
      }
      loop.call_later(1ms, [&] { loop.stop(); });
    });
  }
  loop.run_forever();
  CHECK(calls == 1);
  CHECK(loop.stats().stale_events == 99);
  loop.close();
}

// libuv bbccafbe7: a stale event hits the new owner of the number.
TEST_CASE_FIXTURE(FakeLoop,
                  "B01: an event of a closed descriptor does not reach the number's next owner") {
  const Ends first = connect_readable();
  const Ends second = connect_readable();
  loop.add_reader(first.ours, [&] {
    kernel.take(first.ours);
    loop.remove_reader(second.ours);
    kernel.close(second.ours);
    const Ends next = connect();
    REQUIRE(next.ours == second.ours);
    loop.add_reader(next.ours, note("wrong"));
  });
  loop.add_reader(second.ours, note("wrong"));
  pass();
  pass();
  CHECK(trace == "");
  CHECK(loop.stats().stale_events == 1);
}

// mio RUSTSEC-2024-0019: a token that comes after the deregistration.
TEST_CASE_FIXTURE(FakeLoop,
                  "B03: an old event that the kernel repeats is dropped every time, and counted") {
  const Ends ends = connect_readable();
  std::vector<Ready> old;
  kernel.set_ready_filter([&](std::vector<Ready>& ready) {
    if (old.empty()) old = ready;
    ready = old;
  });
  loop.add_reader(ends.ours, note("first"));
  pass();
  loop.remove_reader(ends.ours);
  loop.add_reader(ends.ours, note("second"));
  for (int i = 0; i < 10; ++i) pass();
  CHECK(trace == "first ");
  CHECK(loop.stats().stale_events == 10);
}

// redis 513931dfe: the table moves while a callback of it runs.
TEST_CASE_FIXTURE(FakeLoop,
                  "B06: a callback may register so many descriptors that the table moves") {
  const Ends first = connect_readable();
  int served = 0;
  loop.add_reader(first.ours, [&] {
    loop.remove_reader(first.ours);
    for (int i = 0; i < 500; ++i) {
      loop.add_reader(connect_readable().ours, [&] { ++served; });
    }
  });
  const Ends last = connect_readable();
  loop.add_reader(last.ours, note("last"));
  pass();
  pass();
  CHECK(trace == "last last ");
  CHECK(served == 500);
}

TEST_CASE_FIXTURE(FakeLoop,
                  "batch: all that one descriptor woke runs before the next one is served") {
  const Ends first = connect_readable();
  const Ends second = connect_readable();
  loop.add_reader(first.ours, [&] {
    trace += "first ";
    loop.call_soon([&] {
      trace += "woken ";
      loop.call_soon(note("woken-by-woken"));
    });
  });
  loop.add_reader(second.ours, [&] {
    trace += "second ";
    loop.stop();
  });
  loop.run_forever();
  CHECK(trace == "first woken woken-by-woken second ");
}

TEST_CASE_FIXTURE(FakeLoop,
                  "batch: what one descriptor gathered is flushed before the next one is served") {
  const Ends first = connect_readable();
  const Ends second = connect_readable();
  NotingHook hook(trace, "flush");
  loop.add_reader(first.ours, [&] {
    trace += "first ";
    loop.call_soon([&] { loop.when_drained(hook); });
    loop.when_drained(hook);
  });
  loop.add_reader(second.ours, [&] {
    trace += "second ";
    loop.stop();
  });
  loop.run_forever();
  CHECK(trace == "first flush second ");
}

TEST_CASE_FIXTURE(FakeLoop, "batch: every descriptor gets one pass though an earlier one floods") {
  const Ends first = connect_readable();
  const Ends second = connect_readable();
  const Ends third = connect_readable();
  std::function<void()> flood = [&] { loop.call_soon(flood); };
  loop.add_reader(first.ours, [&] { loop.call_soon(flood); });
  loop.add_reader(second.ours, [&] { loop.call_soon(note("woken")); });
  loop.add_reader(third.ours, [&] {
    trace += "third ";
    loop.stop();
  });
  loop.run_forever();
  CHECK(trace == "woken third ");
  loop.close();  // While what the callbacks captured is there.
}

// ---- What is gathered

TEST_CASE_FIXTURE(FakeLoop,
                  "hooks: run at the end of a pass without events, once however often asked for") {
  NotingHook hook(trace, "flush");
  loop.call_soon([&] {
    loop.when_drained(hook);
    loop.when_drained(hook);
  });
  loop.call_soon(note("last"));
  pass();
  CHECK(trace == "last flush ");
  pass();
  CHECK(trace == "last flush ");
}

TEST_CASE_FIXTURE(FakeLoop, "hooks: one that dies before its turn is forgotten") {
  loop.call_soon([&] {
    NotingHook hook(trace, "flush");
    loop.when_drained(hook);
    CHECK(hook.linked());
  });
  pass();
  CHECK(trace == "");
}

TEST_CASE_FIXTURE(FakeLoop, "hooks: run also in the pass that stop() ends") {
  const Ends ends = connect_readable();
  NotingHook hook(trace, "flush");
  loop.add_reader(ends.ours, [&] {
    loop.when_drained(hook);
    loop.stop();
  });
  loop.run_forever();
  CHECK(trace == "flush ");
}

TEST_CASE_FIXTURE(FakeLoop, "hooks: those that an exception has kept from running run first") {
  NotingHook hook(trace, "flush");
  loop.call_soon([&] {
    loop.when_drained(hook);
    throw KeyboardInterrupt();
  });
  CHECK_THROWS_AS(pass(), KeyboardInterrupt);
  CHECK(trace == "");
  const Ends ends = connect_readable();
  loop.add_reader(ends.ours, note("event"));
  pass();
  CHECK(trace == "flush event ");
}

// ---- What the poller is told

TEST_CASE("interest: off and on again within a pass is not told to the poller") {
  FakeKernel fake;
  CountingKernel kernel(fake);
  EventLoop loop(kernel);
  int fds[2];
  REQUIRE(kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
  loop.add_reader(fds[0], [] {});
  detail::Runnable* const reader = loop.io().reader(fds[0]);
  kernel.reset();
  for (int i = 0; i < 5; ++i) {
    loop.call_soon([&] { loop.io().set_reader(fds[0], nullptr); });
    loop.call_soon([&] { loop.io().set_reader(fds[0], reader); });
    loop.stop();
    loop.run_forever();
  }
  CHECK(kernel.count(Call::poller_wait) == 5);
  CHECK(kernel.count(Call::poller_set) == 0);
  loop.close();
}

// h2o#603, seastar#64: a hang-up cannot be masked, so "no interest" must not stay registered.
TEST_CASE("B07: a descriptor that nobody wants makes no wake-ups, though its peer has gone") {
  EventLoop loop;
  int fds[2];
  REQUIRE(Kernel::posix().socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
  UniqueFd ours(Kernel::posix(), fds[0]);
  UniqueFd theirs(Kernel::posix(), fds[1]);
  loop.add_reader(ours.get(), [] {});
  detail::Runnable* const reader = loop.io().reader(ours.get());
  loop.io().set_reader(ours.get(), nullptr);
  theirs.reset();
  loop.call_later(5ms, [&] { loop.stop(); });
  loop.run_forever();
  CHECK(loop.stats().polls == 1);
  loop.io().set_reader(ours.get(), reader);
  loop.close();
}

TEST_CASE_FIXTURE(FakeLoop, "interest: every change that the poller refuses is reported") {
  const Ends first = connect();
  const Ends second = connect();
  for (const int fd : {first.ours, second.ours}) {
    loop.add_reader(fd, [] {});
    loop.add_writer(fd, [] {});
    loop.remove_reader(fd);
  }
  std::vector<std::string> sockets;
  loop.set_exception_handler([&](EventLoop&, const ExceptionContext& context) {
    CHECK(context.message == "The poller refused a change of interest");
    sockets.emplace_back(context.get("socket"));
  });
  kernel.fail_always(Call::poller_set, ENOMEM);
  pass();
  CHECK(sockets == std::vector<std::string>{"fd " + std::to_string(first.ours),
                                            "fd " + std::to_string(second.ours)});
}

TEST_CASE_FIXTURE(FakeLoop, "interest: a change that the poller refuses is tried after a second") {
  const Ends ends = connect();
  int heard = 0;
  int reports = 0;
  loop.set_exception_handler([&](EventLoop&, const ExceptionContext&) { ++reports; });
  loop.add_writer(ends.ours, [] {});
  loop.add_reader(ends.ours, [&, fd = ends.ours] {
    ++heard;
    loop.remove_reader(fd);
  });
  kernel.put(ends.theirs, "x");
  loop.remove_writer(ends.ours);
  kernel.script(Call::poller_set, {.error = ENOMEM});
  kernel.script(Call::poller_set, {.error = ENOMEM});
  loop.call_later(900ms, [&] { CHECK(heard == 0); });
  loop.call_later(1900ms, [&] { CHECK(heard == 0); });
  loop.call_later(2100ms, [&] { loop.stop(); });
  loop.run_forever();
  CHECK(heard == 1);
  CHECK(reports == 1);
}

TEST_CASE_FIXTURE(FakeLoop, "interest: a refused change does not keep the loop busy") {
  const Ends ends = connect();
  loop.set_exception_handler([](EventLoop&, const ExceptionContext&) {});
  loop.add_writer(ends.ours, [] {});
  loop.add_reader(ends.ours, [] {});
  loop.remove_writer(ends.ours);
  kernel.fail_always(Call::poller_set, ENOMEM);
  loop.call_later(10s, [&] { loop.stop(); });
  const std::uint64_t before = loop.stats().polls;
  loop.run_forever();
  CHECK(loop.stats().polls - before <= 12);
}

TEST_SUITE_END();

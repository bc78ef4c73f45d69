// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <tests/net/net_loop.hpp>

using namespace weir;
using weir::test::error_of;
using weir::test::NetLoop;
using weir::test::Recorder;

namespace {

/// `size` bytes, no two neighbours alike: a byte lost or moved is seen.
std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('!' + i * 7 % 90);
  return text;
}

}  // namespace

TEST_SUITE_BEGIN("net/transport_writing");

// ---- What leaves

// CPython: test_selector_events.py SelectorSocketTransportTests.test_write
TEST_CASE_FIXTURE(NetLoop, "write: what is written arrives") {
  const Link link = this->link();
  in_loop([&] { link.transport->write("data"); });
  CHECK(kernel.take(link.peer) == "data");
  CHECK(link.transport->get_write_buffer_size() == 0);
}

// CPython: test_selector_events.py SelectorSocketTransportTests.test_write_no_data
TEST_CASE_FIXTURE(NetLoop, "write: an empty one makes no system call") {
  const Link link = this->link();
  calls.reset();
  in_loop([&] {
    link.transport->write("");
    link.transport->write(std::string_view());
    link.transport->writelines({});
    link.transport->writelines({"", std::string_view(), ""});
  });
  CHECK(calls.count(Call::send) == 0);
}

TEST_CASE_FIXTURE(NetLoop, "write: the caller's buffer may change at once") {
  const Link link = narrow_link(4);
  std::string small = "small ";
  std::string large = pattern(20'000);
  const std::string expected = small + large + small;
  in_loop([&] {
    link.transport->write(small);
    link.transport->write(large);
    link.transport->write(small);
    small.assign(small.size(), '?');
    large.assign(large.size(), '?');
  });
  CHECK(take_all(link.peer) == expected);
}

// CPython: test_selector_events.py SelectorSocketTransportTests.test_write_partial,
// test_write_ready_partial
TEST_CASE_FIXTURE(NetLoop, "write: what the socket does not take waits, and leaves in order") {
  const Link link = narrow_link(7);
  const std::string text = pattern(50'000);
  in_loop([&] { link.transport->write(text); });
  CHECK(link.transport->get_write_buffer_size() == 49'993);
  CHECK(take_all(link.peer) == text);
  CHECK(link.transport->get_write_buffer_size() == 0);
}

// CPython: test_selector_events.py SelectorSocketTransportTests.test_write_tryagain,
// test_write_ready_tryagain
TEST_CASE_FIXTURE(NetLoop, "write: a send that would block or was interrupted loses nothing") {
  for (const int error : {EAGAIN, EWOULDBLOCK, EINTR}) {
    CAPTURE(error);
    const Link link = this->link();
    for (int i = 0; i < 3; ++i) kernel.script(Call::send, {.error = error});
    in_loop([&] { link.transport->write("data"); });
    CHECK(kernel.take(link.peer) == "data");
  }
}

// CPython: test_selector_events.py SelectorSocketTransportTests.test_write_partial_none,
// test_write_ready_partial_none
TEST_CASE_FIXTURE(NetLoop, "write: a send that takes no byte is tried again when there is room") {
  const Link link = this->link();
  link.transport->set_gather(false);
  link.transport->pause_reading();  // The loop polls for room alone.
  kernel.script(Call::send, {.value = 0});
  kernel.script(Call::send, {.value = 0});
  link.transport->write("data");
  CHECK(link.transport->get_write_buffer_size() == 4);
  run();
  CHECK(link.transport->get_write_buffer_size() == 0);
  CHECK(kernel.take(link.peer) == "data");
}

// cpython#103462, PR 146518: bytes that were taken off the buffer and then not sent.
TEST_CASE_FIXTURE(NetLoop, "B39: whatever each send takes, what arrives is what was written") {
  std::mt19937 random(1);  // The same numbers in every run.
  const Link link = this->link();
  std::string written;
  std::string arrived;
  for (int round = 0; round < 300; ++round) {
    const std::string text = pattern(random() % 4'000);
    const std::size_t cut = text.size() / 3;
    written += text;
    // 1 byte, all but one, some: and now and then nothing at all.
    const std::size_t limits[] = {1, text.size() > 1 ? text.size() - 1 : 1, random() % 1000 + 1, 0};
    kernel.set_max_send(limits[random() % 4]);
    if (random() % 4 == 0) kernel.script(Call::send, {.error = EAGAIN});
    if (random() % 4 == 0) kernel.script(Call::send, {.error = EINTR});
    in_loop([&] {
      const std::string_view view = text;
      link.transport->write(view.substr(0, cut));
      link.transport->writelines({view.substr(cut, cut), "", view.substr(2 * cut)});
    });
    arrived += kernel.take(link.peer);
  }
  kernel.set_max_send(0);
  arrived += take_all(link.peer);
  CHECK(arrived == written);
}

// CPython: test_selector_events.py SelectorSocketTransportTests.test_write_ready
TEST_CASE_FIXTURE(NetLoop, "write: once all has left, the socket is no longer watched for room") {
  const Link link = narrow_link(3);
  in_loop([&] { link.transport->write("data"); });
  CHECK(take_all(link.peer) == "data");
  run(std::chrono::hours(1));
  CHECK(busy_polls == 0);
}

// ---- At and after the end

TEST_CASE_FIXTURE(NetLoop,
                  "write: after write_eof it throws, also an empty one, also when closed") {
  const Link link = this->link();
  const auto errors = [&] {
    return error_of([&] { link.transport->write("x"); }) + "\n" +
           error_of([&] { link.transport->write(""); }) + "\n" +
           error_of([&] { link.transport->writelines({"x"}); }) + "\n" +
           error_of([&] { link.transport->writelines({}); });
  };
  const std::string all_four =
      "RuntimeError: Cannot call write() after write_eof()\n"
      "RuntimeError: Cannot call write() after write_eof()\n"
      "RuntimeError: Cannot call writelines() after write_eof()\n"
      "RuntimeError: Cannot call writelines() after write_eof()";
  link.transport->write_eof();
  CHECK(errors() == all_four);
  link.transport->close();
  run();
  CHECK(errors() == all_four);
}

// CPython: test_selector_events.py SelectorSocketTransportTests.test_write_closing,
// test_write_exception. asyncio warns every time from the fifth on (python/asyncio#301).
TEST_CASE_FIXTURE(NetLoop,
                  "write: on a lost connection it is dropped, the fifth with one warning for all") {
  const Link link = this->link();
  link.transport->abort();
  run();
  for (int i = 0; i < 4; ++i) link.transport->write("x");
  CHECK(logged.empty());
  link.transport->write("");  // Not counted.
  CHECK(logged.empty());
  link.transport->write("x");
  REQUIRE(logged.size() == 1);
  CHECK(logged[0].starts_with("warning: socket.send() raised exception. Writes to "));
  CHECK(logged[0].ends_with(" are dropped: it was closed"));
  for (int i = 0; i < 100; ++i) link.transport->writelines({"x", "y"});
  CHECK(logged.size() == 1);
  CHECK(kernel.take(link.peer) == "");
}

TEST_CASE_FIXTURE(NetLoop, "write: the warning names the peer and what ended the connection") {
  const Link link = this->link();
  kernel.script(Call::send, {.value = 0, .error = EPIPE});
  in_loop([&] {
    link.transport->set_gather(false);
    for (int i = 0; i < 10; ++i) link.transport->write("x");
  });
  const std::string peer = link.transport->get_extra_info("peername").endpoint()->repr();
  CHECK(logged ==
        std::vector<std::string>{"warning: socket.send() raised exception. Writes to " + peer +
                                 " are dropped: BrokenPipeError: [Errno 32] Broken pipe"});
}

TEST_CASE_FIXTURE(NetLoop,
                  "write: the dropped ones are counted from the first end of the connection") {
  const Link link = this->link();
  in_loop([&] {
    link.transport->abort();
    for (int i = 0; i < 4; ++i) link.transport->write("x");
    link.transport->abort();
    link.transport->close();
    link.transport->write("x");
  });
  CHECK(logged.size() == 1);
}

TEST_CASE_FIXTURE(NetLoop, "write: after a close with nothing left to send it is dropped") {
  const Link link = this->link();
  in_loop([&] {
    link.transport->close();
    link.transport->write("late");
    CHECK(link.transport->get_write_buffer_size() == 0);
  });
  CHECK(kernel.take(link.peer) == "");
  CHECK(link.protocol->trace == "made lost() ");
}

TEST_CASE_FIXTURE(NetLoop,
                  "write: between a close and the end of its flush it is accepted and sent") {
  const Link link = narrow_link(3);
  in_loop([&] {
    link.transport->write("before ");
    link.transport->close();
    link.transport->write("after");
  });
  CHECK(take_all(link.peer) == "before after");
  CHECK(link.protocol->trace == "made lost() ");
}

// CPython: test_selector_events.py SelectorSocketTransportTests.test_write_exception,
// test_write_ready_exception
TEST_CASE_FIXTURE(NetLoop, "write: a send that fails ends the connection, and throws nothing") {
  for (const bool at_once : {false, true}) {
    CAPTURE(at_once);
    const Link link = this->link();
    kernel.script(Call::send, {.error = EPIPE});
    in_loop([&] {
      link.transport->write(std::string(at_once ? 20'000 : 1, 'x'));
      CHECK(link.transport->is_closing() == at_once);
    });
    CHECK(link.protocol->trace == "made lost([Errno 32] Broken pipe) ");
    CHECK_THROWS_AS(std::rethrow_exception(link.protocol->error), BrokenPipeError);
  }
}

TEST_CASE_FIXTURE(NetLoop,
                  "write: a send that fails later, with bytes waiting, ends the connection too") {
  const Link link = narrow_link(3);
  in_loop([&] { link.transport->write("data"); });
  kernel.script(Call::send, {.error = ECONNRESET});
  kernel.take(link.peer);
  run();
  CHECK(link.protocol->trace == "made lost([Errno 104] Connection reset by peer) ");
  CHECK(link.transport->get_write_buffer_size() == 0);
}

// ---- Without memory

// Views that claim more bytes than there can be; only the first of them is ever read.
TEST_CASE_FIXTURE(NetLoop,
                  "write: what there is no memory for is not begun, while the socket is full") {
  const volatile std::size_t claimed = PTRDIFF_MAX;
  const Link link = narrow_link(1);
  in_loop([&] { link.transport->write("abc"); });
  CHECK_THROWS_AS(link.transport->writelines({"def", std::string_view("x", claimed)}),
                  std::bad_alloc);
  CHECK(link.transport->get_write_buffer_size() == 2);
  CHECK(take_all(link.peer) == "abc");
  CHECK_FALSE(link.transport->is_closing());
}

TEST_CASE_FIXTURE(NetLoop, "write: what was begun and cannot be kept ends the connection") {
  const volatile std::size_t claimed = static_cast<std::size_t>(PTRDIFF_MAX) + 2;
  const Link link = this->link();
  kernel.set_max_send(1);
  in_loop([&] { link.transport->write(std::string_view("x", claimed)); });
  kernel.set_max_send(0);
  CHECK(kernel.take(link.peer) == "x");
  CHECK(kernel.at_eof(link.peer));
  CHECK(link.protocol->trace == "made lost(std::bad_alloc) ");
  CHECK(take_report() == "Fatal write error on socket transport: std::bad_alloc: std::bad_alloc");
}

// ---- write_eof

// CPython: test_selector_events.py SelectorSocketTransportTests.test_write_eof
TEST_CASE_FIXTURE(
    NetLoop, "write_eof: with nothing waiting it ends the sending side at once, and only that") {
  const Link link = this->link();
  CHECK(link.transport->can_write_eof());
  link.transport->write_eof();
  CHECK(kernel.at_eof(link.peer));
  kernel.put(link.peer, "still here");
  run();
  CHECK(link.protocol->trace == "made data(still here) ");
}

// CPython: test_selector_events.py SelectorSocketTransportTests.test_write_eof_buffer
TEST_CASE_FIXTURE(NetLoop, "write_eof: waits for what was written before it") {
  const Link link = narrow_link(3);
  in_loop([&] {
    link.transport->write("all of it");
    link.transport->write_eof();
  });
  CHECK_FALSE(kernel.at_eof(link.peer));
  CHECK(calls.count(Call::shutdown) == 0);
  CHECK(take_all(link.peer) == "all of it");
  CHECK(kernel.at_eof(link.peer));
  CHECK(calls.count(Call::shutdown) == 1);
}

TEST_CASE_FIXTURE(NetLoop,
                  "write_eof: after a write in the same callback it is one send and one shutdown") {
  const Link link = this->link();
  calls.reset();
  in_loop([&] {
    link.transport->write("data");
    link.transport->write_eof();
  });
  CHECK(kernel.take(link.peer) == "data");
  CHECK(kernel.at_eof(link.peer));
  CHECK(calls.count(Call::send) == 1);
  CHECK(calls.count(Call::shutdown) == 1);
}

TEST_CASE_FIXTURE(NetLoop, "write_eof: twice is once, also while bytes wait") {
  const Link link = narrow_link(3);
  in_loop([&] {
    link.transport->write("data");
    link.transport->write_eof();
    link.transport->write_eof();
  });
  CHECK(take_all(link.peer) == "data");
  link.transport->write_eof();
  CHECK(calls.count(Call::shutdown) == 1);
}

// CPython: test_selector_events.py SelectorSocketTransportTests.test_write_eof_after_close
TEST_CASE_FIXTURE(NetLoop, "write_eof: on a closing transport it does nothing") {
  const Link flushing = narrow_link(3);
  const Link closed = link();
  in_loop([&] {
    flushing.transport->write("data");
    flushing.transport->close();
    flushing.transport->write_eof();
    flushing.transport->write(" more");
    closed.transport->close();
    closed.transport->write_eof();
  });
  CHECK(take_all(flushing.peer) == "data more");
  closed.transport->write_eof();
  closed.transport->write("x");  // Dropped, but no error: there was no write_eof.
  CHECK(calls.count(Call::shutdown) == 0);
}

TEST_CASE_FIXTURE(NetLoop, "write_eof: what shutdown says is thrown, and the connection goes on") {
  const Link link = this->link();
  kernel.script(Call::shutdown, {.error = ENOTCONN});
  CHECK(error_of([&] { link.transport->write_eof(); }) ==
        "OSError: [Errno 107] Transport endpoint is not connected");
  CHECK_FALSE(link.transport->is_closing());
  CHECK(error_of([&] { link.transport->write("x"); }) ==
        "RuntimeError: Cannot call write() after write_eof()");
}

TEST_CASE_FIXTURE(
    NetLoop,
    "write_eof: when nobody can be told of a failing shutdown, the connection ends with it") {
  const Link link = narrow_link(3);
  in_loop([&] {
    link.transport->write("data");
    link.transport->write_eof();
  });
  kernel.script(Call::shutdown, {.error = ENOTCONN});
  CHECK(take_all(link.peer) == "data");
  CHECK(link.protocol->trace == "made lost([Errno 107] Transport endpoint is not connected) ");
}

TEST_CASE_FIXTURE(NetLoop,
                  "write_eof: both sides may end in either order, and the close comes last") {
  const Link link = this->link();
  link.protocol->keep_open = true;
  kernel.put_eof(link.peer);
  run();
  link.transport->write_eof();
  run();
  CHECK(link.protocol->trace == "made eof ");
  link.transport->close();
  run();
  CHECK(link.protocol->trace == "made eof lost() ");
}

// ---- The water marks

TEST_CASE_FIXTURE(NetLoop, "set_write_buffer_limits: asyncio's defaults, texts and arithmetic") {
  const Link link = this->link();
  Transport& transport = *link.transport;
  CHECK(transport.get_write_buffer_limits().low == 16384);
  CHECK(transport.get_write_buffer_limits().high == 65536);
  transport.set_write_buffer_limits(100);
  CHECK(transport.get_write_buffer_limits().low == 25);
  CHECK(error_of([&] { transport.set_write_buffer_limits(1, 2); }) ==
        "ValueError: high (1) must be >= low (2) must be >= 0");
  CHECK(transport.get_write_buffer_limits().high == 100);
  transport.set_write_buffer_limits();
  CHECK(transport.get_write_buffer_limits().high == 65536);
}

TEST_CASE_FIXTURE(NetLoop,
                  "pause_writing: at the high mark not yet, one byte above it, inside the write") {
  const Link link = narrow_link(1);
  link.transport->set_write_buffer_limits(100, 10);
  in_loop([&] {
    link.transport->write(std::string(101, 'x'));  // One is taken, 100 wait.
    CHECK(link.protocol->trace == "made ");
    link.transport->write("y");
    CHECK(link.protocol->trace == "made pause ");
    link.transport->write("more");
    link.transport->write(std::string(100'000, 'z'));
    CHECK(link.protocol->trace == "made pause ");
  });
}

TEST_CASE_FIXTURE(NetLoop, "resume_writing: at the low mark, when the socket has taken enough") {
  const Link link = narrow_link(1);
  link.transport->set_write_buffer_limits(20, 10);
  in_loop([&] { link.transport->write(std::string(22, 'x')); });  // 21 wait.
  CHECK(link.protocol->trace == "made pause ");
  for (int waiting = 20; waiting > 10; --waiting) {
    kernel.take(link.peer);
    CHECK(link.protocol->trace == "made pause ");
    run();
    CHECK(link.transport->get_write_buffer_size() == static_cast<std::size_t>(waiting));
  }
  kernel.take(link.peer);
  run();
  CHECK(link.protocol->trace == "made pause resume ");
  CHECK(take_all(link.peer).size() == 11);
  CHECK(link.protocol->trace == "made pause resume ");
}

TEST_CASE_FIXTURE(NetLoop,
                  "B48: with a high mark of 0 every byte that waits pauses, and none resumes") {
  const Link link = narrow_link(1);
  link.transport->set_write_buffer_limits(0);
  in_loop([&] { link.transport->write("x"); });  // Taken at once.
  CHECK(link.protocol->trace == "made ");
  in_loop([&] { link.transport->write("y"); });
  CHECK(link.protocol->trace == "made pause ");
  CHECK(take_all(link.peer) == "xy");
  CHECK(link.protocol->trace == "made pause resume ");
}

TEST_CASE_FIXTURE(
    NetLoop,
    "set_write_buffer_limits: lowering below what waits pauses now, raising resumes nothing") {
  const Link link = narrow_link(1);
  in_loop([&] { link.transport->write(std::string(101, 'x')); });
  CHECK(link.protocol->trace == "made ");
  link.transport->set_write_buffer_limits(99);
  CHECK(link.protocol->trace == "made pause ");
  link.transport->set_write_buffer_limits(1000);
  run();
  CHECK(link.protocol->trace == "made pause ");
  kernel.take(link.peer);
  run();
  CHECK(link.protocol->trace == "made pause resume ");
}

TEST_CASE_FIXTURE(NetLoop, "pause_writing, resume_writing: alternate over many rounds") {
  const Link link = narrow_link(100);
  link.transport->set_write_buffer_limits(300, 50);
  link.protocol->on_resume = [&] { link.transport->write(std::string(500, 'r')); };
  in_loop([&] { link.transport->write(std::string(500, 'w')); });
  for (int i = 0; i < 50; ++i) {
    kernel.take(link.peer);
    run();
  }
  // The Recorder holds them to their turns; here it counts that there were many.
  std::size_t pauses = 0;
  for (std::size_t at = 0; (at = link.protocol->trace.find("pause", at)) != std::string::npos; ++at)
    ++pauses;
  CHECK(pauses > 5);
  link.protocol->on_resume = nullptr;
}

// CVE-2024-12254: writelines() that knew no high-water mark.
TEST_CASE_FIXTURE(NetLoop, "B38: writelines counts towards the high-water mark, as write does") {
  const auto bytes_until_pause = [&](const std::function<void(Transport&)>& write_ten) {
    const Link link = narrow_link(1);
    link.transport->set_write_buffer_limits(1000);
    int written = 0;
    in_loop([&] {
      for (; link.protocol->trace == "made " && written < 5000; written += 10)
        write_ten(*link.transport);
    });
    return written;
  };
  CHECK(bytes_until_pause([](Transport& t) { t.write("0123456789"); }) == 1010);
  CHECK(bytes_until_pause([](Transport& t) { t.writelines({"0123456789"}); }) == 1010);
  CHECK(bytes_until_pause([](Transport& t) { t.writelines({"0123", "", "456789"}); }) == 1010);
}

TEST_CASE_FIXTURE(NetLoop, "pause_writing: one that throws is reported, and counts as told") {
  const Link link = narrow_link(1);
  link.transport->set_write_buffer_limits(0);
  link.protocol->on_pause = [] { throw RuntimeError("no"); };
  in_loop([&] {
    link.transport->write("xy");
    link.transport->write("z");
  });
  CHECK(take_report() == "protocol.pause_writing() failed: RuntimeError: no");
  CHECK(take_all(link.peer) == "xyz");
  CHECK(link.protocol->trace == "made pause resume ");
}

TEST_CASE_FIXTURE(NetLoop, "resume_writing: one that throws is reported, and the rest is sent") {
  const Link link = narrow_link(1);
  link.transport->set_write_buffer_limits(2, 1);
  link.protocol->on_resume = [] { throw OSError(EIO, "told all the same"); };
  in_loop([&] { link.transport->write("wxyz"); });
  CHECK(take_all(link.peer) == "wxyz");
  CHECK(link.protocol->trace == "made pause resume ");
  const std::vector<ExceptionContext> reports = take_reports();
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].message == "protocol.resume_writing() failed");
  CHECK(reports[0].get("transport") == link.transport->repr());
  CHECK(reports[0].get("protocol") != "");
}

// asyncio ends such a connection twice: gh-156512.
TEST_CASE_FIXTURE(NetLoop, "resume_writing: one that closes gets connection_lost once, and later") {
  const Link link = narrow_link(1);
  link.transport->set_write_buffer_limits(0);
  link.protocol->on_resume = [&] { link.transport->close(); };
  in_loop([&] { link.transport->write("ab"); });
  CHECK(kernel.take(link.peer) == "a");
  run();
  CHECK(link.protocol->trace == "made pause resume lost() ");
  CHECK(kernel.take(link.peer) == "b");
  CHECK(kernel.at_eof(link.peer));
}

TEST_CASE_FIXTURE(NetLoop, "resume_writing: never comes once the connection has ended") {
  const Link link = narrow_link(1);
  link.transport->set_write_buffer_limits(0);
  in_loop([&] { link.transport->write("xy"); });
  link.transport->abort();
  kernel.take(link.peer);
  run();
  CHECK(link.protocol->trace == "made pause lost() ");
}

TEST_CASE_FIXTURE(NetLoop,
                  "get_write_buffer_size: exact, through partial sends and 100000 small writes") {
  const Link link = narrow_link(1);
  std::size_t expected = 0;
  int wrong = 0;
  in_loop([&] {
    for (int i = 0; i < 100'000; ++i) {
      link.transport->write("0123456789abcdef");
      expected += 16;
      if (link.transport->get_write_buffer_size() != expected && i < 100) ++wrong;
    }
  });
  CHECK(link.transport->get_write_buffer_size() == 1'599'999);
  kernel.set_capacity(fd_of(link), 1'000'000);
  kernel.take(link.peer);
  run();
  CHECK(link.transport->get_write_buffer_size() == 599'999);
  link.transport->abort();
  CHECK(link.transport->get_write_buffer_size() == 0);
}

TEST_SUITE_END();

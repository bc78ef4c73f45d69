// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <weir/reactor/task/timeouts.hpp>

#include <tests/streams/stream_fixture.hpp>

using weir::Coro;
using weir::StreamReader;
using weir::Task;
using weir::test::ReadCall;
using weir::test::ReaderLoop;
using weir::test::said;
using namespace std::chrono_literals;

namespace {

/// Counts what it feeds. The account of one separator: no more than the bytes that came, and the
/// m - 1 before each chunk once more.
class Account {
 public:
  Account(ReaderLoop& test, StreamReader reader, std::size_t separator_bytes)
      : test_(test), reader_(std::move(reader)), separator_bytes_(separator_bytes) {}

  void feed(std::string_view bytes) {
    reader_.feed_data(bytes);
    received_ += bytes.size();
    ++chunks_;
    test_.settle();
  }
  void check() const {
    CHECK(reader_.bytes_scanned() <= received_ + (separator_bytes_ - 1) * chunks_);
  }
  std::uint64_t received() const { return received_; }

 private:
  ReaderLoop& test_;
  StreamReader reader_;
  std::size_t separator_bytes_;
  std::uint64_t received_ = 0;
  std::uint64_t chunks_ = 0;
};

/// Reads one line, however often it is timed out; returns how often.
Coro<std::uint64_t> read_through_timeouts(StreamReader reader) {
  std::uint64_t timeouts = 0;
  for (;;) {
    bool timed_out = false;
    try {
      const std::string_view line = co_await reader.readline_view();
      if (line.empty()) co_return 0;
    } catch (const weir::TimeoutError&) {
      timed_out = true;
    }
    if (!timed_out) co_return timeouts;
    ++timeouts;
  }
}

}  // namespace

TEST_SUITE("streams/reader_memo") {
  TEST_CASE_FIXTURE(ReaderLoop, "bytes_scanned: a record that comes byte by byte is scanned once") {
    const StreamReader reader = make_reader();
    Account account(*this, reader, 1);
    const Task<std::string> line = run(reader, weir::test::readline());
    for (int i = 0; i < 1000; ++i) account.feed("x");
    account.feed("\n");
    CHECK(said(line).size() == 1000 + 4);
    CHECK(reader.bytes_scanned() == 1001);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "bytes_scanned: a long separator costs no second look") {
    const StreamReader reader = make_reader();
    Account account(*this, reader, 4);
    const Task<std::string> head = run(reader, weir::test::readuntil("\r\n\r\n"));
    for (int i = 0; i < 500; ++i) account.feed(i % 2 == 0 ? "\r\n\r" : "ab");
    account.feed("\r\n\r");
    account.feed("\n");
    CHECK(head.done());
    account.check();
  }

  TEST_CASE_FIXTURE(ReaderLoop, "bytes_scanned: many records of one chunk are scanned once each") {
    const StreamReader reader = make_reader();
    Account account(*this, reader, 1);
    std::string lines;
    for (int i = 0; i < 100; ++i) lines += "line\n";
    account.feed(lines);
    for (int i = 0; i < 100; ++i) CHECK(said(run(reader, weir::test::readline())) == R"("line\n")");
    CHECK(reader.bytes_scanned() == lines.size());
  }

  TEST_CASE_FIXTURE(ReaderLoop, "bytes_scanned: a call that timed out is not paid for twice") {
    const StreamReader reader = make_reader();
    Account account(*this, reader, 1);
    account.feed(std::string(10'000, 'x'));
    for (int i = 0; i < 100; ++i) {
      const Task<std::string> line = loop.create_task(weir::wait_for(reader.readline(), 1s));
      settle();
      advance(1s);
      CHECK(said(line) == "TimeoutError");
      account.feed("x");
    }
    CHECK(reader.bytes_scanned() == 10'100 - 1);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "bytes_scanned: a 1 MiB line, a byte and a time-out at a time") {
    constexpr std::size_t length = 1024 * 1024;
    const StreamReader reader = make_reader(2 * length);
    reader.set_read_timeout(1s);
    const Task<std::uint64_t> timeouts = loop.create_task(read_through_timeouts(reader));
    for (std::size_t i = 1; i < length; ++i) {
      settle();
      reader.feed_data("x");
      settle();
      kernel.advance(1s);
      pass();
    }
    settle();
    feed(reader, "\n");
    CHECK(timeouts.result() == length - 1);
    CHECK(reader.bytes_scanned() == length);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "bytes_scanned: a call that was cancelled is not paid for twice") {
    const StreamReader reader = make_reader();
    Account account(*this, reader, 2);
    for (int i = 0; i < 100; ++i) {
      account.feed("xyz\r");
      const Task<std::string> line = run(reader, weir::test::readuntil("\r\n"));
      line.cancel();
      settle();
      CHECK(line.cancelled());
    }
    account.check();
  }

  TEST_CASE_FIXTURE(ReaderLoop, "bytes_scanned: an overrun that is met again costs nothing more") {
    const StreamReader reader = make_reader(4);
    Account account(*this, reader, 2);
    account.feed("abcdef\r\nx");
    for (int i = 0; i < 100; ++i) {
      CHECK(said(run(reader, weir::test::readuntil("\r\n"))) == "LOE-found(6)");
    }
    CHECK(reader.bytes_scanned() == 8);
    CHECK(said(run(reader, weir::test::readexactly(6))) == R"("abcdef")");
    CHECK(said(run(reader, weir::test::readuntil("\r\n"))) == R"("\r\n")");
    CHECK(reader.bytes_scanned() == 8);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "bytes_scanned: a set that overruns is not searched again either") {
    const StreamReader reader = make_reader(4);
    Account account(*this, reader, 7);
    account.feed("abcdefghi");
    for (int i = 0; i < 100; ++i) {
      CHECK(said(run(reader, weir::test::readuntil_any({"\n", "XYZ"}))) == "LOE-notfound(7)");
    }
    CHECK(reader.bytes_scanned() == 2 * 9);
  }

  // One that never comes must not be looked for to the end of the buffer for every record.
  TEST_CASE_FIXTURE(ReaderLoop, "bytes_scanned: of many short records a set looks once at each") {
    const StreamReader reader = make_reader();
    std::string records;
    for (int i = 0; i < 2000; ++i) records += i % 2 == 0 ? "one END" : "other STOP";
    reader.feed_data(records);
    for (int i = 0; i < 2000; ++i) {
      const Task<std::string> record =
          run(reader, weir::test::readuntil_any({"\n", "END", "STOP"}));
      REQUIRE(record.result() == (i % 2 == 0 ? "one END" : "other STOP"));
    }
    CHECK(reader.bytes_scanned() <= 3 * records.size());
  }

  TEST_CASE("bytes_scanned: of a set stays within one account for each separator") {
    for (std::uint32_t seed = 1; seed <= 500; ++seed) {
      std::mt19937 dice(seed);
      ReaderLoop test;
      const StreamReader reader = test.make_reader(static_cast<std::ptrdiff_t>(1 + dice() % 10));
      Account account(test, reader, 4);
      for (int step = 0; step < 60; ++step) {
        std::string chunk;
        for (std::size_t left = 1 + dice() % 8; left > 0; --left) chunk += "abb"[dice() % 3];
        if (dice() % 2 == 0) account.feed(chunk);
        test.run(reader, weir::test::readexactly(static_cast<std::ptrdiff_t>(dice() % 4))).cancel();
        test.run(reader, weir::test::readuntil_any({"a", "bb", "abba", "ba"})).cancel();
        test.settle();
        REQUIRE(reader.bytes_scanned() <= 4 * account.received());
      }
      test.take_reports();  // Overruns, which nobody looked at.
    }
  }

  TEST_CASE_FIXTURE(ReaderLoop, "bytes_scanned: once a byte in chunks of a segment and of a byte") {
    for (const std::string_view separator : {"\n", "\r\n", "\r\n\r\n", "\r\n--boundary--\r\n"}) {
      for (const std::size_t chunk : {std::size_t{1460}, std::size_t{1}}) {
        const StreamReader reader = make_reader();
        std::string records;
        for (std::size_t i = 0; records.size() < 20'000; ++i) {
          records += std::string(i * 7 % 300, 'x');
          records += separator;
        }
        std::uint64_t read = 0;
        for (std::size_t at = 0; at < records.size(); at += chunk) {
          reader.feed_data(std::string_view(records).substr(at, chunk));
          for (bool more = true; more;) {
            auto next = reader.readuntil_view(separator);
            more = next.await_ready();
            if (more) read += next.await_resume().size();
          }
        }
        CHECK(read == records.size());
        CHECK(reader.bytes_scanned() <= records.size() * 101 / 100);
      }
    }
  }

  TEST_CASE_FIXTURE(ReaderLoop, "bytes_scanned: another separator starts a new account") {
    const StreamReader reader = make_reader();
    reader.feed_data("abcdef");
    run(reader, weir::test::readuntil("\n")).cancel();
    settle();
    const Task<std::string> found = run(reader, weir::test::readuntil("c"));
    CHECK(said(found) == R"("abc")");
    CHECK(reader.bytes_scanned() == 6 + 3);
  }

  // asyncio's remembered offset goes stale here: it never finds the newline.
  TEST_CASE_FIXTURE(ReaderLoop, "readuntil: finds what comes after another call has taken bytes") {
    const StreamReader reader = make_reader();
    reader.feed_data("abcdef");
    const Task<std::string> line = run(reader, weir::test::readuntil("\n"));
    CHECK(said(run(reader, weir::test::readexactly(5))) == R"("abcde")");
    feed(reader, "\nxy");
    CHECK(said(line) == R"("f\n")");
    CHECK(reader.state().buffered() == "xy");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "readuntil: a match whose beginning was taken is none any more") {
    const StreamReader reader = make_reader(1);
    reader.feed_data("ab\r\ncd\r\n");
    CHECK(said(run(reader, weir::test::readuntil("\r\n"))) == "LOE-found(2)");
    CHECK(said(run(reader, weir::test::readexactly(3))) == R"("ab\r")");
    CHECK(said(run(reader, weir::test::readuntil("\r\n"))) == "LOE-found(3)");
    CHECK(reader.bytes_scanned() == 8);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "readuntil: a set's match that was cut leaves the longer ones") {
    const StreamReader reader = make_reader(1);
    reader.feed_data("abCDEFCD");
    CHECK(said(run(reader, weir::test::readuntil_any({"CD", "DEF"}))) == "LOE-found(2)");
    CHECK(said(run(reader, weir::test::readexactly(3))) == R"("abC")");
    CHECK(said(run(reader, weir::test::readuntil_any({"CD", "DEF"}))) == R"("DEF")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "readuntil: a separator spelt like a set's key is not that set") {
    const StreamReader reader = make_reader();
    reader.feed_data("xaxx");
    const Task<std::string> odd = run(reader, weir::test::readuntil("1:a"));
    odd.cancel();
    settle();
    CHECK(said(run(reader, weir::test::readuntil_any({"a"}))) == R"("xa")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "readuntil: sets that read alike one behind the other are two") {
    const StreamReader reader = make_reader();
    reader.feed_data("xcdy");
    run(reader, weir::test::readuntil_any({"a", "bcd"})).cancel();
    settle();
    CHECK(said(run(reader, weir::test::readuntil_any({"ab", "cd"}))) == R"("xcd")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "readuntil: bytes that a read(-1) gave back are searched") {
    const StreamReader reader = make_reader();
    reader.feed_data("a\nb");
    const Task<std::string> all = run(reader, weir::test::read(-1));
    const Task<std::string> refused = run(reader, weir::test::readline());
    CHECK(said(refused).starts_with("RuntimeError"));
    all.cancel();
    settle();
    CHECK(said(run(reader, weir::test::readline())) == R"("a\n")");
  }

  TEST_CASE("bytes_scanned: stays within its account over 1000 scripts of mixed calls") {
    for (std::uint32_t seed = 1; seed <= 1000; ++seed) {
      std::mt19937 dice(seed);
      ReaderLoop test;
      const StreamReader reader = test.make_reader(static_cast<std::ptrdiff_t>(1 + dice() % 10));
      const std::string separator = std::string("ababa").substr(0, 1 + dice() % 5);
      Account account(test, reader, separator.size());
      Task<std::string> task = test.run(reader, weir::test::read(0));
      for (int step = 0; step < 60; ++step) {
        const auto some = static_cast<std::ptrdiff_t>(dice() % 4);
        switch (dice() % 6) {
          case 0: test.run(reader, weir::test::readexactly(some)); break;
          case 1: test.run(reader, weir::test::read(some)); break;
          case 2: task.cancel(); break;
          case 3: {
            std::string chunk;
            for (std::size_t left = 1 + dice() % 8; left > 0; --left) chunk += "abb"[dice() % 3];
            account.feed(chunk);
            break;
          }
          default: task = test.run(reader, weir::test::readuntil(separator));
        }
        REQUIRE(reader.bytes_scanned() <= account.received());
      }
      task.cancel();
      test.settle();
      test.take_reports();  // Overruns and refused calls, which nobody looked at.
    }
  }
}

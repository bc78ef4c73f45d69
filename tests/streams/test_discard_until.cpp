// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <weir/reactor/error.hpp>
#include <weir/streams/errors.hpp>

#include <tests/streams/stream_fixture.hpp>

using weir::Coro;
using weir::RecordPiece;
using weir::StreamReader;
using weir::Task;
using weir::test::ReaderLoop;
using weir::test::said;
using weir::test::unused;

namespace {

/// What a discard_until() came to, as the tables of the tests write it.
std::string came_to(const Task<std::uint64_t>& task) {
  if (!task.done()) return "PENDING";
  if (task.cancelled()) return "CancelledError";
  if (task.exception()) return said(task.exception());
  return std::to_string(task.result());
}

/// All pieces of all records, as "abcd+efgh|" and so on; then how it ended.
Coro<> read_pieces(StreamReader reader, std::string separator, std::ptrdiff_t limit,
                   std::string* out) {
  try {
    for (;;) {
      RecordPiece piece = co_await reader.readuntil_piece(separator, {.limit = limit});
      *out += piece.bytes + (piece.last ? "|" : "+");
    }
  } catch (const weir::IncompleteReadError& incomplete) {
    *out += "end(" + incomplete.partial + ")";
  }
}

}  // namespace

TEST_SUITE("streams/discard_until") {
  TEST_CASE_FIXTURE(ReaderLoop, "discard_until: takes a record and says how long it was") {
    const StreamReader reader = make_reader();
    reader.feed_data("abc\r\nde\r\n");
    const Task<std::uint64_t> task = loop.create_task(reader.discard_until("\r\n"));
    settle();
    CHECK(came_to(task) == "5");
    CHECK(reader.state().buffered() == "de\r\n");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "B57: discard_until leads from an overrun to the next record") {
    const StreamReader reader = make_reader(4);
    reader.feed_data("abcdefgh");
    CHECK(said(run(reader, weir::test::readuntil("\n"))) == "LOE-notfound(8)");
    const Task<std::uint64_t> task = loop.create_task(reader.discard_until());
    settle();
    CHECK(came_to(task) == "PENDING");
    CHECK(reader.buffered_bytes() == 0);
    feed(reader, "ijk\nnext\n");
    CHECK(came_to(task) == "12");
    CHECK(said(run(reader, weir::test::readuntil("\n"))) == R"("next\n")");
    CHECK(reader.bytes_scanned() == 17);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "discard_until: keeps no more than may begin a separator") {
    const StreamReader reader = make_reader();
    const Task<std::uint64_t> task = loop.create_task(reader.discard_until("abab"));
    settle();
    for (const std::string_view chunk : {"xxab", "xxaba", "a", "ba"}) {
      feed(reader, chunk);
      CHECK(reader.buffered_bytes() == 3);
      CHECK(came_to(task) == "PENDING");
    }
    feed(reader, "b!");
    CHECK(came_to(task) == "13");
    CHECK(reader.state().buffered() == "!");
  }

  TEST_CASE("discard_until: every cut of the input gives the same, and scans each byte once") {
    const std::string_view input = "xaba\nab\naxx\nab\nrest";
    const std::string_view separator = "ab\n";
    for (std::uint32_t cuts = 0; cuts < (1U << (input.size() - 1)); cuts += 13) {
      ReaderLoop test;
      const StreamReader reader = test.make_reader(2);
      const Task<std::uint64_t> first = test.loop.create_task(reader.discard_until(separator));
      std::size_t begin = 0;
      for (std::size_t end = 1; end <= input.size(); ++end) {
        if (end < input.size() && (cuts >> (end - 1) & 1) == 0) continue;
        test.feed(reader, input.substr(begin, end - begin));
        begin = end;
      }
      const Task<std::uint64_t> second = test.loop.create_task(reader.discard_until(separator));
      test.settle();
      REQUIRE(came_to(first) == "8");
      REQUIRE(came_to(second) == "7");
      REQUIRE(reader.state().buffered() == "rest");
      REQUIRE(reader.bytes_scanned() <= input.size());
    }
  }

  TEST_CASE_FIXTURE(ReaderLoop, "discard_until: the end of the stream first says what is gone") {
    const StreamReader reader = make_reader();
    const Task<std::uint64_t> task = loop.create_task(reader.discard_until("\r\n"));
    settle();
    feed(reader, "abc");
    reader.feed_data("de\r");
    reader.feed_eof();
    settle();
    CHECK(came_to(task) ==
          R"(IRE("", undefined)6 bytes read on a total of undefined expected bytes)");
    std::uint64_t discarded = 0;
    try {
      unused(task.result());
    } catch (const weir::IncompleteReadError& incomplete) {
      discarded = incomplete.discarded;
    }
    CHECK(discarded == 6);
    CHECK(reader.at_eof());
  }

  TEST_CASE_FIXTURE(ReaderLoop, "discard_until: an empty separator is a ValueError, nothing gone") {
    const StreamReader reader = make_reader();
    reader.feed_data("abc");
    const Task<std::uint64_t> task = loop.create_task(reader.discard_until(""));
    settle();
    CHECK(came_to(task) == "ValueError: Separator should be at least one-byte string");
    CHECK(reader.buffered_bytes() == 3);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "discard_until: the stored exception comes first") {
    const StreamReader reader = make_reader();
    reader.feed_data("abc\n");
    reader.set_exception(weir::ValueError("boom"));
    const Task<std::uint64_t> task = loop.create_task(reader.discard_until());
    settle();
    CHECK(came_to(task) == "ValueError: boom");
    CHECK(reader.buffered_bytes() == 4);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "discard_until: while another read waits it takes nothing") {
    const StreamReader reader = make_reader();
    reader.feed_data("abc");
    const Task<std::string> line = run(reader, weir::test::readline());
    const Task<std::uint64_t> refused = loop.create_task(reader.discard_until());
    settle();
    CHECK(came_to(refused) ==
          "RuntimeError: discard_until() called while another coroutine is already waiting for "
          "incoming data");
    feed(reader, "\n");
    CHECK(said(line) == R"("abc\n")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "discard_until: resumes a transport that the record had paused") {
    const StreamReader reader = make_reader(4);
    reader.feed_data("0123456789");
    CHECK(transport.flow == "P");
    const Task<std::uint64_t> task = loop.create_task(reader.discard_until());
    settle();
    CHECK(transport.flow == "PR");
    feed(reader, "x\n");
    CHECK(came_to(task) == "12");
    CHECK(transport.flow == "PR");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "discard_until: awaited again begins a new count") {
    const StreamReader reader = make_reader();
    reader.feed_data("abc\nde\n");
    auto discard = reader.discard_until();
    const auto twice = [](auto* its) -> Coro<std::uint64_t> {
      std::uint64_t first = co_await *its;
      std::uint64_t second = co_await *its;
      co_return first * 10 + second;
    };
    const Task<std::uint64_t> task = loop.create_task(twice(&discard));
    settle();
    CHECK(came_to(task) == "43");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "discard_until: a record of 4 MiB never takes more than a chunk") {
    const StreamReader reader = make_reader(4096);
    const Task<std::uint64_t> task = loop.create_task(reader.discard_until("\r\n"));
    settle();
    const std::string chunk(4096, 'x');
    for (int i = 0; i < 1024; ++i) {
      feed(reader, chunk);
      REQUIRE(reader.buffered_bytes() == 1);
    }
    feed(reader, "\r\nnext\r\n");
    CHECK(came_to(task) == std::to_string(1024 * 4096 + 2));
    CHECK(said(run(reader, weir::test::readuntil("\r\n"))) == R"("next\r\n")");
    CHECK(reader.bytes_scanned() == 1024 * 4096 + 2 + 6);
  }
}

TEST_SUITE("streams/readuntil_piece") {
  TEST_CASE_FIXTURE(ReaderLoop, "readuntil_piece: a record within the limit comes whole") {
    const StreamReader reader = make_reader();
    std::string out;
    reader.feed_data("abcd\r\nx\r\n\r\n");
    reader.feed_eof();
    const Task<> task = loop.create_task(read_pieces(reader, "\r\n", 4, &out));
    settle();
    CHECK(out == "abcd\r\n|x\r\n|\r\n|end()");
  }

  TEST_CASE(
      "readuntil_piece: an over-long record comes in pieces of the limit, however it is cut") {
    const std::string_view input = "abcdefghij\r\nk\r\nlmno\rp\r";
    for (std::uint32_t cuts = 0; cuts < (1U << (input.size() - 1)); cuts += 37) {
      ReaderLoop test;
      const StreamReader reader = test.make_reader(2);
      std::string out;
      const Task<> task = test.loop.create_task(read_pieces(reader, "\r\n", 4, &out));
      std::size_t begin = 0;
      for (std::size_t end = 1; end <= input.size(); ++end) {
        if (end < input.size() && (cuts >> (end - 1) & 1) == 0) continue;
        test.feed(reader, input.substr(begin, end - begin));
        begin = end;
      }
      reader.feed_eof();
      test.settle();
      REQUIRE(out == "abcd+efgh+ij\r\n|k\r\n|lmno+end(\rp\r)");
      REQUIRE(reader.bytes_scanned() <= input.size());
    }
  }

  TEST_CASE_FIXTURE(ReaderLoop,
                    "readuntil_piece: without a limit of its own it uses the reader's") {
    const StreamReader reader = make_reader(3);
    reader.feed_data("abcdef\n");
    const Task<RecordPiece> first = loop.create_task(reader.readuntil_piece());
    const Task<RecordPiece> second = loop.create_task(reader.readuntil_piece("\n"));
    settle();
    CHECK(first.result().bytes == "abc");
    CHECK_FALSE(first.result().last);
    CHECK(second.result().bytes == "def\n");
    CHECK(second.result().last);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "readuntil_piece: the view form gives the same") {
    const StreamReader reader = make_reader(3);
    reader.feed_data("abcdef\n");
    const auto views = [](StreamReader its) -> Coro<std::string> {
      const weir::RecordPieceView first = co_await its.readuntil_piece_view("\n");
      std::string all = std::string(first.bytes) + (first.last ? "|" : "+");
      const weir::RecordPieceView second = co_await its.readuntil_piece_view("\n");
      all += std::string(second.bytes) + (second.last ? "|" : "+");
      co_return all;
    };
    const Task<std::string> task = loop.create_task(views(reader));
    settle();
    CHECK(task.result() == "abc+def\n|");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "readuntil_piece: its errors are those of readuntil") {
    const StreamReader reader = make_reader();
    reader.feed_data("abc");
    const auto piece_of = [&](std::string_view separator) {
      const Task<RecordPiece> task = loop.create_task(reader.readuntil_piece(separator));
      settle();
      return said(task.exception());
    };
    CHECK(piece_of("") == "ValueError: Separator should be at least one-byte string");
    CHECK_THROWS_WITH_AS(unused(reader.readuntil_piece("\n", {.limit = 0})), "Limit cannot be <= 0",
                         weir::ValueError);
    reader.set_exception(weir::ValueError("boom"));
    CHECK(piece_of("\n") == "ValueError: boom");
    CHECK(reader.buffered_bytes() == 3);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "readuntil_piece: resumes the transport as it takes") {
    const StreamReader reader = make_reader(4);
    reader.feed_data("0123456789ab");
    CHECK(transport.flow == "P");
    for (int i = 0; i < 2; ++i) {
      const Task<RecordPiece> task = loop.create_task(reader.readuntil_piece());
      settle();
      CHECK(task.done());
    }
    CHECK(transport.flow == "PR");
  }
}

// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstddef>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/streams/testing/chunk_sweep.hpp>

#include <tests/streams/reader_model.hpp>
#include <tests/streams/stream_fixture.hpp>

using weir::Coro;
using weir::StreamReader;
using weir::Task;
using weir::test::ReadCall;
using weir::test::ReaderLoop;
using weir::test::ReaderModel;
using weir::test::said;
using weir::testing::Chunks;
using weir::testing::for_each_cut;

namespace {

using Outcomes = std::vector<std::string>;

std::string as_list(const Chunks& chunks) {
  std::string text;
  for (const std::string_view chunk : chunks) text += said(chunk);
  return text;
}

bool is_the_end(std::string_view outcome) {
  return outcome == "\"\"" || outcome == "nothing" || outcome.starts_with("IRE(");
}

/// What a reader does next: recovers from an overrun as the documentation says, else goes on.
ReadCall next_call(const Outcomes& outcomes, const ReadCall& usual) {
  if (outcomes.empty() || !outcomes.back().starts_with("LOE-")) return usual;
  const std::string& last = outcomes.back();
  return weir::test::readexactly(std::stoi(last.substr(last.find('(') + 1)));
}

/// One coroutine that reads to the end.
Coro<> read_all(StreamReader reader, ReadCall usual, Outcomes* outcomes) {
  while (outcomes->empty() || !is_the_end(outcomes->back())) {
    std::exception_ptr error;
    std::string answer;
    try {
      answer = co_await weir::test::make_call(reader, next_call(*outcomes, usual));
    } catch (const std::exception&) {
      error = std::current_exception();
    }
    outcomes->push_back(error ? said(error) : said(answer));
  }
}

/// The same with the model: reads on as far as it can.
void read_on(ReaderModel& model, const ReadCall& usual, Outcomes& outcomes) {
  const auto& calls = model.calls();
  while (outcomes.empty() || !is_the_end(outcomes.back())) {
    if (calls.empty() || calls.back()->done()) model.start(next_call(outcomes, usual));
    while (!model.idle()) model.pass();
    if (!calls.back()->done()) return;
    outcomes.push_back(calls.back()->outcome);
  }
}

constexpr int never = -1;

/// Feeds the input in pieces; the reading task is cancelled when it waits after the
/// first `cancel_after` pieces, and replaced by another one.
class Run {
 public:
  Run(ReaderLoop& test, ReadCall usual, std::ptrdiff_t limit)
      : test_(test),
        usual_(std::move(usual)),
        reader_(test.make_reader(limit)),
        model_(static_cast<std::size_t>(limit)) {
    test.transport.flow.clear();
  }

  /// What is wrong; empty if nothing is.
  std::string run(const Chunks& chunks, int cancel_after) {
    Task<> task = test_.loop.create_task(read_all(reader_, usual_, &outcomes));
    for (const std::string_view chunk : chunks) {
      if (cancel_after-- == 0) {
        const std::string wrong = cancel(task);
        if (!wrong.empty()) return wrong;
        task = test_.loop.create_task(read_all(reader_, usual_, &outcomes));
      }
      settle();
      reader_.feed_data(chunk);
      model_.feed(chunk);
    }
    settle();
    reader_.feed_eof();
    model_.feed_eof();
    settle();
    if (outcomes != expected) return "outcomes differ from the model's";
    if (test_.transport.flow != model_.flow()) return "pauses differ from the model's";
    return task.done() ? "" : "still waits at the end of the stream";
  }

  Outcomes outcomes;
  Outcomes expected;

 private:
  void settle() {
    test_.settle();
    read_on(model_, usual_, expected);
  }
  std::string cancel(const Task<>& task) {
    settle();
    task.cancel();
    model_.cancel(*model_.calls().back());
    test_.settle();
    while (!model_.idle()) model_.pass();
    if (!task.cancelled()) return "is not cancelled";
    return reader_.state().buffered() == model_.buffer() ? "" : "the buffer is not the model's";
  }

  ReaderLoop& test_;
  ReadCall usual_;
  StreamReader reader_;
  ReaderModel model_;
};

/// All the ways to cut `input`. With `always` not empty, every one of them must give just that.
void run_cuts(std::string_view input, const ReadCall& usual, std::ptrdiff_t limit,
              const Outcomes& always = {}) {
  ReaderLoop test;
  for_each_cut(input, {}, [&](const Chunks& chunks) {
    Run run(test, usual, limit);
    const std::string wrong = run.run(chunks, never);
    INFO("cut ", as_list(chunks));
    REQUIRE(wrong == "");
    if (!always.empty()) REQUIRE(run.outcomes == always);
    return true;
  });
}

void cancel_cuts(std::string_view input, const ReadCall& usual, std::ptrdiff_t limit) {
  ReaderLoop test;
  for_each_cut(input, {}, [&](const Chunks& chunks) {
    for (int after = 0; after < static_cast<int>(chunks.size()); ++after) {
      Run run(test, usual, limit);
      const std::string wrong = run.run(chunks, after);
      INFO("cut ", as_list(chunks), ", cancelled after ", after);
      REQUIRE(wrong == "");
    }
    return true;
  });
}

constexpr std::string_view lines = "ab\ncde\n\nfgh\n";
constexpr std::string_view crlf_lines = "ab\r\nc\r\r\n\ndef";

}  // namespace

// Every one of the 2^11 ways in which 12 bytes can arrive.
TEST_SUITE("streams/reader_chunking") {
  TEST_CASE("readline: lines within the limit do not depend on how they arrive") {
    run_cuts(lines, weir::test::readline(), 3,
             {R"("ab\n")", R"("cde\n")", R"("\n")", R"("fgh\n")", R"("")"});
  }

  TEST_CASE("readuntil: records of one separator byte do not depend on how they arrive") {
    run_cuts(lines, weir::test::readuntil("\n"), 3,
             {R"("ab\n")", R"("cde\n")", R"("\n")", R"("fgh\n")", R"(IRE("", undefined))"});
  }

  TEST_CASE("readuntil: records of two separator bytes do not depend on how they arrive") {
    run_cuts(crlf_lines, weir::test::readuntil("\r\n"), 4,
             {R"("ab\r\n")", R"("c\r\r\n")", R"(IRE("\ndef", undefined))"});
  }

  TEST_CASE("readuntil: records of a separator that overlaps itself are the same however cut") {
    run_cuts("xaabaabaaxaa", weir::test::readuntil("aabaa"), 8,
             {R"("xaabaa")", R"(IRE("baaxaa", undefined))"});
    run_cuts("xaaaaaaaybaa", weir::test::readuntil("aa"), 8,
             {R"("xaa")", R"("aa")", R"("aa")", R"("aybaa")", R"(IRE("", undefined))"});
  }

  TEST_CASE("readuntil: records of several separators are the model's for every way to cut") {
    run_cuts(crlf_lines, weir::test::readuntil_any({"\n", "\r\n", "c\r"}), 3);
    run_cuts("xABCDyABCzCD", weir::test::readuntil_any({"ABCD", "C"}), 12,
             {R"("xABC")", R"("DyABC")", R"("zC")", R"(IRE("D", undefined))"});
  }

  TEST_CASE("readexactly: gives the same however the bytes arrive, limit or not") {
    run_cuts(lines, weir::test::readexactly(5), 1,
             {R"("ab\ncd")", R"("e\n\nfg")", R"(IRE("h\n", 5))"});
  }

  TEST_CASE("read: the concatenation does not depend on how the bytes arrive") {
    ReaderLoop test;
    for_each_cut(lines, {}, [&](const Chunks& chunks) {
      for (const std::ptrdiff_t n : {1, 3, 100, -1}) {
        Run run(test, weir::test::read(n), 2);
        const std::string wrong = run.run(chunks, never);
        std::string all;
        for (const std::string& outcome : run.outcomes) {
          all += outcome.substr(1, outcome.size() - 2);
        }
        INFO("cut ", as_list(chunks), ", read ", n);
        REQUIRE(wrong == "");
        REQUIRE("\"" + all + "\"" == said(lines));
      }
      return true;
    });
  }

  TEST_CASE("readline: lines over the limit come as the model says for each way to cut") {
    run_cuts(lines, weir::test::readline(), 2);
    run_cuts(lines, weir::test::readline(), 1);
  }

  TEST_CASE("readuntil: records over the limit overrun as the model says for each way to cut") {
    run_cuts(lines, weir::test::readuntil("\n"), 2);
    run_cuts(crlf_lines, weir::test::readuntil("\r\n"), 2);
    run_cuts(crlf_lines, weir::test::readuntil_any({"\n", "\r\n"}), 1);
  }

  TEST_CASE("readline: cancelled at any await point, buffer and later lines are the model's") {
    cancel_cuts(lines, weir::test::readline(), 3);
    cancel_cuts(lines, weir::test::readline(), 2);
  }

  TEST_CASE("readuntil: cancelled at any await point, buffer and later records are the model's") {
    cancel_cuts(crlf_lines, weir::test::readuntil("\r\n"), 4);
    cancel_cuts(crlf_lines, weir::test::readuntil("\r\n"), 1);
  }

  TEST_CASE("readexactly: cancelled at any await point, buffer and later bytes are the model's") {
    cancel_cuts(lines, weir::test::readexactly(5), 1);
  }

  TEST_CASE("read: cancelled at any await point, no byte is lost") {
    cancel_cuts(lines, weir::test::read(3), 1);
    cancel_cuts(lines, weir::test::read(-1), 1);
  }
}

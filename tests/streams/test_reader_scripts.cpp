// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <weir/reactor/task/recovery.hpp>
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

/// What one call does, step by step. Every row was run on CPython 3.7.16, 3.11.7 and 3.13.0, all
/// with the same result.
///
/// `before` and `during` are what is fed before the call and while it waits: chunks separated by
/// '|', EOF, or EXC for set_exception(ValueError("boom")).
struct Script {
  int row;
  int limit;
  std::string_view before;
  std::string_view call;
  std::string_view during;
  std::string_view outcome;
  std::string_view left;  // In the buffer, afterwards.
  std::string_view paused;
  std::string_view flow;  // Pauses and resumes of the transport.
};

/// How the call is made, and who owns the bytes that are fed.
enum class Way { awaited, view, into, task, time_out, outcome };
enum class Bytes { copied, borrowed };

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('|', at), text.size());
    parts.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

/// "readuntil('\r\n')", "readuntil_any(AB|C)", "read(-1)".
ReadCall parse_call(std::string_view text) {
  const std::string_view name = text.substr(0, text.find('('));
  const std::string_view argument = text.substr(name.size() + 1, text.size() - name.size() - 2);
  if (name == "readline") return weir::test::readline();
  if (name == "readuntil_any") return weir::test::readuntil_any(split(argument));
  if (name == "readuntil") {
    return weir::test::readuntil(std::string(argument.substr(1, argument.size() - 2)));
  }
  const int number = std::stoi(std::string(argument));
  return name == "read" ? weir::test::read(number) : weir::test::readexactly(number);
}

Coro<std::string> view_call(StreamReader reader, ReadCall call) {
  std::string answer;
  switch (call.kind) {
    case ReadCall::Kind::readuntil:
      answer = co_await reader.readuntil_view(call.separators[0]);
      break;
    case ReadCall::Kind::readuntil_any:
      answer = co_await reader.readuntil_view(weir::test::separators_of(call.separators));
      break;
    case ReadCall::Kind::readline: answer = co_await reader.readline_view(); break;
    default: answer = co_await weir::test::make_call(reader, call);
  }
  co_return answer;
}

/// What the string held before shows in the answer if it is not replaced.
Coro<std::string> into_call(StreamReader reader, ReadCall call) {
  std::string into = "before";
  std::size_t size = 0;
  switch (call.kind) {
    case ReadCall::Kind::readuntil:
      size = co_await reader.readuntil_into(into, call.separators[0]);
      break;
    case ReadCall::Kind::readuntil_any:
      size = co_await reader.readuntil_into(into, weir::test::separators_of(call.separators));
      break;
    case ReadCall::Kind::readline: size = co_await reader.readline_into(into); break;
    case ReadCall::Kind::readexactly:
      size = co_await reader.readexactly_into(into, call.bytes);
      break;
    default: into = co_await weir::test::make_call(reader, call); size = into.size();
  }
  co_return size == into.size() ? into : "another size";
}

/// Hands the awaitable itself to `use`.
template <class Use>
auto with_awaitable(const StreamReader& reader, const ReadCall& call, Use use) {
  switch (call.kind) {
    case ReadCall::Kind::read: return use(reader.read(call.bytes));
    case ReadCall::Kind::readexactly: return use(reader.readexactly(call.bytes));
    case ReadCall::Kind::readuntil: return use(reader.readuntil(std::string(call.separators[0])));
    case ReadCall::Kind::readuntil_any: {
      const std::vector<std::string> copies = call.separators;
      return use(reader.readuntil(weir::test::separators_of(copies)));
    }
    default: return use(reader.readline());
  }
}

Coro<std::string> unpacked(Coro<weir::Outcome<std::string>> coro) {
  const weir::Outcome<std::string> outcome = co_await std::move(coro);
  co_return outcome.value();
}

Task<std::string> start(ReaderLoop& test, const StreamReader& reader, const ReadCall& call,
                        Way way) {
  weir::EventLoop& loop = test.loop;
  switch (way) {
    case Way::view: return loop.create_task(view_call(reader, call));
    case Way::into: return loop.create_task(into_call(reader, call));
    case Way::task:
      return with_awaitable(reader, call, [&](auto read) { return loop.create_task(read); });
    case Way::time_out:
      return with_awaitable(reader, call,
                            [&](auto read) { return loop.create_task(weir::wait_for(read, 1h)); });
    case Way::outcome:
      return with_awaitable(
          reader, call, [&](auto read) { return loop.create_task(unpacked(weir::outcome(read))); });
    case Way::awaited: break;
  }
  return test.start(reader, call);
}

/// Feeds chunks that it owns: a borrowed one is freed as soon as the loop says it is given back.
class Feeder {
 public:
  Feeder(ReaderLoop& test, StreamReader reader, Bytes bytes)
      : test_(test), reader_(std::move(reader)), bytes_(bytes) {}

  void feed(const std::string& chunk) {
    if (chunk == "EOF") return reader_.feed_eof();
    if (chunk == "EXC") return reader_.set_exception(weir::ValueError("boom"));
    if (bytes_ == Bytes::copied) return reader_.feed_data(chunk);
    lent_.push_back(std::make_unique<std::string>(chunk));
    reader_.state().feed_borrowed(*lent_.back());
  }
  /// Everything that is to happen, happens; then the lenders take their blocks back.
  void settle() {
    test_.pass();
    test_.settle();
    for (const auto& block : lent_) block->assign(block->size(), '#');
    lent_.clear();
  }

 private:
  ReaderLoop& test_;
  StreamReader reader_;
  Bytes bytes_;
  std::vector<std::unique_ptr<std::string>> lent_;
};

void run_script(const Script& script, Way way, Bytes bytes) {
  INFO("row ", script.row, ", way ", static_cast<int>(way), ", borrowed ",
       bytes == Bytes::borrowed);
  ReaderLoop test;
  const StreamReader reader = test.make_reader(script.limit);
  Feeder feeder(test, reader, bytes);
  for (const std::string& chunk : split(script.before)) feeder.feed(chunk);
  const Task<std::string> task = start(test, reader, parse_call(script.call), way);
  feeder.settle();
  if (!script.during.empty()) {
    for (const std::string& chunk : split(script.during)) {
      feeder.feed(chunk);
      feeder.settle();
    }
  }
  CHECK(said(task) == script.outcome);
  CHECK(reader.state().buffered() == script.left);
  CHECK((reader.state().paused() ? "yes" : "no") == script.paused);
  CHECK(test.transport.flow == script.flow);
}

void run_scripts(std::initializer_list<Script> scripts) {
  for (const Script& script : scripts) {
    for (const Way way :
         {Way::awaited, Way::view, Way::into, Way::task, Way::time_out, Way::outcome}) {
      for (const Bytes bytes : {Bytes::copied, Bytes::borrowed}) run_script(script, way, bytes);
    }
  }
}

}  // namespace

// The rows of asyncio's behaviour by number; none is left out. A message names the row.
TEST_SUITE("streams/reader_scripts") {
  TEST_CASE("rows 1-8: readuntil with one byte is bounded by the bytes before it") {
    run_scripts({
        {1, 4, "abcd\n", "readuntil('\n')", "", R"("abcd\n")", "", "no", ""},
        {2, 4, "abcde\n", "readuntil('\n')", "", "LOE-found(5)", "abcde\n", "no", ""},
        {3, 4, "abcd", "readuntil('\n')", "\n", R"("abcd\n")", "", "no", ""},
        {4, 4, "abcde", "readuntil('\n')", "", "LOE-notfound(5)", "abcde", "no", ""},
        {5, 4, "abcd", "readuntil('\n')", "e\n", "LOE-found(5)", "abcde\n", "no", ""},
        {6, 4, "abcd", "readuntil('\n')", "e", "LOE-notfound(5)", "abcde", "no", ""},
        {7, 1, "\n", "readuntil('\n')", "", R"("\n")", "", "no", ""},
        {8, 1, "ab\n", "readuntil('\n')", "", "LOE-found(2)", "ab\n", "yes", "P"},
    });
  }

  TEST_CASE("rows 9-24: readuntil with several bytes keeps what may begin a separator") {
    run_scripts({
        {9, 4, "wxyzAB", "readuntil('AB')", "", R"("wxyzAB")", "", "no", ""},
        {10, 4, "wxyzA", "readuntil('AB')", "B!", R"("wxyzAB")", "!", "no", ""},
        {11, 4, "wxyz1", "readuntil('AB')", "", "PENDING", "wxyz1", "no", ""},
        {12, 4, "wxyz12", "readuntil('AB')", "", "LOE-notfound(5)", "wxyz12", "no", ""},
        {13, 4, "wxyz1AB", "readuntil('AB')", "", "LOE-found(5)", "wxyz1AB", "no", ""},
        {14, 4, "wxyz1A", "readuntil('AB')", "B", "LOE-notfound(5)", "wxyz1AB", "no", ""},
        {15, 4, "abcd\r", "readuntil('\r\n')", "\n", R"("abcd\r\n")", "", "no", ""},
        {16, 4, "abcde\r", "readuntil('\r\n')", "\n", "LOE-notfound(5)", "abcde\r\n", "no", ""},
        {17, 8, "ab\rc", "readuntil('\r\n')", "\r|\n", R"("ab\rc\r\n")", "", "no", ""},
        {18, 8, "xABABA", "readuntil('ABA')", "", R"("xABA")", "BA", "no", ""},
        {19, 8, "baaa", "readuntil('aa')", "", R"("baa")", "a", "no", ""},
        {20, 3, "AB", "readuntil('ABCDE')", "CDE", R"("ABCDE")", "", "no", ""},
        {21, 2, "AB", "readuntil('ABCDEFGH')", "CD|EF|GH", R"("ABCDEFGH")", "", "no", "PRPR"},
        {22, 4, "abcdSEPARATO", "readuntil('SEPARATOR')", "R", R"("abcdSEPARATOR")", "", "no",
         "PRPR"},
        {23, 4, "abcdXSEPARATO", "readuntil('SEPARATOR')", "", "LOE-notfound(5)", "abcdXSEPARATO",
         "yes", "P"},
        {24, 4, "abcdXSEPARAT", "readuntil('SEPARATOR')", "OR", "LOE-found(5)", "abcdXSEPARATOR",
         "yes", "PRP"},
    });
  }

  TEST_CASE("rows 25-36: readuntil at the end of the stream, and with nothing to look for") {
    run_scripts({
        {25, 3, "ABC|EOF", "readuntil('ABCDE')", "", R"(IRE("ABC", undefined))", "", "no", ""},
        {26, 8, "xyzA", "readuntil('AB')", "EOF", R"(IRE("xyzA", undefined))", "", "no", ""},
        {27, 8, "EOF", "readuntil('\n')", "", R"(IRE("", undefined))", "", "no", ""},
        {28, 4, "abcdS", "readuntil('SEP')", "EOF", R"(IRE("abcdS", undefined))", "", "no", ""},
        {29, 4, "abcd", "readuntil('\n')", "EOF", R"(IRE("abcd", undefined))", "", "no", ""},
        {30, 2, "abcd|EOF", "readuntil('\n')", "", "LOE-notfound(4)", "abcd", "no", ""},
        {31, 2, "abcd\nef\n|EOF", "readuntil('\n')", "", "LOE-found(4)", "abcd\nef\n", "yes", "P"},
        {32, 8, "ab\ncd", "readuntil('\n')", "", R"("ab\n")", "cd", "no", ""},
        {33, 2, "ab\nxx", "readuntil('\n')", "", R"("ab\n")", "xx", "no", "PR"},
        {34, 2, "ab\nxxx", "readuntil('\n')", "", R"("ab\n")", "xxx", "yes", "P"},
        {35, 2, "a\n\nbc", "readuntil('\n')", "", R"("a\n")", "\nbc", "yes", "P"},
        {36, 8, "ab", "readuntil('')", "",
         "ValueError: Separator should be at least one-byte string", "ab", "no", ""},
    });
  }

  TEST_CASE("rows 37-48: readline throws away what is too long") {
    run_scripts({
        {37, 4, "abcd\n", "readline()", "", R"("abcd\n")", "", "no", ""},
        {38, 10, "ab\r\n", "readline()", "", R"("ab\r\n")", "", "no", ""},
        {39, 4, "abcde\nfg", "readline()", "", "ValueError: found", "fg", "no", ""},
        {40, 4, "abcdef", "readline()", "", "ValueError: notfound", "", "no", ""},
        {41, 4, "abcdef", "readline()", "gh\nxx", "ValueError: notfound", "gh\nxx", "no", ""},
        {42, 2, "ab", "readline()", "c\nd", "ValueError: found", "d", "no", "PR"},
        {43, 2, "abcdef", "readline()", "", "ValueError: notfound", "", "no", "PR"},
        {44, 4, "abcde\nline2\n", "readline()", "", "ValueError: found", "line2\n", "yes", "P"},
        {45, 4, "abc|EOF", "readline()", "", R"("abc")", "", "no", ""},
        {46, 4, "EOF", "readline()", "", R"("")", "", "no", ""},
        {47, 4, "abcdefgh\n|EOF", "readline()", "", "ValueError: found", "", "no", "PR"},
        {48, 4, "abcdefgh|EOF", "readline()", "", "ValueError: notfound", "", "no", ""},
    });
  }

  TEST_CASE("rows 49-59: read gives what there is, and waits only for the first byte") {
    run_scripts({
        {49, 4, "abcdefghijkl", "read(-1)", "mn|EOF", R"("abcdefghijklmn")", "", "no", "PR"},
        // asyncio has moved these bytes into the call; they leave the buffer here, too.
        {50, 4, "abcdefgh", "read(-1)", "", "PENDING", "", "no", ""},
        {51, 4, "EOF", "read(-1)", "", R"("")", "", "no", ""},
        {52, 4, "abc", "read(0)", "", R"("")", "abc", "no", ""},
        {53, 4, "abc", "read(5)", "", R"("abc")", "", "no", ""},
        {54, 4, "abcdefghij", "read(100)", "", R"("abcdefghij")", "", "no", "PR"},
        {55, 4, "abcdefghij", "read(5)", "", R"("abcde")", "fghij", "yes", "P"},
        {56, 4, "abcdefghij", "read(6)", "", R"("abcdef")", "ghij", "no", "PR"},
        {57, 4, "", "read(5)", "|xy", R"("xy")", "", "no", ""},
        {58, 4, "", "read(5)", "EOF", R"("")", "", "no", ""},
        {59, 4, "x|EOF", "read(5)", "", R"("x")", "", "no", ""},
    });
  }

  TEST_CASE("rows 60-69: readexactly is not bounded by the limit") {
    run_scripts({
        {60, 4, "", "readexactly(0)", "", R"("")", "", "no", ""},
        {61, 4, "abc", "readexactly(-1)", "",
         "ValueError: readexactly size can not be less than zero", "abc", "no", ""},
        {62, 4, "abcd", "readexactly(3)", "", R"("abc")", "d", "no", ""},
        {63, 4, "ab", "readexactly(3)", "cd", R"("abc")", "d", "no", ""},
        {64, 4, "ab", "readexactly(3)", "EOF", R"(IRE("ab", 3))", "", "no", ""},
        {65, 4, "0123456789", "readexactly(20)", "0123456789ab", R"("01234567890123456789")", "ab",
         "no", "PRPR"},
        {66, 4, "0123456789", "readexactly(12)", "ab", R"("0123456789ab")", "", "no", "PRPR"},
        {67, 2, "abcdefg", "readexactly(4)", "", R"("abcd")", "efg", "yes", "P"},
        {68, 2, "abcdefg", "readexactly(5)", "", R"("abcde")", "fg", "no", "PR"},
        {69, 2, "abcdef|EOF", "readexactly(10)", "", R"(IRE("abcdef", 10))", "", "yes", "P"},
    });
  }

  TEST_CASE("rows 70-75: a stored exception comes before buffered bytes, a bad size before both") {
    run_scripts({
        {70, 4, "abc|EXC", "read(2)", "", "ValueError: boom", "abc", "no", ""},
        {71, 4, "abc|EXC", "read(0)", "", "ValueError: boom", "abc", "no", ""},
        {72, 4, "abc|EXC", "readexactly(0)", "", "ValueError: boom", "abc", "no", ""},
        {73, 4, "abc|EXC", "readexactly(-1)", "",
         "ValueError: readexactly size can not be less than zero", "abc", "no", ""},
        {74, 4, "abc\n|EXC", "readline()", "", "ValueError: boom", "abc\n", "no", ""},
        {75, 4, "a", "readexactly(3)", "EXC", "ValueError: boom", "a", "no", ""},
    });
  }

  // CPython 3.13: test_streams.py test_readuntil_multi_separator
  TEST_CASE("several separators: the match that ends first wins, and its start is what counts") {
    run_scripts({
        {101, 100, "ab\r\ncd\n", "readuntil_any(\r\n|\n)", "", R"("ab\r\n")", "cd\n", "no", ""},
        {102, 2, "ab\r\ncd\n", "readuntil_any(\r\n|\n)", "", "LOE-found(3)", "ab\r\ncd\n", "yes",
         "P"},
        {103, 2, "ab\r\n", "readuntil('\r\n')", "", R"("ab\r\n")", "", "no", ""},
        {104, 100, "xABCDy", "readuntil_any(ABCD|C)", "", R"("xABC")", "Dy", "no", ""},
        {105, 100, "xABCDy", "readuntil_any(BC|ABCD)", "", R"("xABC")", "Dy", "no", ""},
        {106, 100, "xABCDy", "readuntil_any(CD|ABC)", "", R"("xABC")", "Dy", "no", ""},
        {107, 100, "xAB", "readuntil_any(ABC|Z)", "C", R"("xABC")", "", "no", ""},
        {108, 4, "a", "readuntil_any(\n|LONGSEP)", "\n", R"("a\n")", "", "no", ""},
        {109, 4, "abcdef", "readuntil_any(\n|XYZ)", "", "PENDING", "abcdef", "no", ""},
        {110, 4, "abcdef", "readuntil_any(\n|XYZ)", "g", "LOE-notfound(5)", "abcdefg", "no", ""},
    });
  }
}

// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <weir/net/testing/call_grammar.hpp>

using weir::testing::CallGrammar;
using weir::testing::GrammarError;

namespace {

/// Tells `grammar` of calls, one letter each: M made, D data, G get_buffer (of 4 bytes), U updated,
/// E eof, P pause, R resume, L lost.
void tell(CallGrammar& grammar, const std::string& calls) {
  for (const char call : calls) {
    switch (call) {
      case 'M': {
        const auto running = grammar.connection_made();
        break;
      }
      case 'D': {
        const auto running = grammar.data_received(1);
        break;
      }
      case 'G': {
        const auto running = grammar.get_buffer();
        grammar.got_buffer(4);
        break;
      }
      case 'U': {
        const auto running = grammar.buffer_updated(1);
        break;
      }
      case 'E': {
        const auto running = grammar.eof_received();
        break;
      }
      case 'P': {
        const auto running = grammar.pause_writing();
        break;
      }
      case 'R': {
        const auto running = grammar.resume_writing();
        break;
      }
      case 'L': {
        const auto running = grammar.connection_lost();
        break;
      }
      default: FAIL("no such call");
    }
  }
}

std::string violation_of(const std::string& calls) {
  CallGrammar grammar;
  tell(grammar, calls);
  return grammar.violation().value_or("none");
}

}  // namespace

TEST_SUITE_BEGIN("net/testing/call_grammar");

TEST_CASE("CallGrammar: whole connections, of either kind, pass the check") {
  for (const char* calls : {"", "ML", "MDDDEL", "MDPRPDREPRL", "MGUGGUEL", "MPL", "MEPRL"}) {
    CAPTURE(calls);
    CallGrammar grammar;
    tell(grammar, calls);
    CHECK_FALSE(grammar.violation().has_value());
    CHECK_NOTHROW(grammar.check());
  }
}

TEST_CASE("CallGrammar: every call at a wrong place is named, with the calls before it") {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"D", "data_received before connection_made; calls so far: "},
      {"P", "pause_writing before connection_made; calls so far: "},
      {"L", "connection_lost before connection_made; calls so far: "},
      {"MM", "connection_made a second time; calls so far: connection_made "},
      {"MLL", "connection_lost a second time; calls so far: connection_made connection_lost "},
      {"MLD",
       "data_received after connection_lost; calls so far: connection_made connection_lost "},
      {"MLM",
       "connection_made after connection_lost; calls so far: connection_made connection_lost "},
      {"MLP",
       "pause_writing after connection_lost; calls so far: connection_made connection_lost "},
      {"MED", "data_received after eof_received; calls so far: connection_made eof_received "},
      {"MEE", "eof_received after eof_received; calls so far: connection_made eof_received "},
      {"MEG", "get_buffer after eof_received; calls so far: connection_made eof_received "},
      {"MPP",
       "pause_writing while writing is paused; calls so far: connection_made pause_writing "},
      {"MR", "resume_writing while writing is not paused; calls so far: connection_made "},
      {"MU", "buffer_updated without get_buffer; calls so far: connection_made "},
      {"MGUU",
       "buffer_updated without get_buffer; calls so far: connection_made get_buffer "
       "buffer_updated "},
  };
  for (const auto& [calls, text] : table) {
    CAPTURE(calls);
    CHECK(violation_of(calls) == text);
  }
}

TEST_CASE("CallGrammar: calls without bytes, or with more than there was room for, are illegal") {
  CallGrammar data;
  tell(data, "M");
  static_cast<void>(data.data_received(0));
  CHECK(data.violation() == "data_received of no bytes; calls so far: connection_made ");
  CallGrammar empty;
  tell(empty, "MG");
  static_cast<void>(empty.buffer_updated(0));
  CHECK(empty.violation() ==
        "buffer_updated of no bytes; calls so far: connection_made get_buffer ");
  CallGrammar full;
  tell(full, "MG");
  static_cast<void>(full.buffer_updated(5));
  CHECK(full.violation() ==
        "buffer_updated of more bytes than there was room for; calls so far: connection_made "
        "get_buffer ");
}

TEST_CASE("CallGrammar: only pause_writing may come inside another call") {
  for (const char call : std::string("DGUERL")) {
    CAPTURE(call);
    CallGrammar grammar;
    tell(grammar, "MG");
    const auto running = grammar.pause_writing();
    tell(grammar, std::string(1, call));
    CHECK(grammar.violation().value_or("none").find(" inside another callback") !=
          std::string::npos);
  }
  CallGrammar grammar;
  tell(grammar, "M");
  const auto running = grammar.data_received(1);
  tell(grammar, "P");
  CHECK_FALSE(grammar.violation().has_value());
}

TEST_CASE(
    "CallGrammar: calls that repeat are counted, so that a long connection has a short text") {
  CHECK(violation_of("MDDDDDDDDDDDDEPP") ==
        "pause_writing while writing is paused; calls so far: connection_made data_received*12 "
        "eof_received pause_writing ");
  CHECK(violation_of("MDDEE") ==
        "eof_received after eof_received; calls so far: connection_made data_received*2 "
        "eof_received ");
}

TEST_CASE("CallGrammar: the complaint hears of every violation, the check throws the first") {
  std::vector<std::string> heard;
  CallGrammar grammar([&](const std::string& text) { heard.push_back(text); });
  tell(grammar, "MRELL");
  CHECK(heard.size() == 2);
  CHECK_THROWS_WITH_AS(grammar.check(),
                       "resume_writing while writing is not paused; calls so far: connection_made ",
                       GrammarError);
}

TEST_CASE("CallGrammar: a connection that was made and not lost does not pass the check") {
  CallGrammar grammar;
  tell(grammar, "MD");
  CHECK_THROWS_WITH_AS(grammar.check(),
                       "connection_lost has not come; calls so far: connection_made data_received ",
                       GrammarError);
}

TEST_CASE("CallGrammar: of a long connection it tells the last calls") {
  CallGrammar grammar;
  tell(grammar, "M");
  for (int i = 0; i < 10'000; ++i) tell(grammar, "PR");
  tell(grammar, "R");
  REQUIRE(grammar.violation());
  CHECK(grammar.violation()->size() < 2500);
  CHECK(grammar.violation()->find("calls so far: … ") != std::string::npos);
  CHECK(grammar.violation()->ends_with(" pause_writing resume_writing "));
}

TEST_CASE("CallGrammar: goes on with a connection that another protocol had") {
  CallGrammar before;
  tell(before, "MEP");
  CallGrammar after;
  after.take_over_from(before);
  tell(after, "RL");
  CHECK_NOTHROW(after.check());
  CallGrammar again;
  again.take_over_from(before);
  tell(again, "D");
  CHECK(again.violation() ==
        "data_received after eof_received; calls so far: connection_made eof_received "
        "pause_writing (taken over) ");
}

TEST_CASE("CallGrammar: one that adopts a connection hears no connection_made") {
  CallGrammar grammar;
  grammar.adopt();
  tell(grammar, "DL");
  CHECK_NOTHROW(grammar.check());
}

TEST_SUITE_END();

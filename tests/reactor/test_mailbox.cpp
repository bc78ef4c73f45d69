// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <deque>
#include <functional>
#include <string>

#include <weir/reactor/mailbox.hpp>

using namespace weir;
using weir::detail::Mailbox;
using weir::detail::Queueable;
using weir::detail::ReadyQueue;
using weir::detail::Runnable;
using weir::detail::RunnableKind;

namespace {

struct WakeCounter final : Poller {
  const char* name() const noexcept override { return "counter"; }
  int set(int, std::uint32_t, Interest) override { return 0; }
  int wait(std::optional<Duration>, std::vector<Ready>&) override { return 0; }
  void wake() noexcept override { ++wakes; }
  int wakes = 0;
};

struct Word : Queueable {
  Word(std::string& its_trace, std::string its_text)
      : Queueable(kind), trace(its_trace), text(std::move(its_text)) {}
  static const RunnableKind kind;
  std::string& trace;
  std::string text;
  std::function<void()> when_dropped;
};
const RunnableKind Word::kind = {
    [](Runnable& runnable) {
      auto& word = static_cast<Word&>(runnable);
      word.trace += word.text + " ";
    },
    [](const Runnable&) { return std::string("<Word>"); },
    [](Runnable& runnable) {
      auto& word = static_cast<Word&>(runnable);
      word.trace += "dropped:" + word.text + " ";
      if (word.when_dropped) word.when_dropped();
    },
};

struct Box {
  WakeCounter poller;
  Mailbox mailbox{poller};
  ReadyQueue taken;
  std::string trace;
  std::deque<Word> words;

  Word& word(const std::string& text) { return words.emplace_back(trace, text); }
  bool post(const std::string& text) { return mailbox.post(word(text)); }
  void run_taken() {
    while (Queueable* letter = taken.pop()) letter->run();
  }
};

}  // namespace

TEST_SUITE_BEGIN("reactor/mailbox");

TEST_CASE_FIXTURE(Box, "take: hands out what was posted, in order") {
  for (const char* text : {"a", "b", "c"}) CHECK(post(text));
  mailbox.take(taken);
  run_taken();
  CHECK(trace == "a b c ");
}

TEST_CASE_FIXTURE(Box, "take: puts it behind what is there, and leaves nothing in the box") {
  taken.push(word("first"));
  post("a");
  for (int i = 0; i < 2; ++i) mailbox.take(taken);
  run_taken();
  CHECK(trace == "first a ");
}

TEST_CASE_FIXTURE(Box,
                  "post: only the first letter wakes the poller, and the first after each take") {
  post("a");
  post("b");
  CHECK(poller.wakes == 1);
  mailbox.take(taken);
  CHECK(poller.wakes == 1);
  post("c");
  CHECK(poller.wakes == 2);
  mailbox.take(taken);
}

TEST_CASE_FIXTURE(Box, "has_mail: is true between a post and the take") {
  CHECK_FALSE(mailbox.has_mail());
  post("a");
  CHECK(mailbox.has_mail());
  mailbox.take(taken);
  CHECK_FALSE(mailbox.has_mail());
}

TEST_CASE_FIXTURE(Box, "post: after the close is refused, and leaves the letter to the caller") {
  mailbox.close();
  CHECK_FALSE(post("kept"));
  CHECK(poller.wakes == 0);
  CHECK(words.back().position == 0);
  CHECK(trace == "");
}

TEST_CASE_FIXTURE(Box, "close: drops what was not read, without running it") {
  post("a");
  post("b");
  mailbox.close();
  CHECK_FALSE(mailbox.has_mail());
  CHECK(trace == "dropped:a dropped:b ");
}

TEST_CASE_FIXTURE(Box, "B22: the destructor of a post that nobody read may post, and is refused") {
  bool accepted = true;
  Word& letter = word("a");
  letter.when_dropped = [&] { accepted = post("late"); };
  mailbox.post(letter);
  mailbox.close();
  CHECK_FALSE(accepted);
}

TEST_SUITE_END();

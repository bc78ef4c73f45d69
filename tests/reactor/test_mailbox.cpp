// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include <weir/reactor/mailbox.hpp>

#include <tests/reactor/fake_loop.hpp>

using namespace weir;
using weir::detail::Letter;
using weir::detail::Mailbox;
using weir::test::when_destroyed;

namespace {

struct WakeCounter final : Poller {
  const char* name() const noexcept override { return "counter"; }
  int set(int, std::uint32_t, Interest) override { return 0; }
  int wait(std::optional<Duration>, std::vector<Ready>&) override { return 0; }
  void wake() noexcept override { ++wakes; }
  int wakes = 0;
};

struct Box {
  WakeCounter poller;
  Mailbox mailbox{poller};
  std::vector<Letter> letters;
  std::string trace;

  bool post(const std::string& word) {
    Callback callback([this, word] { trace += word + " "; });
    return mailbox.post(callback, std::source_location::current());
  }
};

}  // namespace

TEST_SUITE_BEGIN("reactor/mailbox");

TEST_CASE_FIXTURE(Box, "take: hands out what was posted, in order") {
  for (const char* word : {"a", "b", "c"}) CHECK(post(word));
  mailbox.take(letters);
  for (Letter& letter : letters) letter.callback();
  CHECK(trace == "a b c ");
}

TEST_CASE_FIXTURE(Box, "take: leaves nothing behind, and nothing of before in its argument") {
  post("a");
  mailbox.take(letters);
  CHECK(letters.size() == 1);
  for (int i = 0; i < 2; ++i) {
    mailbox.take(letters);
    CHECK(letters.empty());
  }
}

TEST_CASE_FIXTURE(Box,
                  "post: only the first letter wakes the poller, and the first after each take") {
  post("a");
  post("b");
  CHECK(poller.wakes == 1);
  mailbox.take(letters);
  CHECK(poller.wakes == 1);
  post("c");
  CHECK(poller.wakes == 2);
}

TEST_CASE_FIXTURE(Box, "has_mail: is true between a post and the take") {
  CHECK_FALSE(mailbox.has_mail());
  post("a");
  CHECK(mailbox.has_mail());
  mailbox.take(letters);
  CHECK_FALSE(mailbox.has_mail());
}

TEST_CASE_FIXTURE(Box, "post: remembers where it was called") {
  Callback callback([] {});
  const auto here = std::source_location::current();
  mailbox.post(callback, here);
  mailbox.take(letters);
  CHECK(letters.at(0).where.line() == here.line());
}

TEST_CASE_FIXTURE(Box, "post: after the close is refused, and leaves the callback to the caller") {
  mailbox.close();
  Callback callback([this] { trace += "kept "; });
  CHECK_FALSE(mailbox.post(callback, std::source_location::current()));
  CHECK(poller.wakes == 0);
  REQUIRE(static_cast<bool>(callback));
  callback();
  CHECK(trace == "kept ");
}

TEST_CASE_FIXTURE(Box, "close: destroys what was not read, without running it") {
  const auto captured = std::make_shared<int>();
  Callback callback([this, captured] { trace += "ran "; });
  mailbox.post(callback, std::source_location::current());
  mailbox.close();
  CHECK(captured.use_count() == 1);
  CHECK_FALSE(mailbox.has_mail());
  CHECK(trace == "");
}

TEST_CASE_FIXTURE(Box, "B22: the destructor of a post that nobody read may post, and is refused") {
  bool accepted = true;
  Callback callback([guard = when_destroyed([&] { accepted = post("late"); })] {});
  mailbox.post(callback, std::source_location::current());
  mailbox.close();
  CHECK_FALSE(accepted);
}

TEST_SUITE_END();

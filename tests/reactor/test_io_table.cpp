// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cerrno>
#include <deque>
#include <string>
#include <vector>

#include <weir/reactor/io_table.hpp>

using namespace weir;
using namespace weir::detail;

namespace {

constexpr RunnableKind idle_kind = {
    [](Runnable&) {},
    [](const Runnable&) { return std::string("<transport>"); },
};

struct Item : Runnable {
  Item() : Runnable(idle_kind) {}
};

/// Writes down what it is told, and says what it was told to say.
class RecordingPoller final : public Poller {
 public:
  const char* name() const noexcept override { return "recording"; }
  int set(int fd, std::uint32_t generation, Interest interest) override {
    const char* const names[] = {"none", "read", "write", "read_write"};
    calls.push_back(std::to_string(fd) + "/" + std::to_string(generation) + " " +
                    names[static_cast<unsigned>(interest)]);
    if (errors.empty()) return 0;
    const int error = errors.front();
    errors.pop_front();
    return error;
  }
  int wait(std::optional<Duration>, std::vector<Ready>&) override { return 0; }
  void wake() noexcept override {}

  std::vector<std::string> take() { return std::exchange(calls, {}); }

  std::vector<std::string> calls;
  std::deque<int> errors;
};

using Calls = std::vector<std::string>;

struct Table {
  RecordingPoller poller;
  IoTable table{poller};
  Item reader;
  Item writer;
  int bad_fd = -1;
};

}  // namespace

TEST_SUITE_BEGIN("reactor/io_table");

TEST_CASE_FIXTURE(Table, "open: tells the poller at once") {
  CHECK(table.open(5, &reader, nullptr) == 0);
  CHECK(poller.take() == Calls{"5/1 read"});
  CHECK(table.reader(5) == &reader);
  CHECK(table.writer(5) == nullptr);
}

TEST_CASE_FIXTURE(Table, "open: without anybody to tell registers nothing") {
  CHECK(table.open(5, nullptr, nullptr) == 0);
  CHECK(poller.take() == Calls{});
}

TEST_CASE_FIXTURE(Table, "open: what the poller refuses leaves everything as it was") {
  REQUIRE(table.open(5, &reader, nullptr) == 0);
  poller.errors = {ENOMEM};
  CHECK(table.open(5, &reader, &writer) == ENOMEM);
  CHECK(table.reader(5) == &reader);
  CHECK(table.writer(5) == nullptr);
  CHECK(table.current({5, 1, true, false}));
}

TEST_CASE_FIXTURE(Table, "open: a wild number costs no memory when the poller refuses it") {
  poller.errors = {EBADF};
  CHECK(table.open(100'000'000, &reader, nullptr) == EBADF);
  CHECK(table.size() == 0);
}

// asyncio goes deaf here: the selector compares the events, sees no change, and tells nobody.
TEST_CASE_FIXTURE(Table,
                  "open: the same interest again is told again, for the file may be another") {
  REQUIRE(table.open(5, &reader, nullptr) == 0);
  poller.take();
  Item other;
  CHECK(table.open(5, &other, nullptr) == 0);
  CHECK(poller.take() == Calls{"5/2 read"});
  CHECK(table.current({5, 2, true, false}));
  CHECK_FALSE(table.current({5, 1, true, false}));
}

TEST_CASE_FIXTURE(Table, "set_reader: off and on again between two flushes costs nothing") {
  REQUIRE(table.open(5, &reader, nullptr) == 0);
  poller.take();
  table.set_reader(5, nullptr);
  table.set_reader(5, &reader);
  CHECK(table.flush(&bad_fd) == 0);
  CHECK(poller.take() == Calls{});
}

TEST_CASE_FIXTURE(Table, "set_reader: the last interest gone unregisters the descriptor") {
  REQUIRE(table.open(5, &reader, nullptr) == 0);
  poller.take();
  table.set_reader(5, nullptr);
  CHECK(poller.take() == Calls{});
  CHECK(table.flush(&bad_fd) == 0);
  CHECK(poller.take() == Calls{"5/1 none"});
}

TEST_CASE_FIXTURE(Table, "flush: several changes of one descriptor are one call") {
  REQUIRE(table.open(5, &reader, nullptr) == 0);
  poller.take();
  table.set_writer(5, &writer);
  table.set_reader(5, nullptr);
  table.set_reader(5, &reader);
  CHECK(table.flush(&bad_fd) == 0);
  CHECK(poller.take() == Calls{"5/1 read_write"});
  CHECK(table.flush(&bad_fd) == 0);
  CHECK(poller.take() == Calls{});
}

TEST_CASE_FIXTURE(Table, "flush: a change that is taken back after it was told is told again") {
  REQUIRE(table.open(5, &reader, nullptr) == 0);
  table.set_writer(5, &writer);
  REQUIRE(table.flush(&bad_fd) == 0);
  poller.take();
  table.set_writer(5, nullptr);
  CHECK(table.flush(&bad_fd) == 0);
  CHECK(poller.take() == Calls{"5/1 read"});
}

TEST_CASE_FIXTURE(Table, "flush: names every descriptor that the poller refuses, one a call") {
  for (const int fd : {4, 5, 6}) {
    REQUIRE(table.open(fd, nullptr, nullptr) == 0);
    table.set_reader(fd, &reader);
  }
  poller.errors = {ENOMEM, 0, ENOSPC};
  CHECK(table.flush(&bad_fd) == ENOMEM);
  CHECK(bad_fd == 4);
  CHECK(table.flush(&bad_fd) == ENOSPC);
  CHECK(bad_fd == 6);
  CHECK(table.flush(&bad_fd) == 0);
}

TEST_CASE_FIXTURE(Table,
                  "flush: a change that was refused is made by the next one that is asked for") {
  REQUIRE(table.open(5, nullptr, nullptr) == 0);
  table.set_reader(5, &reader);
  poller.errors = {ENOMEM};
  REQUIRE(table.flush(&bad_fd) == ENOMEM);
  poller.take();
  table.set_reader(5, &reader);
  CHECK(table.flush(&bad_fd) == 0);
  CHECK(poller.take() == Calls{"5/1 read"});
}

TEST_CASE_FIXTURE(Table, "flush: a descriptor whose change was refused is watched for nothing") {
  REQUIRE(table.open(5, &reader, &writer) == 0);
  table.set_writer(5, nullptr);
  poller.take();
  poller.errors = {ENOMEM};
  REQUIRE(table.flush(&bad_fd) == ENOMEM);
  CHECK(poller.take() == Calls{"5/1 read", "5/1 none"});
}

TEST_CASE_FIXTURE(Table, "retry_refused: what was refused is tried again by the next flush") {
  REQUIRE(table.open(5, &reader, &writer) == 0);
  table.set_writer(5, nullptr);
  poller.errors = {ENOMEM};
  REQUIRE(table.flush(&bad_fd) == ENOMEM);
  poller.take();
  CHECK(table.any_refused());
  CHECK(table.flush(&bad_fd) == 0);
  CHECK(poller.take() == Calls{});
  table.retry_refused();
  CHECK(table.flush(&bad_fd) == 0);
  CHECK(poller.take() == Calls{"5/1 read"});
  CHECK_FALSE(table.any_refused());
}

TEST_CASE_FIXTURE(Table, "retry_refused: what is refused again is named once only") {
  REQUIRE(table.open(5, nullptr, nullptr) == 0);
  table.set_reader(5, &reader);
  poller.errors = {ENOMEM, ENOMEM};
  REQUIRE(table.flush(&bad_fd) == ENOMEM);
  table.retry_refused();
  CHECK(table.flush(&bad_fd) == 0);
  CHECK(table.any_refused());
}

TEST_CASE_FIXTURE(Table, "forget: takes back a change that was refused") {
  REQUIRE(table.open(5, nullptr, nullptr) == 0);
  table.set_reader(5, &reader);
  poller.errors = {ENOMEM};
  REQUIRE(table.flush(&bad_fd) == ENOMEM);
  table.forget(5);
  CHECK_FALSE(table.any_refused());
  poller.take();
  table.retry_refused();
  CHECK(table.flush(&bad_fd) == 0);
  CHECK(poller.take() == Calls{});
}

TEST_CASE_FIXTURE(Table, "forget: unregisters now") {
  REQUIRE(table.open(5, &reader, &writer) == 0);
  poller.take();
  table.forget(5);
  CHECK(poller.take() == Calls{"5/1 none"});
  CHECK(table.reader(5) == nullptr);
  CHECK(table.writer(5) == nullptr);
}

TEST_CASE_FIXTURE(Table, "forget: says nothing about a descriptor that is not registered") {
  table.forget(5);
  table.forget(-1);
  REQUIRE(table.open(5, nullptr, nullptr) == 0);
  table.forget(5);
  CHECK(poller.take() == Calls{});
}

TEST_CASE_FIXTURE(Table, "forget: takes back a change that was not yet flushed") {
  REQUIRE(table.open(5, &reader, nullptr) == 0);
  table.set_writer(5, &writer);
  table.forget(5);
  poller.take();
  CHECK(table.flush(&bad_fd) == 0);
  CHECK(poller.take() == Calls{});
}

// libuv: test-closed-fd-events.c. mio RUSTSEC-2024-0019: a token delivered after deregistration.
TEST_CASE_FIXTURE(Table,
                  "current: an event of a forgotten registration is not, its successor's is") {
  REQUIRE(table.open(5, &reader, nullptr) == 0);
  table.forget(5);
  REQUIRE(table.open(5, &reader, nullptr) == 0);
  CHECK(poller.take().back() == "5/2 read");
  CHECK_FALSE(table.current({5, 1, true, false}));
  CHECK(table.current({5, 2, true, false}));
}

TEST_CASE_FIXTURE(Table, "current: an event of a descriptor that was never seen is not") {
  CHECK_FALSE(table.current({5, 1, true, false}));
  CHECK_FALSE(table.current({-1, 1, true, false}));
}

TEST_CASE_FIXTURE(Table, "owner: is described until the descriptor is forgotten") {
  CHECK_FALSE(table.owned(5));
  table.set_owner(5, &reader);
  CHECK(table.owned(5));
  CHECK(table.owner(5) == "<transport>");
  table.forget(5);
  CHECK_FALSE(table.owned(5));
  CHECK(table.owner(5) == "");
}

TEST_CASE_FIXTURE(Table, "owner: stays the owner while nobody wants to read") {
  table.set_owner(5, &reader);
  CHECK(table.reader(5) == nullptr);
  REQUIRE(table.open(5, &reader, nullptr) == 0);
  table.set_reader(5, nullptr);
  CHECK(table.reader(5) == nullptr);
  CHECK(table.owner(5) == "<transport>");
}

TEST_CASE_FIXTURE(Table, "for_each_owner: goes by descriptor, and owners may end meanwhile") {
  Item other;
  Item last;
  for (const auto& [fd, owner] : {std::pair{9, &last}, {5, &reader}, {7, &other}}) {
    table.set_owner(fd, owner);
  }
  REQUIRE(table.open(6, &writer, nullptr) == 0);  // Watched by a user.
  std::vector<const Runnable*> seen;
  table.for_each_owner([&](const Runnable& owner) {
    seen.push_back(&owner);
    table.forget(7);
  });
  CHECK(seen == std::vector<const Runnable*>{&reader, &last});
  CHECK(table.any_owner());
}

TEST_SUITE_END();

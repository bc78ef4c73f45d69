// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <weir/net/connect.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/task.hpp>

#include <tests/net/net_loop.hpp>

using namespace weir;
using namespace std::chrono_literals;
using weir::test::error_of;
using weir::test::NetLoop;
using weir::test::Recorder;

namespace {

/// "many.example" has three addresses of IPv6 and two of IPv4, a to e; nobody answers but the test.
struct Racing : NetLoop {
  Racing() {
    theirs(kernel.listen_on(80));
    kernel.add_host("many.example",
                    {"2001:db8::a", "2001:db8::b", "2001:db8::c", "192.0.2.13", "192.0.2.14"});
    kernel.add_host("two.example", {"127.0.0.1", "127.0.0.1"});
  }

  auto factory() {
    return [] { return std::make_shared<Recorder>(); };
  }
  auto connect(std::string_view host, const ConnectOptions& options) {
    return loop.create_task(create_connection(factory(), host, 80, options));
  }
  std::string connect_error(std::string_view host, const ConnectOptions& options) {
    return error_of(
        [&] { loop.run_until_complete(create_connection(factory(), host, 80, options)); });
  }
  /// The last letters of the addresses of "many.example", in the order in which they are tried.
  std::string order(const ConnectOptions& options) {
    ConnectOptions its = options;
    its.all_errors = true;
    std::string letters;
    try {
      loop.run_until_complete(create_connection(factory(), "many.example", 81, its));
    } catch (const ExceptionGroup& group) {
      for (const std::exception_ptr& error : group.exceptions()) {
        const std::string text = message_of(error);
        const std::string address = text.substr(text.find("('") + 2);
        const char last = address[address.find('\'') - 1];
        letters += last == '3' ? 'd' : last == '4' ? 'e' : last;
      }
    }
    return letters;
  }
  std::size_t attempts() const { return calls.count(Call::socket); }
};

}  // namespace

TEST_SUITE_BEGIN("net/connect_race");

TEST_CASE_FIXTURE(Racing, "connect: a poller that calls it writable too early is not believed") {
  kernel.set_connects(FakeKernel::Connects::held);
  const auto task = connect("127.0.0.1", {});
  run(1ms);
  const int fd = fds_of_ours()[0];
  bool once = true;
  kernel.set_ready_filter([&](std::vector<Ready>& found) {
    if (std::exchange(once, false)) found.push_back({fd, 1, false, true});
  });
  run(10ms);
  CHECK_FALSE(once);
  CHECK_FALSE(task.done());
  kernel.finish_connect(fd);
  run(10ms);
  REQUIRE(task.done());
  CHECK(error_of([&] { task.result().transport->abort(); }) == "nothing");
  run();
}

// ---- The order

// CPython: test_base_events.py test_interleave_addrinfos and others; measured.
TEST_CASE_FIXTURE(Racing, "interleave: the families take turns, after some of the first one") {
  CHECK(order({}) == "abcde");
  CHECK(order({.interleave = 0}) == "abcde");
  CHECK(order({.interleave = 1}) == "adbec");
  CHECK(order({.interleave = 2}) == "abdce");
  CHECK(order({.interleave = 9}) == "abcde");
}

TEST_CASE_FIXTURE(Racing, "interleave: is on with happy_eyeballs_delay, unless told otherwise") {
  CHECK(order({.happy_eyeballs_delay = 250ms}) == "adbec");
  CHECK(order({.happy_eyeballs_delay = 250ms, .interleave = 0}) == "abcde");
}

// ---- The race

TEST_CASE_FIXTURE(Racing, "race: the next attempt starts after the delay, and all go on") {
  kernel.set_connects(FakeKernel::Connects::held);
  const auto task = connect("many.example", {.happy_eyeballs_delay = 250ms});
  run(1ms);
  CHECK(attempts() == 1);
  run(248ms);
  CHECK(attempts() == 1);
  run(2ms);
  CHECK(attempts() == 2);
  run(10s);
  CHECK(attempts() == 5);
  CHECK(fds_of_ours().size() == 5);
  CHECK(busy_polls == 0);
  task.cancel();
  run();
}

TEST_CASE_FIXTURE(Racing, "race: the next attempt starts at once when the last one fails") {
  kernel.set_connects(FakeKernel::Connects::held);
  const auto task = connect("many.example", {.happy_eyeballs_delay = 250ms});
  run(1ms);
  kernel.finish_connect(fds_of_ours()[0], ECONNREFUSED);
  run(1ms);
  CHECK(attempts() == 2);
  run(247ms);  // The clock of the second one began with it.
  CHECK(attempts() == 2);
  run(5ms);
  CHECK(attempts() == 3);
  task.cancel();
  run();
}

TEST_CASE_FIXTURE(Racing, "race: a failure of an earlier attempt starts nothing") {
  kernel.set_connects(FakeKernel::Connects::held);
  const auto task = connect("many.example", {.happy_eyeballs_delay = 250ms});
  run(260ms);
  kernel.finish_connect(fds_of_ours()[0], ECONNREFUSED);
  run(10ms);
  CHECK(attempts() == 2);
  CHECK(fds_of_ours().size() == 1);
  task.cancel();
  run();
}

TEST_CASE_FIXTURE(Racing, "race: the first to connect wins, all others are closed") {
  kernel.set_connects(FakeKernel::Connects::held);
  const auto task = connect("two.example", {.happy_eyeballs_delay = 250ms});
  run(1s);
  REQUIRE(attempts() == 2);
  const int second = fds_of_ours()[1];
  kernel.finish_connect(second);
  run();
  REQUIRE(task.done());
  CHECK(task.result().transport->get_extra_info("socket").socket()->fd() == second);
  CHECK(fds_of_ours() == std::vector{second});
  CHECK(kernel.registered_fds() == std::vector{second});
}

TEST_CASE_FIXTURE(Racing, "race: of two that connect in one pass the first one wins") {
  kernel.set_connects(FakeKernel::Connects::held);
  const auto task = connect("two.example", {.happy_eyeballs_delay = 250ms});
  run(1s);
  const std::vector<int> both = fds_of_ours();
  REQUIRE(both.size() == 2);
  kernel.finish_connect(both[1]);
  kernel.finish_connect(both[0]);
  run();
  REQUIRE(task.done());
  CHECK(fds_of_ours() == std::vector{both[0]});
  CHECK(kernel.registered_fds() == std::vector{both[0]});
}

TEST_CASE_FIXTURE(Racing,
                  "B05: a race cancelled in any pass around the success leaves nothing behind") {
  for (int passes = 0; passes < 6; ++passes) {
    CAPTURE(passes);
    kernel.set_connects(FakeKernel::Connects::held);
    const auto task = connect("two.example", {.happy_eyeballs_delay = 250ms});
    run(1s);
    REQUIRE(fds_of_ours().size() == 2);
    for (const int fd : fds_of_ours()) kernel.finish_connect(fd);
    for (int i = 0; i < passes; ++i) pass();
    task.cancel();
    run();
    if (!task.cancelled()) task.result().transport->abort();
    run();
    CHECK(fds_of_ours().empty());
    CHECK(kernel.registered_fds().empty());
  }
}

TEST_CASE_FIXTURE(Racing, "race: an attempt that the poller refuses has failed, the next is made") {
  kernel.set_connects(FakeKernel::Connects::in_progress);
  kernel.script(Call::poller_set, {.error = ENOSPC});
  const auto task = connect("two.example", {});
  run();
  REQUIRE(task.done());
  CHECK(attempts() == 2);
  CHECK(fds_of_ours().size() == 1);
}

TEST_CASE_FIXTURE(Racing, "race: without a delay an attempt has all the time it wants") {
  kernel.set_connects(FakeKernel::Connects::held);
  const auto task = connect("many.example", {});
  run(1h);
  CHECK(attempts() == 1);
  task.cancel();
  run();
}

// gh-98388, gh-86296: in CPython a cancellation could get lost in the race.
TEST_CASE_FIXTURE(Racing, "race: cancelled, all attempts are unwatched and closed") {
  kernel.set_connects(FakeKernel::Connects::held);
  const auto task = connect("many.example", {.happy_eyeballs_delay = 250ms});
  run(600ms);
  REQUIRE(attempts() == 3);
  task.cancel();
  run();
  CHECK(task.cancelled());
  CHECK(fds_of_ours().empty());
  CHECK(kernel.registered_fds().empty());
  run(10s);
  CHECK(attempts() == 3);
}

// ---- What went wrong

TEST_CASE_FIXTURE(Racing, "all_errors: every failure comes, in the order of the attempts") {
  kernel.set_connects(FakeKernel::Connects::held);
  const auto task = connect("two.example", {.happy_eyeballs_delay = 250ms, .all_errors = true});
  run(1s);
  const std::vector<int> fds = fds_of_ours();
  REQUIRE(fds.size() == 2);
  kernel.finish_connect(fds[1], ETIMEDOUT);
  run();
  kernel.finish_connect(fds[0], EHOSTUNREACH);
  run();
  CHECK(error_of([&] { task.result(); }) ==
        "ExceptionGroup: create_connection failed (2 sub-exceptions)");
  try {
    task.result();
  } catch (const ExceptionGroup& group) {
    CHECK(describe(group.exceptions().at(0)) ==
          "OSError: [Errno 113] Connect call failed ('127.0.0.1', 80)");
    CHECK(describe(group.exceptions().at(1)) ==
          "TimeoutError: [Errno 110] Connect call failed ('127.0.0.1', 80)");
  }
}

TEST_CASE_FIXTURE(Racing, "all_errors: one failure is a group, too") {
  kernel.script(Call::connect, {.error = ENETUNREACH});
  CHECK(connect_error("127.0.0.1", {.all_errors = true}) ==
        "ExceptionGroup: create_connection failed (1 sub-exception)");
}

// ---- From where

// CPython: test_base_events.py test_create_connection_local_addr
TEST_CASE_FIXTURE(Racing, "local_addr: the connection comes from there") {
  const auto made = loop.run_until_complete(create_connection(
      factory(), "127.0.0.1", 80, {.local_addr = LocalAddress{"127.0.0.9", 4321}}));
  CHECK(made.transport->get_extra_info("sockname").endpoint()->repr() == "('127.0.0.9', 4321)");
}

// CPython: test_base_events.py test_create_connection_local_addr_skip_different_family
TEST_CASE_FIXTURE(Racing, "local_addr: the first of the same family that can be bound is taken") {
  kernel.add_host("here.example", {"::1", "127.0.0.8", "127.0.0.9"});
  kernel.script(Call::bind, {.error = EADDRINUSE});
  const auto made = loop.run_until_complete(
      create_connection(factory(), "127.0.0.1", 80, {.local_addr = LocalAddress{"here.example"}}));
  CHECK(made.transport->get_extra_info("sockname").endpoint()->host() == "127.0.0.9");
  CHECK(calls.count(Call::bind) == 2);
}

// CPython: test_base_events.py test_create_connection_local_addr_in_use
TEST_CASE_FIXTURE(Racing, "local_addr: one that cannot be bound is named") {
  kernel.script(Call::bind, {.error = EADDRINUSE});
  CHECK(connect_error("127.0.0.1", {.local_addr = LocalAddress{"127.0.0.9", 4321}}) ==
        "OSError: [Errno 98] error while attempting to bind on address ('127.0.0.9', 4321): "
        "address already in use");
  CHECK(fds_of_ours().empty());
}

TEST_CASE_FIXTURE(Racing, "local_addr: all that cannot be bound are told") {
  kernel.add_host("here.example", {"127.0.0.8", "127.0.0.9"});
  kernel.fail_always(Call::bind, EADDRNOTAVAIL);
  CHECK(connect_error("127.0.0.1", {.local_addr = LocalAddress{"here.example"}}) ==
        "OSError: Multiple exceptions: [Errno 99] error while attempting to bind on address "
        "('127.0.0.8', 0): cannot assign requested address, [Errno 99] error while attempting to "
        "bind on address ('127.0.0.9', 0): cannot assign requested address");
  kernel.clear(Call::bind);
}

TEST_CASE_FIXTURE(Racing, "local_addr: one of another family only is an error") {
  CHECK(connect_error("127.0.0.1", {.local_addr = LocalAddress{"::1"}}) ==
        "OSError: no matching local address with family=<AddressFamily.AF_INET: 2> found");
  CHECK(connect_error("::1", {.local_addr = LocalAddress{"127.0.0.1"}}) ==
        "OSError: no matching local address with family=<AddressFamily.AF_INET6: 10> found");
}

TEST_CASE_FIXTURE(Racing, "local_addr: a name that has no address is an error") {
  CHECK(connect_error("127.0.0.1", {.local_addr = LocalAddress{"b.example"}}) ==
        "GaiError: [Errno -2] Name or service not known");
  kernel.script(Call::getaddrinfo, {.value = 0});
  CHECK(connect_error("127.0.0.1", {.local_addr = LocalAddress{"a.example"}}) ==
        "OSError: getaddrinfo() returned empty list");
}

// libevent 86dfd2ce, 4da9f87c and others: an answer of the resolver to somebody who is gone.
TEST_CASE_FIXTURE(Racing, "B37: cancelled in any pass from the lookup on, nothing is left") {
  for (int passes = 0; passes < 12; ++passes) {
    CAPTURE(passes);
    kernel.set_connects(FakeKernel::Connects::held);
    kernel.set_jobs_per_wait(passes % 2 == 0 ? 1 : 0);
    const auto task = connect("two.example", {.happy_eyeballs_delay = 0s});
    for (int i = 0; i < passes; ++i) pass();
    kernel.set_jobs_per_wait(1);
    for (int i = 0; i < passes / 2; ++i) pass();
    task.cancel();
    run();
    CHECK(task.cancelled());
    CHECK(fds_of_ours().empty());
    CHECK(kernel.registered_fds().empty());
    CHECK(kernel.queued_jobs() == 0);
    CHECK(calls.count(Call::getaddrinfo) == calls.count(Call::freeaddrinfo));
  }
}

TEST_SUITE_END();

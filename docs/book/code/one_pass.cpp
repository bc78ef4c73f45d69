// SPDX-License-Identifier: MIT
// What the chapter "One pass" shows.
#include <doctest/doctest.h>

#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "stage.hpp"

using namespace std::chrono_literals;

namespace {

using book::Stage;

/// A descriptor on which a byte waits.
int readable(Stage& stage) {
  int ends[2];
  REQUIRE(stage.kernel.socketpair(AF_UNIX, SOCK_STREAM, ends) == 0);
  stage.kernel.put(ends[1], "x");
  return ends[0];
}

}  // namespace

TEST_SUITE("book/one_pass") {
  TEST_CASE_FIXTURE(Stage, "one pass: what a callback schedules runs in the next pass") {
    // [order]
    loop.call_soon([this] {
      trace += "one ";
      loop.call_soon([this] { trace += "three "; });
    });
    loop.call_soon([this] { trace += "two "; });
    // [/order]
    pass();
    CHECK(trace == "one two ");
    pass();
    CHECK(trace == "one two three ");
  }

  TEST_CASE_FIXTURE(Stage, "one pass: a descriptor is served to the end before the next one") {
    const int left = readable(*this);
    const int right = readable(*this);
    // [depth_first]
    const auto serve = [this](int fd, const std::string& name) {
      loop.add_reader(fd, [this, fd, name] {
        loop.remove_reader(fd);
        trace += name + " readable, ";
        loop.call_soon([this, name] { trace += name + " served, "; });
      });
    };
    serve(left, "left");
    serve(right, "right");
    // [/depth_first]
    run_for(1ms);
    CHECK(trace == "left readable, left served, right readable, right served, ");
  }

  TEST_CASE_FIXTURE(Stage, "one pass: timers run by deadline, then in the order they were made") {
    // [timers]
    loop.call_later(2s, [this] { trace += "late "; });
    loop.call_later(1s, [this] { trace += "early "; });
    loop.call_later(1s, [this] { trace += "early too "; });
    // [/timers]
    run_for(1min);
    CHECK(trace == "early early too late ");
  }

  TEST_CASE_FIXTURE(Stage, "one pass: callbacks that keep each other busy do not starve the rest") {
    const int fd = readable(*this);
    // [busy]
    std::uint64_t passes_before_read = 0;
    loop.add_reader(fd, [this, &passes_before_read] {
      passes_before_read = loop.stats().passes;
      trace = "read";
      loop.stop();
    });
    const std::function<void()> again = [this, &again] {
      if (trace.empty()) loop.call_soon(again);
    };
    loop.call_soon(again);
    loop.run_forever();
    // [/busy]
    CHECK(passes_before_read > 0);
    CHECK(passes_before_read <= 257);
  }

  TEST_CASE_FIXTURE(Stage, "one pass: an idle loop sleeps in the kernel, not in passes") {
    const std::uint64_t polls = loop.stats().polls;
    run_for(24h);
    CHECK(loop.stats().polls - polls <= 3);
  }
}

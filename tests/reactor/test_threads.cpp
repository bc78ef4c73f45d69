// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/letter.hpp>

using namespace weir;
using namespace std::chrono_literals;

namespace {

/// The text of the RuntimeError that `action` throws on another thread; empty if it throws none.
std::string thrown_elsewhere(const std::function<void()>& action) {
  std::string text;
  std::thread([&] {
    try {
      action();
    } catch (const RuntimeError& error) {
      text = error.what();
    }
  }).join();
  return text;
}

struct RealLoop {
  ~RealLoop() { loop.close(); }
  EventLoop loop;
};

}  // namespace

TEST_SUITE_BEGIN("reactor/threads" * doctest::timeout(60));

// CPython: test_events.py EventLoopTestsMixin.test_call_soon_threadsafe
TEST_CASE_FIXTURE(RealLoop, "call_soon_threadsafe: wakes a loop that waits") {
  std::thread poster;
  std::thread::id ran_on;
  loop.call_soon([&] {
    poster = std::thread([&] {
      loop.call_soon_threadsafe([&] {
        ran_on = std::this_thread::get_id();
        loop.stop();
      });
    });
  });
  loop.run_forever();
  poster.join();
  CHECK(ran_on == std::this_thread::get_id());
}

TEST_CASE_FIXTURE(
    RealLoop, "call_soon_threadsafe: 100 000 posts of 8 threads arrive, each thread's in order") {
  constexpr int threads = 8;
  constexpr int posts = 12'500;
  std::vector<int> received(threads, 0);
  int out_of_order = 0;
  int left = threads * posts;
  std::vector<std::thread> posters;
  for (std::size_t thread = 0; thread < threads; ++thread) {
    posters.emplace_back([&, thread] {
      for (int post = 0; post < posts; ++post) {
        loop.call_soon_threadsafe([&, thread, post] {
          if (received[thread]++ != post) ++out_of_order;
          if (--left == 0) loop.stop();
        });
      }
    });
  }
  loop.run_forever();
  for (std::thread& poster : posters) poster.join();
  CHECK(left == 0);
  CHECK(out_of_order == 0);
}

TEST_CASE_FIXTURE(RealLoop,
                  "call_soon_threadsafe: on a closed loop throws, and the callback never runs") {
  const auto captured = std::make_shared<int>();
  bool ran = false;
  loop.close();
  CHECK(thrown_elsewhere([&] { loop.call_soon_threadsafe([&ran, captured] { ran = true; }); }) ==
        "Event loop is closed");
  CHECK_FALSE(ran);
  CHECK(captured.use_count() == 1);
}

// libuv 37042a5bc, fe7ee4a62: a send to a handle that the loop's thread frees.
TEST_CASE("B17: posts while the loop closes are run, destroyed or refused") {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> accepted = 0;
    std::atomic<int> destroyed = 0;
    std::atomic<bool> closed = false;
    std::atomic<bool> ran_after_close = false;
    EventLoop loop;
    std::vector<std::thread> posters;
    for (int thread = 0; thread < 4; ++thread) {
      posters.emplace_back([&] {
        try {
          for (;;) {
            const std::shared_ptr<void> guard(nullptr, [&](void*) { ++destroyed; });
            loop.call_soon_threadsafe([&, guard] {
              if (closed) ran_after_close = true;
              if (accepted > 100) loop.stop();
            });
            ++accepted;
          }
        } catch (const RuntimeError&) {
        }
      });
    }
    loop.run_forever();
    loop.close();
    closed = true;
    for (std::thread& poster : posters) poster.join();
    CHECK(destroyed == accepted + 4);  // Each thread's last one was refused.
    CHECK_FALSE(ran_after_close);
  }
}

TEST_CASE("B17: a thread that holds the mailbox may post when the loop is long gone") {
  auto loop = std::make_unique<EventLoop>();
  const auto captured = std::make_shared<int>();
  detail::Letter letter(*loop, [captured] {});
  loop->close();
  loop.reset();
  bool accepted = true;
  std::thread([&] { accepted = letter.send(); }).join();
  CHECK_FALSE(accepted);
  CHECK(captured.use_count() == 1);
}

TEST_CASE("letter: one that is not sent destroys its callback, and does not run it") {
  EventLoop loop;
  const auto captured = std::make_shared<bool>(false);
  {
    const detail::Letter letter(loop, [captured] { *captured = true; });
    CHECK(letter.is_unsent());
  }
  loop.stop();
  loop.run_forever();
  CHECK(captured.use_count() == 1);
  CHECK_FALSE(*captured);
  loop.close();
}
// CPython: test_base_events.py test_thread (check_thread)
TEST_CASE_FIXTURE(RealLoop,
                  "debug: scheduling from another thread is refused while the loop runs") {
  loop.set_debug(true);
  std::function<void()> act;
  SUBCASE("call_soon") {
    act = [&] { loop.call_soon([] {}); };
  }
  SUBCASE("call_later") {
    act = [&] { loop.call_later(1h, [] {}); };
  }
  SUBCASE("call_at") {
    act = [&] { loop.call_at(TimePoint(), [] {}); };
  }
  std::string text;
  loop.call_soon([&] {
    text = thrown_elsewhere(act);
    loop.stop();
  });
  loop.run_forever();
  CHECK(text == "Non-thread-safe operation invoked on an event loop other than the current one");
}

TEST_CASE_FIXTURE(RealLoop, "debug: call_soon_threadsafe is allowed from any thread") {
  loop.set_debug(true);
  bool ran = false;
  loop.call_soon([&] {
    std::thread([&] {
      loop.call_soon_threadsafe([&] {
        ran = true;
        loop.stop();
      });
    }).join();
  });
  loop.run_forever();
  CHECK(ran);
}

TEST_CASE_FIXTURE(RealLoop, "debug: a loop that does not run may be filled from anywhere") {
  loop.set_debug(true);
  loop.stop();
  loop.run_forever();
  CHECK(thrown_elsewhere([&] { loop.call_soon([&] { loop.stop(); }); }) == "");
  loop.run_forever();
}

TEST_CASE("get_running_loop: each thread has its own") {
  EventLoop here;
  EventLoop* seen_here = nullptr;
  EventLoop* seen_there = nullptr;
  EventLoop* there_address = nullptr;
  here.call_soon([&] {
    std::thread([&] {
      EventLoop there;
      there_address = &there;
      there.call_soon([&] {
        seen_there = &get_running_loop();
        there.stop();
      });
      there.run_forever();
      there.close();
    }).join();
    seen_here = &get_running_loop();
    here.stop();
  });
  here.run_forever();
  here.close();
  CHECK(seen_here == &here);
  CHECK(seen_there == there_address);
}

TEST_CASE_FIXTURE(RealLoop,
                  "signals: one that another thread takes wakes the loop and runs on its thread") {
  std::thread::id ran_on;
  std::thread other;
  loop.add_signal_handler(SIGUSR1, [&] {
    ran_on = std::this_thread::get_id();
    loop.stop();
  });
  loop.call_soon([&] { other = std::thread([] { pthread_kill(pthread_self(), SIGUSR1); }); });
  loop.run_forever();
  other.join();
  CHECK(ran_on == std::this_thread::get_id());
}

TEST_CASE("signals: a handler goes away safely while another thread takes its signals") {
  std::atomic<bool> over = false;
  struct sigaction ignore{};
  struct sigaction original{};
  ignore.sa_handler = SIG_IGN;  // For the moments between two handlers.
  REQUIRE(sigaction(SIGUSR1, &ignore, &original) == 0);
  std::thread other([&] {
    while (!over) pthread_kill(pthread_self(), SIGUSR1);
  });
  int served = 0;
  for (int round = 0; round < 50; ++round) {
    EventLoop loop;
    loop.add_signal_handler(SIGUSR1, [&] {
      ++served;
      loop.stop();
    });
    loop.run_forever();
    loop.close();
  }
  over = true;
  other.join();
  CHECK(served >= 50);
  REQUIRE(sigaction(SIGUSR1, &original, nullptr) == 0);
}

TEST_SUITE_END();

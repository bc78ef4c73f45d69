// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>

#include <tests/reactor/fake_loop.hpp>

using namespace weir;
using namespace std::chrono_literals;
using weir::test::Ends;
using weir::test::FakeLoop;
using weir::test::when_destroyed;

namespace {

/// Something that the loop owns. Says when it is aborted and destroyed.
struct Member : detail::Owned {
  static const detail::Owned::Kind its_kind;
  Member(std::string its_name, std::string& its_trace)
      : Owned(its_kind), name(std::move(its_name)), trace(its_trace) {}
  void say(const std::string& what, const std::function<void()>& then) {
    trace += what + "-" + name + " ";
    if (then) then();
  }
  std::string name;
  std::string& trace;
  std::function<void()> when_aborted;
  std::function<void()> when_destroyed;
};

Member& member_of(detail::Owned& owned) { return static_cast<Member&>(owned); }

const detail::Owned::Kind Member::its_kind = {
    [](detail::Owned& owned) { member_of(owned).say("abort", member_of(owned).when_aborted); },
    [](detail::Owned& owned) { member_of(owned).say("destroy", member_of(owned).when_destroyed); },
};

}  // namespace

TEST_SUITE_BEGIN("reactor/event_loop_closing");

// CPython: test_base_events.py test_close
TEST_CASE_FIXTURE(FakeLoop, "close: may be called again") {
  CHECK_FALSE(loop.is_closed());
  loop.close();
  CHECK(loop.is_closed());
  loop.close();
  CHECK(loop.is_closed());
}

TEST_CASE_FIXTURE(FakeLoop, "close: is refused while the loop runs, and the loop goes on") {
  std::string text;
  loop.call_soon([&] {
    try {
      loop.close();
    } catch (const RuntimeError& error) {
      text = error.what();
    }
  });
  loop.call_soon(note("next"));
  pass();
  CHECK(text == "Cannot close a running event loop");
  CHECK(trace == "next ");
  CHECK_FALSE(loop.is_closed());
}

TEST_CASE("destructor: a loop that was not closed is closed, and says so") {
  FakeKernel kernel;
  std::vector<std::string> logged;
  const auto captured = std::make_shared<int>();
  {
    EventLoop loop(kernel);
    loop.set_log_sink([&](LogLevel level, std::string_view text) {
      logged.push_back(std::string(to_string(level)) + ": " + std::string(text));
    });
    loop.call_later(1h, [captured] {});
  }
  CHECK(logged == std::vector<std::string>{"warning: unclosed event loop"});
  CHECK(captured.use_count() == 1);
}

TEST_CASE("destructor: says nothing of a loop that was closed") {
  FakeKernel kernel;
  std::vector<std::string> logged;
  {
    EventLoop loop(kernel);
    loop.set_log_sink([&](LogLevel, std::string_view text) { logged.emplace_back(text); });
    loop.close();
  }
  CHECK(logged.empty());
}

TEST_CASE_FIXTURE(FakeLoop, "close: destroys the callables of timers and never runs them") {
  const auto captured = std::make_shared<int>();
  loop.call_later(1h, [this, captured] { trace += "timer "; });
  loop.call_later(0s, [this, captured] { trace += "timer "; });
  loop.close();
  CHECK(captured.use_count() == 1);
  CHECK(trace == "");
  CHECK(loop.time() == FakeKernel::start);
}

TEST_CASE_FIXTURE(FakeLoop, "close: destroys what watches descriptors, and unregisters them") {
  const Ends ends = connect_readable();
  const auto captured = std::make_shared<int>();
  loop.add_reader(ends.ours, [captured] {});
  loop.add_writer(ends.ours, [captured] {});
  loop.add_signal_handler(SIGUSR1, [captured] {});
  loop.close();
  CHECK(captured.use_count() == 1);
  CHECK(kernel.registered_fds().empty());
  CHECK_FALSE(kernel.raise_signal(SIGUSR1));
}

TEST_CASE_FIXTURE(FakeLoop, "close: destroys unread posts of other threads") {
  const auto captured = std::make_shared<int>();
  loop.call_soon_threadsafe([captured] {});
  loop.close();
  CHECK(captured.use_count() == 1);
}

TEST_CASE_FIXTURE(FakeLoop, "close: ends though a callback schedules itself for ever") {
  const auto captured = std::make_shared<int>();
  struct Again {
    EventLoop& its_loop;
    std::shared_ptr<int> its_capture;
    void operator()() const { its_loop.call_soon(*this); }
  };
  loop.call_soon(Again{loop, captured});
  loop.close();
  CHECK(captured.use_count() == 1);
}

// ---- What the loop owns

TEST_CASE_FIXTURE(
    FakeLoop, "close: aborts all that it owns, in order, then destroys what is left, in order") {
  Member first("1", trace);
  Member second("2", trace);
  Member third("3", trace);
  for (Member* member : {&first, &second, &third}) loop.own(*member);
  loop.close();
  CHECK(trace == "abort-1 abort-2 abort-3 destroy-1 destroy-2 destroy-3 ");
}

TEST_CASE_FIXTURE(FakeLoop, "close: runs what an abort makes ready before it destroys anything") {
  Member first("1", trace);
  Member second("2", trace);
  first.when_aborted = [&] {
    loop.call_soon([&] {
      trace += "posted ";
      loop.call_soon(note("posted-by-posted"));
    });
  };
  loop.own(first);
  loop.own(second);
  loop.close();
  CHECK(trace == "abort-1 abort-2 posted posted-by-posted destroy-1 destroy-2 ");
}

TEST_CASE_FIXTURE(FakeLoop, "close: sends what is gathered, and destroys afterwards") {
  struct Hook : detail::DrainHook {
    explicit Hook(std::string& its_trace)
        : DrainHook([](DrainHook& hook) { static_cast<Hook&>(hook).trace += "flush "; }),
          trace(its_trace) {}
    std::string& trace;
  } hook(trace);
  Member member("1", trace);
  member.when_aborted = [&] { loop.when_drained(hook); };
  loop.own(member);
  loop.close();
  CHECK(trace == "abort-1 flush destroy-1 ");
}

TEST_CASE_FIXTURE(FakeLoop, "close: does not destroy what has ended by itself") {
  Member member("1", trace);
  member.when_aborted = [&] { loop.call_soon([&] { member.unlink(); }); };
  loop.own(member);
  loop.close();
  CHECK(trace == "abort-1 ");
}

TEST_CASE_FIXTURE(FakeLoop, "close: aborts what comes while it closes") {
  Member first("1", trace);
  Member late("late", trace);
  first.when_aborted = [&] { loop.call_soon([&] { loop.own(late); }); };
  loop.own(first);
  loop.close();
  CHECK(trace == "abort-1 abort-late destroy-1 destroy-late ");
}

TEST_CASE_FIXTURE(FakeLoop, "close: destroys also what comes while it destroys") {
  Member first("1", trace);
  Member late("late", trace);
  first.when_destroyed = [&] { loop.own(late); };
  loop.own(first);
  loop.close();
  CHECK(trace == "abort-1 destroy-1 destroy-late ");
}

TEST_CASE_FIXTURE(FakeLoop, "close: what has ended may end others") {
  Member first("1", trace);
  std::optional<Member> second(std::in_place, "2", trace);
  first.when_destroyed = [&] { second.reset(); };
  loop.own(first);
  loop.own(*second);
  loop.close();
  CHECK(trace == "abort-1 abort-2 destroy-1 ");
}

// ---- What runs while it closes

TEST_CASE_FIXTURE(FakeLoop,
                  "close: what destructors schedule is destroyed, not run and not leaked") {
  const auto captured = std::make_shared<int>();
  Handle handle;
  const auto schedule = [&] {
    handle = loop.call_soon([this, captured] { trace += "wrong "; });
    loop.call_later(1h, [this, captured] { trace += "wrong "; });
  };
  const Ends ends = connect();
  SUBCASE("the destructor of a timer") {
    loop.call_later(1h, [guard = when_destroyed(schedule)] {});
  }
  SUBCASE("the destructor of a reader") {
    loop.add_reader(ends.ours, [guard = when_destroyed(schedule)] {});
  }
  SUBCASE("the destructor of a signal handler") {
    loop.add_signal_handler(SIGUSR1, [guard = when_destroyed(schedule)] {});
  }
  SUBCASE("the destructor of a post from another thread") {
    loop.call_soon_threadsafe([guard = when_destroyed(schedule)] {});
  }
  loop.close();
  CHECK(captured.use_count() == 1);
  CHECK(trace == "");
  handle.cancel();
  CHECK(handle.cancelled());
}

TEST_CASE_FIXTURE(FakeLoop, "close: a reader that a destructor adds does not stay registered") {
  const Ends first = connect();
  const Ends second = connect();
  const auto captured = std::make_shared<int>();
  const auto watch = [&, captured] { loop.add_reader(first.ours, [captured] {}); };
  loop.add_reader(second.ours, [guard = when_destroyed(watch)] {});
  loop.close();
  CHECK(captured.use_count() == 2);  // Ours, and that of `watch`.
  CHECK(kernel.registered_fds().empty());
}

TEST_CASE_FIXTURE(FakeLoop, "close: inside itself does nothing, wherever it is called from") {
  struct Closer {
    explicit Closer(EventLoop& its_loop) : loop(its_loop) {}
    ~Closer() { loop.close(); }
    EventLoop& loop;
  };
  loop.service<Closer>();
  loop.call_soon([&] {
    loop.close();
    trace += loop.is_closed() ? "closed " : "closing ";
  });
  loop.add_signal_handler(SIGUSR1, [guard = when_destroyed([&] { loop.close(); })] {});
  loop.close();
  CHECK(trace == "closing ");
  CHECK(loop.is_closed());
}

TEST_CASE_FIXTURE(FakeLoop, "close: the loop cannot be run meanwhile") {
  std::string texts;
  const auto run = [&] {
    try {
      loop.run_forever();
    } catch (const RuntimeError& error) {
      texts += std::string(error.what()) + "; ";
    }
  };
  loop.call_soon(run);
  loop.call_soon_threadsafe([guard = when_destroyed(run)] {});
  loop.close();
  CHECK(texts == "This event loop is already running; This event loop is already running; ");
}

TEST_CASE_FIXTURE(FakeLoop,
                  "close: its callbacks see it as the running loop, which is over afterwards") {
  EventLoop* seen = nullptr;
  loop.call_soon([&] { seen = &get_running_loop(); });
  loop.close();
  CHECK(seen == &loop);
  CHECK(detail::running_loop == nullptr);
}

TEST_CASE_FIXTURE(FakeLoop,
                  "close: of an idle loop inside another one leaves that one the running loop") {
  EventLoop other(kernel);
  EventLoop* seen = nullptr;
  loop.call_soon([&] {
    other.close();
    seen = &get_running_loop();
  });
  pass();
  CHECK(other.is_closed());
  CHECK(seen == &loop);
}

TEST_CASE_FIXTURE(FakeLoop, "close: KeyboardInterrupt out of a callback comes when all is closed") {
  const auto captured = std::make_shared<int>();
  Member member("1", trace);
  loop.own(member);
  loop.call_soon([] { throw KeyboardInterrupt{}; });
  loop.call_soon(note("ready"));
  loop.call_later(1h, [captured] {});
  CHECK_THROWS_AS(loop.close(), KeyboardInterrupt);
  CHECK(loop.is_closed());
  CHECK(trace == "abort-1 ready destroy-1 ");
  CHECK(captured.use_count() == 1);
}

TEST_CASE("destructor: KeyboardInterrupt out of a callback does not end the program") {
  FakeKernel kernel;
  bool ran = false;
  {
    EventLoop loop(kernel);
    loop.set_log_sink([](LogLevel, std::string_view) {});
    loop.call_soon([] { throw KeyboardInterrupt{}; });
    loop.call_soon([&] { ran = true; });
  }
  CHECK(ran);
}

// ---- Services and the executor

TEST_CASE_FIXTURE(FakeLoop, "service: is made once, and destroyed when the loop closes") {
  static int alive = 0;
  struct Service {
    explicit Service(EventLoop&) { ++alive; }
    ~Service() { --alive; }
  };
  CHECK(&loop.service<Service>() == &loop.service<Service>());
  CHECK(alive == 1);
  loop.close();
  CHECK(alive == 0);
}

TEST_CASE_FIXTURE(FakeLoop,
                  "service: those made later go first, and may still use the earlier ones") {
  static std::string order;
  order.clear();
  struct Base {
    explicit Base(EventLoop&) {}
    ~Base() { order += "base "; }
    std::string name = "base";
  };
  struct User {
    explicit User(EventLoop& its_loop) : base(its_loop.service<Base>()), loop(its_loop) {}
    ~User() { order += "user-of-" + loop.service<Base>().name + " "; }
    Base& base;
    EventLoop& loop;
  };
  loop.service<User>();
  loop.close();
  CHECK(order == "user-of-base base ");
}

TEST_CASE_FIXTURE(FakeLoop, "service: one that the destructor of another asks for goes as well") {
  static int made;
  static int alive;
  made = alive = 0;
  struct Late {
    explicit Late(EventLoop&) {
      ++made;
      ++alive;
    }
    ~Late() { --alive; }
  };
  struct Early {
    explicit Early(EventLoop& its_loop) : loop(its_loop) {}
    ~Early() { loop.service<Late>(); }
    EventLoop& loop;
  };
  loop.service<Early>();
  loop.close();
  CHECK(made == 1);
  CHECK(alive == 0);
}

TEST_CASE_FIXTURE(FakeLoop,
                  "executor: jobs that have not started are dropped when the loop closes") {
  const auto captured = std::make_shared<int>();
  kernel.set_jobs_per_wait(0);
  loop.default_executor().submit([this, captured] { trace += "job "; });
  loop.close();
  CHECK(kernel.queued_jobs() == 0);
  CHECK(captured.use_count() == 1);
  CHECK(trace == "");
}

// ---- What outlives it

TEST_CASE("token: names the loop until that is destroyed") {
  FakeKernel kernel;
  std::optional<EventLoop> loop(std::in_place, kernel);
  const detail::Ref<detail::LoopToken> token = loop->token();
  CHECK(token->loop == &*loop);
  loop->close();
  CHECK(token->loop == &*loop);
  loop.reset();
  CHECK(token->loop == nullptr);
}

TEST_SUITE_END();

// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include <weir/reactor/poison.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task.hpp>

#include <tests/net/net_loop.hpp>

using namespace weir;
using weir::test::NetLoop;
using weir::test::Recorder;

TEST_SUITE_BEGIN("net/transport_gather");

// ---- When what was gathered leaves

TEST_CASE_FIXTURE(NetLoop, "gather: the small writes of one event leave in one send") {
  const Link link = this->link();
  link.protocol->on_data = [&] {
    for (int i = 0; i < 100; ++i) link.transport->write("answer ");
    CHECK(link.transport->get_write_buffer_size() == 700);
    CHECK(kernel.take(link.peer) == "");
  };
  kernel.put(link.peer, "question");
  calls.reset();
  run();
  CHECK(kernel.take(link.peer).size() == 700);
  CHECK(calls.count(Call::send) == 1);
}

TEST_CASE_FIXTURE(
    NetLoop,
    "gather: the writes of what an event wakes leave with its own, before the next descriptor") {
  const Link one = link();
  const Link other = link();
  std::string seen_by_other;
  one.protocol->on_data = [&] {
    one.transport->write("1");
    loop.call_soon([&] {
      one.transport->write("2");
      loop.call_soon([&] { one.transport->write("3"); });
    });
  };
  other.protocol->on_data = [&] { seen_by_other = kernel.take(one.peer); };
  kernel.put(one.peer, "x");
  kernel.put(other.peer, "x");
  calls.reset();
  run();
  CHECK(seen_by_other == "123");
  CHECK(calls.count(Call::send) == 1);
}

TEST_CASE_FIXTURE(NetLoop, "gather: the writes of a pass leave at its end") {
  const Link link = this->link();
  calls.reset();
  loop.call_soon([&] { link.transport->write("a"); });
  loop.call_soon([&] { link.transport->write("b"); });
  pass();
  CHECK(kernel.take(link.peer) == "ab");
  CHECK(calls.count(Call::send) == 1);
}

TEST_CASE_FIXTURE(NetLoop, "gather: what connection_made writes leaves in the same pass") {
  const auto protocol = std::make_shared<Recorder>();
  protocol->on_made = [&] { protocol->transport->write("hello"); };
  const Link link = start(protocol);
  pass();
  CHECK(kernel.take(link.peer) == "hello");
}

TEST_CASE_FIXTURE(NetLoop, "gather: a coroutine that awaits the answer to what it wrote gets it") {
  const Link link = this->link();
  const Future<> answered = loop.create_future<void>();
  link.protocol->on_data = [&] { answered.set_result(); };
  const auto ask = [](Transport& transport, Future<> answer) -> Coro<> {
    transport.write("question");
    co_await answer;
  };
  loop.call_later(std::chrono::seconds(1), [&] {
    if (kernel.take(link.peer) == "question") kernel.put(link.peer, "answer");
  });
  loop.run_until_complete(ask(*link.transport, answered));
  CHECK(link.protocol->trace == "made data(answer) ");
}

TEST_CASE_FIXTURE(NetLoop, "gather: a write while no loop runs leaves before the loop waits") {
  const Link link = this->link();
  link.transport->write("outside");
  std::string arrived_before_first_wait = "never asked";
  kernel.set_ready_filter([&](std::vector<Ready>&) {
    arrived_before_first_wait = kernel.take(link.peer);
    kernel.set_ready_filter(nullptr);
  });
  loop.call_later(std::chrono::hours(1), [&] { loop.stop(); });
  loop.run_forever();
  CHECK(arrived_before_first_wait == "outside");
}

TEST_CASE_FIXTURE(NetLoop, "gather: stop() in the same callback loses nothing") {
  const Link link = this->link();
  loop.call_soon([&] {
    link.transport->write("last words");
    loop.stop();
  });
  loop.run_forever();
  CHECK(kernel.take(link.peer) == "last words");
}

TEST_CASE_FIXTURE(NetLoop, "gather: closing the loop sends what a stopped one has gathered") {
  const Link link = this->link();
  link.transport->write("last words");
  loop.close();
  CHECK(kernel.take(link.peer) == "last words");
  CHECK(kernel.at_eof(link.peer));
}

// ---- What goes at once

TEST_CASE_FIXTURE(NetLoop, "gather: 16 KiB go at once, one byte less waits") {
  const Link link = this->link();
  in_loop([&] {
    link.transport->write(std::string(16 * 1024 - 1, 'x'));
    CHECK(kernel.take(link.peer) == "");
  });
  CHECK(kernel.take(link.peer).size() == 16 * 1024 - 1);
  in_loop([&] {
    link.transport->write(std::string(16 * 1024, 'x'));
    CHECK(kernel.take(link.peer).size() == 16 * 1024);
  });
}

TEST_CASE_FIXTURE(NetLoop, "gather: a large write takes what was gathered with it, in one send") {
  const Link link = this->link();
  calls.reset();
  in_loop([&] {
    link.transport->write("small ");
    link.transport->write(std::string(20'000, 'L'));
    CHECK(kernel.take(link.peer) == "small " + std::string(20'000, 'L'));
  });
  CHECK(calls.count(Call::send) == 1);
}

TEST_CASE_FIXTURE(
    NetLoop,
    "gather: a write that would pass the high mark is sent first, and pauses only if it must") {
  const Link link = this->link();
  link.transport->set_write_buffer_limits(100);
  in_loop([&] {
    link.transport->write(std::string(100, 'a'));
    CHECK(kernel.take(link.peer) == "");
    link.transport->write("b");
    CHECK(kernel.take(link.peer) == std::string(100, 'a') + "b");
  });
  CHECK(link.protocol->trace == "made ");
}

TEST_CASE_FIXTURE(NetLoop, "set_gather: false is one send a write, at once, as asyncio has it") {
  const Link link = this->link();
  link.transport->set_gather(false);
  calls.reset();
  in_loop([&] {
    link.transport->write("a");
    CHECK(kernel.take(link.peer) == "a");
    link.transport->writelines({"b", "c"});
    CHECK(kernel.take(link.peer) == "bc");
  });
  CHECK(calls.count(Call::send) == 2);
}

TEST_CASE_FIXTURE(
    NetLoop,
    "gather: what asyncio would have sent by now is sent before these calls do their part") {
  const auto next = Recorder::adopting();
  const std::vector<std::pair<const char*, std::function<void(Transport&)>>> sends = {
      {"close", [](Transport& t) { t.close(); }},
      {"abort", [](Transport& t) { t.abort(); }},
      {"write_eof", [](Transport& t) { t.write_eof(); }},
      {"set_gather(false)", [](Transport& t) { t.set_gather(false); }},
      {"set_protocol", [&](Transport& t) { t.set_protocol(next); }},
      {"get_extra_info(socket)", [](Transport& t) { t.get_extra_info("socket"); }},
      {"lower limits", [](Transport& t) { t.set_write_buffer_limits(0); }},
  };
  for (const auto& [name, call] : sends) {
    CAPTURE(name);
    const Link link = this->link();
    in_loop([&, &its_call = call] {
      link.transport->write("gathered");
      CHECK(kernel.take(link.peer) == "");
      its_call(*link.transport);
      CHECK(kernel.take(link.peer) == "gathered");
      CHECK(link.transport->get_write_buffer_size() == 0);
    });
    CHECK(kernel.take(link.peer) == "");
    link.transport->abort();
    run();
  }
}

TEST_CASE_FIXTURE(NetLoop, "gather: calls that send nothing leave it gathered") {
  const Link link = this->link();
  in_loop([&] {
    link.transport->write("gathered");
    link.transport->pause_reading();
    link.transport->resume_reading();
    link.transport->set_gather(true);
    link.transport->set_write_buffer_limits();
    link.transport->get_extra_info("peername");
    link.transport->get_write_buffer_size();
    CHECK(kernel.take(link.peer) == "");
  });
  CHECK(kernel.take(link.peer) == "gathered");
}

// ---- When the socket does not take it

TEST_CASE_FIXTURE(NetLoop, "gather: while the socket is full, writes wait for it and try nothing") {
  const Link link = narrow_link(1);
  in_loop([&] { link.transport->write("ab"); });
  calls.reset();
  in_loop([&] {
    for (int i = 0; i < 10; ++i) link.transport->write("c");
    link.transport->write(std::string(20'000, 'd'));
  });
  CHECK(calls.count(Call::send) == 0);
  CHECK(link.transport->get_write_buffer_size() == 20'011);
}

TEST_CASE_FIXTURE(NetLoop,
                  "gather: a failing send ends the connection when the event has been drained") {
  const Link link = this->link();
  kernel.script(Call::send, {.error = ECONNRESET});
  link.protocol->on_data = [&] {
    link.transport->write("x");
    CHECK_FALSE(link.transport->is_closing());
  };
  kernel.put(link.peer, "data");
  run();
  CHECK(link.protocol->trace == "made data(data) lost([Errno 104] Connection reset by peer) ");
}

TEST_CASE_FIXTURE(NetLoop,
                  "gather: a close, or an abort, whose last send fails ends with that error") {
  for (const bool abort : {false, true}) {
    CAPTURE(abort);
    const Link link = this->link();
    in_loop([&] {
      link.transport->write("x");
      kernel.script(Call::send, {.error = EPIPE});
      abort ? link.transport->abort() : link.transport->close();
    });
    CHECK(link.protocol->trace == "made lost([Errno 32] Broken pipe) ");
  }
}

TEST_CASE_FIXTURE(
    NetLoop,
    "gather: what resume_writing writes while a close is flushing is sent before the end") {
  const Link link = narrow_link(8);
  link.transport->set_write_buffer_limits(10, 4);
  link.protocol->on_resume = [&] { link.transport->write("[last]"); };
  in_loop([&] {
    link.transport->write("0123456789abcdefghij");
    link.transport->close();
  });
  CHECK(take_all(link.peer) == "0123456789abcdefghij[last]");
  CHECK(link.protocol->trace == "made pause resume lost() ");
}

TEST_CASE_FIXTURE(
    NetLoop,
    "gather: what resume_writing writes during the flush may leave in one go, and then it ends") {
  const Link link = narrow_link(8);
  link.transport->set_write_buffer_limits(10, 4);
  link.protocol->on_resume = [&] { link.transport->write("[last]"); };
  in_loop([&] {
    link.transport->write("0123456789abcdefghij");
    link.transport->close();
  });
  kernel.set_capacity(fd_of(link), 1000);
  run();
  CHECK(link.protocol->trace == "made pause resume lost() ");
  CHECK(kernel.take(link.peer) == "0123456789abcdefghij[last]");
}

TEST_CASE_FIXTURE(
    NetLoop,
    "gather: bytes that wait for room are sent by the event that says so, by no other call") {
  const Link link = narrow_link(1);
  const auto next = Recorder::successor(*link.protocol);
  in_loop([&] { link.transport->write("abcdef"); });
  loop.call_soon([&] {
    kernel.take(link.peer);  // There is room now.
    calls.reset();
    link.transport->get_extra_info("socket");
    link.transport->set_protocol(next);
    link.transport->set_gather(false);
    link.transport->set_write_buffer_limits(100);
    link.transport->write_eof();
    link.transport->close();
    CHECK(calls.count(Call::send) == 0);
    link.transport->abort();
    CHECK(calls.count(Call::send) == 0);
  });
  run();
  CHECK(next->trace == "lost() ");
}

TEST_CASE_FIXTURE(NetLoop, "gather: bytes that wait for room leave the thread's block to others") {
  detail::WriteBuffer probe;
  probe.append("x");
  const void* const block = probe.bytes().data();
  probe.clear();
  const Link link = narrow_link(1);
  SUBCASE("gathered") {
    in_loop([&] { link.transport->write("abcdef"); });
  }
  SUBCASE("sent at once") {
    link.transport->set_gather(false);
    in_loop([&] { link.transport->write("abcdef"); });
  }
  CHECK(link.transport->get_write_buffer_size() != 0);
  probe.append("x");
  CHECK((probe.bytes().data() == block || detail::poisons));
}

// ---- Order

TEST_CASE_FIXTURE(NetLoop, "writelines: pieces arrive in order, among writes of every size") {
  for (const std::size_t capacity : {std::size_t{1'000'000}, std::size_t{1000}, std::size_t{3}}) {
    CAPTURE(capacity);
    const Link link = narrow_link(capacity);
    std::string expected;
    in_loop([&] {
      for (int i = 0; i < 20; ++i) {
        const std::string small = "<" + std::to_string(i) + ">";
        const std::string large(static_cast<std::size_t>(i * 1000), static_cast<char>('a' + i));
        link.transport->write(small);
        link.transport->writelines({large, "", small, large});
        link.transport->write(large);
        expected += small + large + small + large + large;
      }
    });
    kernel.set_capacity(fd_of(link), 5000);
    CHECK(take_all(link.peer) == expected);
  }
}

// libuv 9fbcca048: 1025 pieces in one sendmsg() are EINVAL.
TEST_CASE_FIXTURE(NetLoop,
                  "B43: 5000 pieces of a writelines arrive whole, gathered or not, in few sends") {
  std::vector<std::string> texts;
  std::string expected;
  for (int i = 0; i < 5000; ++i) {
    texts.push_back(std::to_string(i) + (i % 100 == 0 ? std::string(100, '.') : ","));
    expected += texts.back();
  }
  for (const bool gather : {true, false}) {
    CAPTURE(gather);
    std::vector<std::string_view> pieces(texts.begin(), texts.end());
    pieces[7] = std::string_view();  // Without an address.
    const Link link = this->link();
    link.transport->set_gather(gather);
    calls.reset();
    in_loop([&] { link.transport->writelines(pieces); });
    std::string without = expected;
    without.erase(expected.find("7,"), 2);
    CHECK(kernel.take(link.peer) == without);
    CHECK(calls.count(Call::send) <= 2);
  }
}

// Pieces may be the same memory many times over: on 32 bits four of 1 GiB add up to 0.
TEST_CASE_FIXTURE(NetLoop, "B51: pieces that add up to more than there can be are not begun") {
  const volatile std::size_t half = SIZE_MAX / 2 + 1;  // Volatile: compilers see through it.
  const std::string_view claims("x", half);            // Nothing of it is read.
  const Link link = this->link();
  in_loop([&] {
    link.transport->write("before ");
    CHECK_THROWS_AS(link.transport->writelines({claims, claims}), std::bad_alloc);
    CHECK_THROWS_AS(link.transport->writelines({"abc", claims, claims, "def"}), std::bad_alloc);
    link.transport->write("after");
  });
  CHECK(kernel.take(link.peer) == "before after");
}

// cpython#155888: an empty last piece stayed queued, and close() never ended.
TEST_CASE_FIXTURE(NetLoop, "B40: empty writes anywhere neither arrive nor hold up the close") {
  for (const std::size_t capacity : {std::size_t{100}, std::size_t{1}}) {
    CAPTURE(capacity);
    const Link link = narrow_link(capacity);
    link.transport->set_gather(false);
    in_loop([&] {
      link.transport->write("");  // The first of all, too.
      link.transport->writelines({"", std::string_view()});
      link.transport->writelines({"", "a", "", "", "b", std::string_view()});
      link.transport->writelines({"c", ""});
      link.transport->write("");
      link.transport->close();
    });
    CHECK(take_all(link.peer) == "abc");
    CHECK(link.protocol->trace == "made lost() ");
  }
}

TEST_SUITE_END();

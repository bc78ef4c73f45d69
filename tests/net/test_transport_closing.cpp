// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tests/net/net_loop.hpp>

using namespace weir;
using namespace std::chrono_literals;
using weir::test::error_of;
using weir::test::NetLoop;
using weir::test::Recorder;

TEST_SUITE_BEGIN("net/transport_closing");

// ---- close

// CPython: test_selector_events.py SelectorTransportTests.test_close
TEST_CASE_FIXTURE(NetLoop, "close: connection_lost(null) comes later, not inside the call") {
  const Link link = this->link();
  in_loop([&] {
    link.transport->close();
    CHECK(link.transport->is_closing());
    CHECK(link.protocol->trace == "made ");
  });
  CHECK(link.protocol->trace == "made lost() ");
  CHECK_FALSE(link.protocol->error);
  CHECK(kernel.at_eof(link.peer));
}

TEST_CASE_FIXTURE(NetLoop,
                  "close: as often as one likes, before and after the end, it is one end") {
  const Link link = this->link();
  in_loop([&] {
    for (int i = 0; i < 3; ++i) link.transport->close();
  });
  link.transport->close();
  link.transport->abort();
  run();
  CHECK(link.protocol->trace == "made lost() ");
  CHECK(calls.count(Call::close) == 1);
}

// CPython: test_selector_events.py SelectorTransportTests.test_close_write_buffer
TEST_CASE_FIXTURE(NetLoop,
                  "close: what was written is sent first, and the end comes after the last byte") {
  const Link link = narrow_link(3);
  in_loop([&] {
    link.transport->write("abcdefg");
    link.transport->close();
  });
  kernel.take(link.peer);
  run();
  CHECK(link.protocol->trace == "made ");
  CHECK_FALSE(kernel.at_eof(link.peer));
  CHECK(take_all(link.peer) == "defg");
  CHECK(link.protocol->trace == "made lost() ");
  CHECK(kernel.at_eof(link.peer));
}

TEST_CASE_FIXTURE(NetLoop, "close: data that arrives from now on is not delivered") {
  const Link link = narrow_link(1);
  in_loop([&] {
    link.transport->write("ab");
    link.transport->close();
  });
  kernel.put(link.peer, "too late");
  run(1h);
  CHECK(link.protocol->trace == "made ");
  CHECK(busy_polls == 0);
  kernel.take(link.peer);
  run();
  CHECK(link.protocol->trace == "made lost() ");
}

TEST_CASE_FIXTURE(NetLoop, "close: a peer that dies during the flush makes the end an error") {
  const Link link = narrow_link(1);
  in_loop([&] {
    link.transport->write("ab");
    link.transport->close();
  });
  kernel.reset(link.peer);
  run();
  CHECK(link.protocol->trace == "made lost([Errno 104] Connection reset by peer) ");
}

// asyncio calls it inside the writability callback: gh-156512 came of that.
TEST_CASE_FIXTURE(NetLoop, "close: after a flush, too, connection_lost comes on a fresh stack") {
  const Link link = narrow_link(1);
  link.transport->set_write_buffer_limits(0);
  std::string order;
  link.protocol->on_resume = [&] {
    order += "resume ";
    loop.call_soon([&] { order += "later "; });
  };
  link.protocol->on_lost = [&] { order += "lost "; };
  in_loop([&] {
    link.transport->write("ab");
    link.transport->close();
  });
  kernel.take(link.peer);
  run();
  CHECK(order == "resume later lost ");
}

// libuv callback_stack, uvloop d2deffe: what a callback does must not call the next one there and
// then. pause_writing is the exception, as it is in asyncio: write() itself makes it.
TEST_CASE_FIXTURE(NetLoop, "B46: whatever a callback does, no other is called inside it") {
  struct Act {
    const char* name;
    std::function<void(Transport&)> act;
  };
  const Act acts[] = {
      {"close", [](Transport& its) { its.close(); }},
      {"abort", [](Transport& its) { its.abort(); }},
      {"write and close",
       [](Transport& its) {
         its.write(std::string(1000, 'x'));
         its.close();
       }},
      {"write into a broken connection",
       [this](Transport& its) {
         kernel.script(Call::send, {.error = EPIPE});
         its.write(std::string(20'000, 'x'));
       }},
      {"pause and resume",
       [](Transport& its) {
         its.pause_reading();
         its.resume_reading();
       }},
  };
  using Slot = std::function<void()> Recorder::*;
  const Slot slots[] = {&Recorder::on_made, &Recorder::on_data, &Recorder::on_eof,
                        &Recorder::on_pause, &Recorder::on_resume};
  int ran = 0;
  for (const Slot slot : slots) {
    for (const Act& act : acts) {
      CAPTURE(act.name);
      const Link link = start();
      kernel.set_capacity(fd_of(link), 10);
      link.transport->set_write_buffer_limits(100, 50);
      Recorder& protocol = *link.protocol;
      bool done = false;
      protocol.*slot = [&] {
        if (std::exchange(done, true)) return;
        const std::string before = protocol.trace;
        act.act(*link.transport);
        const std::string heard = protocol.trace.substr(before.size());
        const bool nothing_else = heard.empty() || heard == "pause ";
        CHECK(nothing_else);
        ++ran;
      };
      in_loop([&] { link.transport->write(std::string(200, 'w')); });
      kernel.put(link.peer, "data");
      if (!protocol.lost()) kernel.set_capacity(fd_of(link), 1000);
      take_all(link.peer);
      kernel.put_eof(link.peer);
      run();
      link.transport->abort();
      run();
      kernel.clear(Call::send);
    }
  }
  CHECK(ran == 25);
}

// ---- abort

// CPython: test_selector_events.py SelectorTransportTests.test_abort, test_force_close
TEST_CASE_FIXTURE(NetLoop,
                  "abort: what the socket has not taken is thrown away, also during a flush") {
  for (const bool flushing : {false, true}) {
    CAPTURE(flushing);
    const Link link = narrow_link(3);
    in_loop([&] {
      link.transport->write("abcdefg");
      if (flushing) link.transport->close();
    });
    in_loop([&] {
      link.transport->abort();
      CHECK(link.transport->is_closing());
      CHECK(link.transport->get_write_buffer_size() == 0);
    });
    CHECK(link.protocol->trace == "made lost() ");
    CHECK(kernel.take(link.peer) == "abc");
    CHECK(kernel.at_eof(link.peer));
  }
}

TEST_CASE_FIXTURE(NetLoop, "abort: after an error the error stays") {
  const Link link = this->link();
  kernel.reset(link.peer);
  link.protocol->on_lost = [&] { link.transport->abort(); };
  loop.call_soon([&] { link.transport->abort(); });
  kernel.script(Call::send, {.error = EPIPE});
  in_loop([&] {
    link.transport->write(std::string(20'000, 'x'));
    link.transport->abort();
    link.transport->close();
  });
  CHECK(link.protocol->lost());
}

// ---- connection_lost

TEST_CASE_FIXTURE(NetLoop,
                  "connection_lost: the socket is still open in it, and closed right after") {
  const Link link = this->link();
  const TransportSocket socket = *link.transport->get_extra_info("socket").socket();
  int fd_in_callback = -1;
  link.protocol->on_lost = [&] { fd_in_callback = socket.fd(); };
  link.transport->close();
  run();
  CHECK(fd_in_callback >= 0);
  CHECK(socket.fd() == -1);
}

TEST_CASE_FIXTURE(NetLoop, "connection_lost: unregisters the socket before it is closed") {
  // The fake kernel notes a close() of a registered descriptor, and NetLoop fails for it.
  const Link link = this->link();
  CHECK(kernel.registered_fds().size() == 1);
  link.transport->close();
  run();
  CHECK(kernel.registered_fds().empty());
}

// CPython: test_selector_events.py SelectorTransportTests.test_connection_lost
TEST_CASE_FIXTURE(NetLoop,
                  "connection_lost: one that throws is reported, and everything is cleaned up") {
  const Link link = this->link();
  link.protocol->on_lost = [] { throw RuntimeError("no"); };
  link.transport->close();
  run();
  CHECK(take_report() ==
        "Exception in callback SocketTransport.connection_lost(...): RuntimeError: no");
  CHECK(kernel.at_eof(link.peer));
  CHECK(link.transport->get_protocol() == nullptr);
}

TEST_CASE_FIXTURE(NetLoop,
                  "connection_lost: after it, transport and protocol let go of each other") {
  std::weak_ptr<Transport> transport;
  std::weak_ptr<Recorder> protocol;
  {
    const Link link = this->link();
    transport = link.transport;
    protocol = link.protocol;
    link.transport->close();
  }
  CHECK_FALSE(protocol.expired());  // The loop has them until then.
  protocol.lock()->transport = nullptr;
  run();
  CHECK(transport.expired());
  CHECK(protocol.expired());
}

TEST_CASE_FIXTURE(NetLoop, "set_protocol: once the connection is lost, nothing is kept") {
  const Link link = this->link();
  const auto next = Recorder::successor(*link.protocol);
  link.protocol->on_lost = [&] { link.transport->set_protocol(next); };
  link.transport->close();
  run();
  link.transport->set_protocol(next);
  CHECK(link.transport->get_protocol() == nullptr);
  CHECK(next->trace == "");
  CHECK(next.use_count() == 1);
}

TEST_CASE_FIXTURE(NetLoop, "set_protocol: the one that calls it is there until it has returned") {
  Link link = this->link();
  const std::weak_ptr<Recorder> before = link.protocol;
  const auto next = Recorder::successor(*link.protocol);
  bool was_there = false;
  link.protocol->on_data = [&] {
    link.transport->set_protocol(next);
    was_there = !before.expired();
  };
  link.protocol = nullptr;
  kernel.put(link.peer, "x");
  run();
  CHECK(was_there);
  CHECK(before.expired());
}

TEST_CASE_FIXTURE(NetLoop, "Transport: the last handle may go inside any callback") {
  for (const std::string word : {"made", "data", "eof", "lost"}) {
    CAPTURE(word);
    const auto protocol = std::make_shared<Recorder>();
    const auto let_go = [its = protocol.get()] { its->transport = nullptr; };
    (word == "made"   ? protocol->on_made
     : word == "data" ? protocol->on_data
     : word == "eof"  ? protocol->on_eof
                      : protocol->on_lost) = let_go;
    const int peer = start(protocol).peer;
    kernel.put(peer, "data");
    kernel.put_eof(peer);
    run();
    CHECK(protocol->trace == "made data(data) eof lost() ");
  }
}

// ---- The descriptor

TEST_CASE_FIXTURE(
    NetLoop, "add_reader: a transport's descriptor is refused, and free again when it has ended") {
  const Link link = this->link();
  const int fd = fd_of(link);
  const std::string text = "RuntimeError: File descriptor " + std::to_string(fd) +
                           " is used by transport " + link.transport->repr();
  CHECK(error_of([&] { loop.add_reader(fd, [] {}); }) == text);
  CHECK(error_of([&] { loop.add_writer(fd, [] {}); }) == text);
  CHECK(error_of([&] { loop.remove_reader(fd); }) == text);
  CHECK(error_of([&] { loop.remove_writer(fd); }) == text);
  link.transport->pause_reading();
  CHECK(error_of([&] { loop.add_reader(fd, [] {}); }) == text);
  link.transport->close();
  run();
  int fds[2];
  REQUIRE(kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
  REQUIRE(fds[0] == fd);
  loop.add_reader(fd, [] {});
  CHECK(loop.remove_reader(fd));
  CHECK(kernel.close(fds[0]) == 0);
  CHECK(kernel.close(fds[1]) == 0);
}

// libuv bbccafbe7 and others: an event that was reported for a descriptor that has been closed
// since.
TEST_CASE_FIXTURE(
    NetLoop, "close: an event reported before it does not reach the next owner of the number") {
  const Link one = link();
  const Link other = link();
  const int fd = fd_of(other);
  std::optional<Link> next;
  one.protocol->on_data = [&] {
    other.transport->abort();
    loop.call_soon([&] { next = start(); });  // After connection_lost: takes the free number.
  };
  kernel.put(one.peer, "1");
  kernel.put(other.peer, "2");
  run();
  REQUIRE(next);
  CHECK(fd_of(*next) == fd);
  CHECK(next->protocol->trace == "made ");
  CHECK(other.protocol->trace == "made lost() ");
}

// ---- The loop

TEST_CASE_FIXTURE(NetLoop,
                  "EventLoop::close: every connection hears connection_lost(null), and is closed") {
  std::vector<Link> links;
  for (int i = 0; i < 10; ++i) links.push_back(link());
  const Link unmade = start();
  kernel.set_capacity(fd_of(links[1]), 1);
  links[1].transport->write("does not all leave");
  links[2].transport->pause_reading();
  links[3].transport->close();
  links[4].transport->write_eof();
  loop.close();
  for (const Link& link : links) CHECK(link.protocol->trace.ends_with("lost() "));
  CHECK(unmade.protocol->trace == "made lost() ");
  CHECK(fds_of_ours().empty());
}

TEST_CASE_FIXTURE(NetLoop,
                  "EventLoop::close: a connection that is made in connection_lost ends, too") {
  const Link link = this->link();
  std::optional<Link> next;
  link.protocol->on_lost = [&] { next = start(); };
  loop.close();
  REQUIRE(next);
  CHECK(next->protocol->trace == "made lost() ");
}

TEST_CASE_FIXTURE(NetLoop, "Transport: one that outlives its loop does nothing, harmlessly") {
  FakeKernel other_kernel;
  std::optional<EventLoop> other_loop(std::in_place, other_kernel);
  int fds[2];
  REQUIRE(other_kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
  std::vector<std::string> other_logged;
  other_loop->set_log_sink(
      [&](LogLevel, std::string_view text) { other_logged.emplace_back(text); });
  const auto protocol = std::make_shared<Recorder>();
  const std::shared_ptr<Transport> transport = detail::SocketTransport::start(
      *other_loop, Socket(other_kernel, fds[0]), protocol, Endpoint(), nullptr, {});
  for (const bool destroyed : {false, true}) {
    other_loop->close();
    if (destroyed) other_loop.reset();
    transport->pause_reading();
    transport->resume_reading();
    for (int i = 0; i < (destroyed ? 10 : 3); ++i) transport->write("x");
    transport->writelines({"x"});
    transport->set_gather(false);
    transport->set_write_buffer_limits(1);
    transport->set_protocol(protocol);
    transport->close();
    transport->abort();
    transport->write_eof();
    CHECK(transport->is_closing());
    CHECK_FALSE(transport->is_reading());
    CHECK(transport->get_protocol() == nullptr);
    CHECK(transport->get_write_buffer_size() == 0);
    CHECK(transport->get_extra_info("socket").socket()->fd() == -1);
    CHECK(transport->repr().starts_with("<SocketTransport closed"));
    if (destroyed) break;
  }
  CHECK(protocol->trace == "made lost() ");
  CHECK(other_logged.empty());  // The fifth one, which is warned of, was without a loop.
}

TEST_SUITE_END();

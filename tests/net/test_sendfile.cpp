// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <weir/net/sendfile.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/task.hpp>

#include <tests/net/net_loop.hpp>

using namespace weir;
using weir::test::error_of;
using weir::test::NetLoop;
using weir::test::Recorder;

namespace {

using Sending = Task<std::int64_t>;

std::string pattern(std::size_t bytes) {
  std::string text(bytes, ' ');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

struct WithFile : NetLoop {
  /// Starts to send the file, and runs.
  Sending send(const Link& link, const SendfileOptions& options = {}) {
    Sending task = loop.create_task(sendfile(link.transport, file, options));
    run();
    return task;
  }
  std::string outcome_of(const Sending& task) {
    if (!task.done()) return "pending";
    return error_of([&] { static_cast<void>(task.result()); });
  }

  std::string contents = pattern(1000);
  int file = theirs(kernel.add_file(contents));
};

/// What the real sendfile() says when the peer has closed.
IoResult send_to_nobody() {
  std::FILE* const made = std::tmpfile();
  REQUIRE(made != nullptr);
  REQUIRE(std::fputs("contents", made) >= 0);
  REQUIRE(std::fflush(made) == 0);
  int fds[2];
  REQUIRE(Kernel::posix().socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
  REQUIRE(Kernel::posix().close(fds[1]) == 0);
  const IoResult said = Kernel::posix().sendfile(fds[0], ::fileno(made), 0, 8);
  REQUIRE(Kernel::posix().close(fds[0]) == 0);
  std::fclose(made);
  return said;
}

}  // namespace

TEST_SUITE_BEGIN("net/sendfile");

// ---- What is sent

// CPython: test_sendfile.py test_sendfile
TEST_CASE_FIXTURE(WithFile, "sendfile: the whole file, without a read or a write of ours") {
  const Link link = this->link();
  const auto sends = calls.count(Call::send);
  const Sending task = send(link);
  CHECK(take_all(link.peer) == contents);
  CHECK(task.result() == 1000);
  CHECK(calls.count(Call::pread) == 0);
  CHECK(calls.count(Call::send) == sends);
}

// CPython: test_sendfile.py test_sendfile_for_sock_...partial
TEST_CASE_FIXTURE(WithFile, "sendfile: offset and count choose a part, which ends with the file") {
  for (const bool native : {true, false}) {
    CAPTURE(native);
    if (!native) kernel.fail_always(Call::sendfile, EINVAL);
    const Link link = this->link();
    const Sending part = send(link, {.offset = 100, .count = 20});
    CHECK(take_all(link.peer) == contents.substr(100, 20));
    CHECK(part.result() == 20);
    const Sending rest = send(link, {.offset = 990, .count = 500});
    CHECK(take_all(link.peer) == contents.substr(990));
    CHECK(rest.result() == 10);
    const Sending beyond = send(link, {.offset = 5000});
    CHECK(take_all(link.peer) == "");
    CHECK(beyond.result() == 0);
  }
}

// CPython: test_sendfile.py test_sendfile_pre_and_post_data
TEST_CASE_FIXTURE(WithFile,
                  "sendfile: what was written before comes before it, after it after it") {
  for (const bool native : {true, false}) {
    CAPTURE(native);
    if (!native) kernel.fail_always(Call::sendfile, ENOSYS);
    const Link link = narrow_link(7);
    link.transport->write("before-and-before");
    const Sending task = send(link);
    CHECK_FALSE(task.done());
    CHECK(take_all(link.peer) == "before-and-before" + contents);
    CHECK(task.result() == 1000);
    link.transport->write("after");
    CHECK(take_all(link.peer) == "after");
  }
}

TEST_CASE_FIXTURE(WithFile,
                  "sendfile: a socket that is full is waited for, one call for each event") {
  const Link link = narrow_link(300);
  const Sending task = send(link);
  CHECK(calls.count(Call::sendfile) == 1);
  CHECK_FALSE(task.done());
  CHECK(take_all(link.peer) == contents);
  CHECK(task.result() == 1000);
  CHECK(calls.count(Call::sendfile) == 5);  // Four parts, and the end.
}

TEST_CASE_FIXTURE(WithFile, "sendfile: a count that is reached needs no other event") {
  const Link link = narrow_link(300);
  const Sending task = send(link, {.count = 300});
  CHECK(task.result() == 300);
  CHECK(kernel.take(link.peer).size() == 300);
}

// ---- The fallback

// CPython: test_sendfile.py test_sendfile_fallback
TEST_CASE_FIXTURE(WithFile, "sendfile: what the system cannot send is read and written") {
  for (const int error : {ENOSYS, EINVAL, EOPNOTSUPP, ESPIPE}) {
    CAPTURE(error);
    contents = pattern(150'000);
    file = theirs(kernel.add_file(contents));
    kernel.script(Call::sendfile, {.error = error});
    const Link link = this->link();
    const Sending task = send(link);
    CHECK(take_all(link.peer) == contents);
    CHECK(task.result() == 150'000);
  }
}

// CPython: test_sendfile.py test_sendfile_no_fallback_for_fallback_transport
TEST_CASE_FIXTURE(WithFile, "sendfile: without the fallback that is an error") {
  kernel.script(Call::sendfile, {.error = EINVAL});
  const Link link = this->link();
  const Sending task = send(link, {.fallback = false});
  CHECK_THROWS_WITH_AS(task.result(), "os.sendfile call failed", SendfileNotAvailableError);
  CHECK_FALSE(link.transport->is_closing());
}

TEST_CASE_FIXTURE(WithFile, "sendfile: an error of the file is thrown, the connection goes on") {
  SUBCASE("native") { kernel.script(Call::sendfile, {.error = EIO}); }
  SUBCASE("fallback") {
    kernel.script(Call::sendfile, {.error = EINVAL});
    kernel.script(Call::pread, {.error = EIO});
  }
  const Link link = this->link();
  const Sending task = send(link);
  CHECK(outcome_of(task) == "OSError: [Errno 5] Input/output error");
  CHECK(link.transport->is_reading());
  link.transport->write("on");
  CHECK(take_all(link.peer) == "on");
}

TEST_CASE_FIXTURE(WithFile, "sendfile: the fallback is no way out once something was sent") {
  const Link link = narrow_link(300);
  const Sending task = send(link);
  kernel.script(Call::sendfile, {.error = EINVAL});
  CHECK(take_all(link.peer).size() == 300);
  CHECK(outcome_of(task) == "OSError: [Errno 22] Invalid argument");
}

// ---- Meanwhile

TEST_CASE_FIXTURE(WithFile, "sendfile: meanwhile every kind of write is refused") {
  const Link link = narrow_link(300);
  const Sending task = send(link);
  Transport& transport = *link.transport;
  CHECK(error_of([&] { transport.write("x"); }) ==
        "RuntimeError: unable to write; sendfile is in progress");
  CHECK(error_of([&] { transport.writelines({"x", "y"}); }) ==
        "RuntimeError: unable to writelines; sendfile is in progress");
  CHECK(error_of([&] { transport.write_eof(); }) ==
        "RuntimeError: unable to write_eof; sendfile is in progress");
  const Sending second = send(link);
  CHECK(outcome_of(second) == "RuntimeError: unable to sendfile; sendfile is in progress");
  CHECK(take_all(link.peer) == contents);
  CHECK(task.result() == 1000);
  CHECK(error_of([&] { transport.write("x"); }) == "nothing");
}

TEST_CASE_FIXTURE(WithFile,
                  "sendfile: nothing is received until it ends, unless nothing was before") {
  for (const bool was_reading : {true, false}) {
    CAPTURE(was_reading);
    const Link link = narrow_link(300);
    if (!was_reading) link.transport->pause_reading();
    kernel.put(link.peer, "hello");
    const Sending task = loop.create_task(sendfile(link.transport, file));
    pass();
    pass();
    CHECK_FALSE(link.transport->is_reading());
    CHECK(take_all(link.peer) == contents);
    CHECK(task.done());
    CHECK(link.transport->is_reading() == was_reading);
    CHECK((link.protocol->received == "hello") == was_reading);
  }
}

// CPython: test_sendfile.py test_sendfile_close_peer_in_the_middle_of_receiving
TEST_CASE_FIXTURE(WithFile, "sendfile: a peer that goes away meanwhile is an error") {
  const Link link = narrow_link(300);
  const Sending task = send(link);
  kernel.reset(link.peer);
  run();
  CHECK_THROWS_AS(task.result(), ConnectionError);
}

TEST_CASE_FIXTURE(WithFile, "sendfile: an error that ended the connection is what it throws") {
  const Link link = this->link();
  std::optional<Sending> task;
  const auto start = [&] { task = loop.create_task(sendfile(link.transport, file)); };
  SUBCASE("before it began") {
    start();
    kernel.script(Call::send, {.error = EPIPE});
    link.transport->write(std::string(100'000, 'x'));
  }
  SUBCASE("of what was written before") {
    in_loop([&] {
      kernel.script(Call::send, {.error = EPIPE});
      link.transport->write("gathered");
      start();
    });
  }
  SUBCASE("of a block of the fallback") {
    kernel.script(Call::sendfile, {.error = EINVAL});
    kernel.script(Call::send, {.error = EPIPE});
    start();
  }
  run();
  CHECK(link.protocol->lost());
  CHECK(outcome_of(*task) == "BrokenPipeError: [Errno 32] Broken pipe");
}

TEST_CASE_FIXTURE(WithFile, "sendfile: pause_reading meanwhile holds after it") {
  const Link link = narrow_link(300);
  const Sending task = send(link);
  link.transport->pause_reading();
  kernel.put(link.peer, "hello");
  CHECK(take_all(link.peer) == contents);
  CHECK(task.done());
  CHECK(link.protocol->received.empty());
  link.transport->resume_reading();
  run();
  CHECK(link.protocol->received == "hello");
}

TEST_CASE_FIXTURE(WithFile, "sendfile: resume_reading meanwhile takes effect after it") {
  const Link link = narrow_link(300);
  link.transport->pause_reading();
  const Sending task = send(link);
  kernel.put(link.peer, "hello");
  link.transport->resume_reading();
  run();
  CHECK_FALSE(link.transport->is_reading());
  CHECK(link.protocol->received.empty());
  CHECK(take_all(link.peer) == contents);
  CHECK(task.done());
  CHECK(link.protocol->received == "hello");
}

TEST_CASE_FIXTURE(WithFile, "sendfile: close and abort meanwhile end it with ConnectionError") {
  for (const bool native : {true, false}) {
    for (const bool aborts : {true, false}) {
      CAPTURE(native);
      CAPTURE(aborts);
      if (!native) kernel.fail_always(Call::sendfile, EINVAL);
      const Link link = narrow_link(300);
      const Sending task = send(link);
      aborts ? link.transport->abort() : link.transport->close();
      CHECK(take_all(link.peer).size() == (native || aborts ? 300 : 1000));
      CHECK(outcome_of(task) == "ConnectionError: Connection is closed by peer");
      CHECK(link.protocol->trace == "made lost() ");
    }
  }
}

TEST_CASE_FIXTURE(WithFile, "sendfile: cancelled, it gives everything back") {
  const Link link = narrow_link(300);
  const Sending task = send(link);
  task.cancel();
  run();
  CHECK(task.cancelled());
  CHECK(link.transport->is_reading());
  CHECK(calls.count(Call::sendfile) == 1);
  link.transport->write("after");
  CHECK(take_all(link.peer) == contents.substr(0, 300) + "after");
  CHECK(busy_polls < 10);  // Room that nobody waits for is not reported.
}

TEST_CASE_FIXTURE(WithFile, "sendfile: cancelled and aborted at once, it is cancelled") {
  for (const bool cancel_first : {true, false}) {
    CAPTURE(cancel_first);
    const Link link = narrow_link(300);
    const Sending task = send(link);
    if (cancel_first) task.cancel();
    link.transport->abort();
    if (!cancel_first) task.cancel();
    run();
    CHECK(task.cancelled());
    CHECK(link.protocol->trace == "made lost() ");
  }
}

// ---- What is refused

// CPython: test_sendfile.py test_sendfile_on_closing_transport
TEST_CASE_FIXTURE(WithFile, "sendfile: a transport that is closing is refused") {
  const Link link = this->link();
  link.transport->close();
  CHECK(error_of([&] { static_cast<void>(sendfile(link.transport, file)); }) ==
        "RuntimeError: Transport is closing");
  run();
}

TEST_CASE_FIXTURE(WithFile, "sendfile: one that closes before the task starts is told") {
  const Link link = this->link();
  const Sending task = loop.create_task(sendfile(link.transport, file));
  link.transport->close();
  run();
  CHECK(outcome_of(task) == "ConnectionError: Connection is closed by peer");
}

TEST_CASE_FIXTURE(WithFile, "sendfile: after write_eof there is nothing to send on") {
  const Link link = this->link();
  link.transport->write_eof();
  CHECK(outcome_of(send(link)) == "RuntimeError: Cannot call sendfile() after write_eof()");
}

// CPython: test_sendfile.py test_nonint_count, test_negative_count, test_negative_offset
TEST_CASE_FIXTURE(WithFile,
                  "sendfile: a count that is not positive, a negative offset are refused") {
  const Link link = this->link();
  const auto refusal = [&](const SendfileOptions& options) {
    return error_of([&] { static_cast<void>(sendfile(link.transport, file, options)); });
  };
  CHECK(refusal({.count = 0}) == "ValueError: count must be a positive integer (got 0)");
  CHECK(refusal({.count = -1}) == "ValueError: count must be a positive integer (got -1)");
  CHECK(refusal({.offset = -1}) == "ValueError: offset must be a non-negative integer (got -1)");
}

// ---- The real kernel

TEST_CASE("sendfile: 3 MiB over a real socket arrive whole, and the file's position stays") {
  const std::string contents = pattern(3 * 1024 * 1024);
  std::FILE* const made = std::tmpfile();
  REQUIRE(made != nullptr);
  REQUIRE(std::fwrite(contents.data(), 1, contents.size(), made) == contents.size());
  REQUIRE(std::fflush(made) == 0);
  const off_t position = ::lseek(::fileno(made), 0, SEEK_CUR);
  int fds[2];
  REQUIRE(Kernel::posix().socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
  {
    EventLoop loop;
    const auto ours = std::make_shared<Recorder>();
    const auto theirs = std::make_shared<Recorder>();
    const auto from = detail::SocketTransport::start(loop, Socket(Kernel::posix(), fds[0]), ours,
                                                     Endpoint(), nullptr, {});
    detail::SocketTransport::start(loop, Socket(Kernel::posix(), fds[1]), theirs, Endpoint(),
                                   nullptr, {});
    CHECK(loop.run_until_complete(sendfile(from, ::fileno(made))) == 3 * 1024 * 1024);
    theirs->on_lost = [&] { loop.stop(); };
    from->close();
    loop.run_forever();
    CHECK(theirs->received == contents);
    theirs->calm_down();
    loop.close();
  }
  CHECK(::lseek(::fileno(made), 0, SEEK_CUR) == position);
  std::fclose(made);
}

TEST_CASE("sendfile: a real peer that is gone is EPIPE, and no signal") {
  CHECK(send_to_nobody().error == EPIPE);
}

TEST_CASE("sendfile: who blocks SIGPIPE finds it pending afterwards just if it was before") {
  sigset_t pipe;
  sigset_t before;
  sigset_t pending;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  REQUIRE(::pthread_sigmask(SIG_BLOCK, &pipe, &before) == 0);
  for (const bool was_pending : {false, true}) {
    CAPTURE(was_pending);
    if (was_pending) REQUIRE(::raise(SIGPIPE) == 0);
    CHECK(send_to_nobody().error == EPIPE);
    REQUIRE(::sigpending(&pending) == 0);
    CHECK((sigismember(&pending, SIGPIPE) == 1) == was_pending);
  }
  const timespec at_once{};
  CHECK(::sigtimedwait(&pipe, nullptr, &at_once) == SIGPIPE);
  REQUIRE(::pthread_sigmask(SIG_SETMASK, &before, nullptr) == 0);
}

TEST_SUITE_END();

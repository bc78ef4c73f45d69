// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include <weir/reactor/sim/counting_kernel.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>

using namespace std::chrono_literals;
using weir::Call;
using weir::CountingKernel;
using weir::FakeKernel;
using weir::Interest;
using weir::Kernel;
using weir::Ready;

namespace {

weir::IoResult send_text(Kernel& kernel, int fd, std::string text) {
  const iovec buffer{text.data(), text.size()};
  return kernel.send(fd, {&buffer, 1});
}

/// A fake kernel that counts, with a connection and a poller. Nothing is counted yet.
struct Rig {
  Rig() {
    REQUIRE(kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
    kernel.reset();
  }
  FakeKernel fake;
  CountingKernel kernel{fake};
  std::unique_ptr<weir::Poller> poller = kernel.make_poller();
  int fds[2] = {-1, -1};
};

}  // namespace

TEST_SUITE_BEGIN("reactor/counting_kernel");

TEST_CASE("to_string: every call has its name") {
  CHECK(weir::to_string(Call::now) == "now");
  CHECK(weir::to_string(Call::getaddrinfo) == "getaddrinfo");
  CHECK(weir::to_string(Call::poller_wait) == "poller_wait");
  CHECK(weir::to_string(Call::executor_submit) == "executor_submit");
}

TEST_CASE("CountingKernel: every call is counted once, under its own name") {
  FakeKernel fake;
  CountingKernel kernel(fake);
  const auto poller = kernel.make_poller();
  const auto executor = kernel.make_executor(1);
  int fds[2];
  std::uint32_t length = 0;
  std::vector<Ready> ready;
  addrinfo* list = nullptr;
  int system_error = 0;
  kernel.now();
  kernel.socketpair(AF_UNIX, SOCK_STREAM, fds);
  const int fd = static_cast<int>(kernel.socket(AF_INET, SOCK_STREAM, 0).value);
  kernel.bind(fd, nullptr, 0);
  kernel.connect(fd, nullptr, 0);
  kernel.listen(fd, 1);
  kernel.accept(fd, nullptr, nullptr);
  send_text(kernel, fds[0], "x");
  kernel.recv(fds[1], {});
  kernel.sendfile(fds[0], -1, 0, 1);
  kernel.pread(-1, {}, 0);
  kernel.shutdown(fds[0], SHUT_WR);
  kernel.set_nonblocking(fd);
  kernel.getsockopt(fd, 0, 0, nullptr, &length);
  kernel.setsockopt(fd, 0, 0, "", 0);
  kernel.getsockname(fd, nullptr, &length);
  kernel.getpeername(fd, nullptr, &length);
  struct stat status{};
  kernel.stat("/none", &status);
  kernel.unlink("/none");
  kernel.getaddrinfo("127.0.0.1", "80", nullptr, &list, &system_error);
  kernel.freeaddrinfo(list);
  kernel.signal_action(SIGINT, nullptr, nullptr);
  poller->set(fd, 1, Interest::none);
  poller->wait(0ns, ready);
  poller->wake();
  executor->submit([] {});
  kernel.close(fd);
  for (std::size_t i = 0; i < weir::call_count; ++i) {
    const auto call = static_cast<Call>(i);
    INFO(weir::to_string(call));
    CHECK(kernel.count(call) == 1);
  }
}

TEST_CASE("CountingKernel: the answers are those of the kernel behind it") {
  FakeKernel fake;
  CountingKernel kernel(fake);
  fake.advance(1h);
  CHECK(kernel.now() == FakeKernel::start + 1h);
  fake.script(Call::socket, {.error = EMFILE});
  CHECK(kernel.socket(AF_INET, SOCK_STREAM, 0).error == EMFILE);
  CHECK(kernel.socket(AF_INET, SOCK_STREAM, 0).value == 3);
  CHECK(kernel.close(99) == EBADF);
  CHECK(kernel.make_poller()->name() == std::string("fake"));
}

TEST_CASE("CountingKernel: bytes are counted as they move, not as they were offered") {
  Rig rig;
  rig.fake.set_capacity(rig.fds[0], 3);
  send_text(rig.kernel, rig.fds[0], "abcdef");
  send_text(rig.kernel, rig.fds[0], "def");  // EAGAIN
  rig.fake.script(Call::send, {.value = 5, .error = EIO});
  send_text(rig.kernel, rig.fds[0], "def");
  CHECK(rig.kernel.bytes_sent() == 3);
  char bytes[2];
  const iovec buffer{bytes, sizeof bytes};
  rig.kernel.recv(rig.fds[1], {&buffer, 1});
  CHECK(rig.kernel.bytes_received() == 2);
  CHECK(rig.kernel.count(Call::send) == 3);
}

TEST_CASE("CountingKernel: a set that changes nothing is no system call") {
  Rig rig;
  rig.poller->set(rig.fds[0], 1, Interest::none);
  CHECK(rig.kernel.total_system_calls() == 0);
  rig.poller->set(rig.fds[0], 1, Interest::read);
  rig.poller->set(rig.fds[0], 1, Interest::read);
  CHECK(rig.kernel.total_system_calls() == 1);
  rig.poller->set(rig.fds[0], 2, Interest::read);
  rig.poller->set(rig.fds[0], 2, Interest::read_write);
  rig.poller->set(rig.fds[0], 2, Interest::none);
  rig.poller->set(rig.fds[0], 2, Interest::none);
  CHECK(rig.kernel.total_system_calls() == 4);
  CHECK(rig.kernel.count(Call::poller_set) == 7);
}

TEST_CASE("CountingKernel: a set that the kernel refused is a system call every time") {
  Rig rig;
  rig.fake.fail_always(Call::poller_set, ENOMEM);
  rig.poller->set(rig.fds[0], 1, Interest::read);
  rig.poller->set(rig.fds[0], 1, Interest::read);
  CHECK(rig.kernel.total_system_calls() == 2);
}

TEST_CASE("CountingKernel: a descriptor that was closed is registered anew") {
  Rig rig;
  rig.poller->set(rig.fds[0], 1, Interest::read);
  rig.fake.close(rig.fds[0]);
  CHECK(rig.poller->set(rig.fds[0], 2, Interest::read) == EBADF);
  REQUIRE(rig.fake.socket(AF_UNIX, SOCK_STREAM, 0).value == rig.fds[0]);
  rig.poller->set(rig.fds[0], 1, Interest::read);
  CHECK(rig.kernel.total_system_calls() == 3);
}

TEST_CASE("CountingKernel: poll(2) is told everything anew, so a change costs nothing") {
  const char* const before = ::getenv("WEIR_POLLER");
  const std::string choice = before != nullptr ? before : "";
  ::setenv("WEIR_POLLER", "poll", 1);
  CountingKernel kernel(Kernel::posix());
  const auto poller = kernel.make_poller();
  ::setenv("WEIR_POLLER", choice.c_str(), 1);
  int fds[2];
  REQUIRE(kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
  kernel.reset();
  poller->set(fds[0], 1, Interest::read);  // It looks whether the descriptor can be watched.
  CHECK(kernel.total_system_calls() == 1);
  poller->set(fds[0], 2, Interest::read_write);
  poller->set(fds[0], 2, Interest::none);
  CHECK(kernel.total_system_calls() == 1);
  for (const int fd : fds) kernel.close(fd);
}

TEST_CASE("CountingKernel: a wake-up is a write and a read, however often it is repeated") {
  Rig rig;
  for (int i = 0; i < 5; ++i) rig.poller->wake();
  CHECK(rig.kernel.count(Call::poller_wake) == 5);
  CHECK(rig.kernel.total_system_calls() == 2);
  std::vector<Ready> ready;
  rig.poller->wait(0ns, ready);
  CHECK(rig.kernel.total_system_calls() == 3);
  rig.poller->wake();
  CHECK(rig.kernel.total_system_calls() == 5);
}

TEST_CASE("CountingKernel: the clock and what a library hides are no system calls") {
  Rig rig;
  rig.kernel.now();
  addrinfo* list = nullptr;
  int system_error = 0;
  rig.kernel.getaddrinfo("127.0.0.1", "80", nullptr, &list, &system_error);
  rig.kernel.freeaddrinfo(list);
  rig.kernel.make_executor(1)->submit([] {});
  CHECK(rig.kernel.total_system_calls() == 0);
  CHECK(rig.kernel.count(Call::now) == 1);
}

TEST_CASE("CountingKernel: a wait, a recv and a send are three system calls") {
  Rig rig;
  std::vector<Ready> ready;
  rig.poller->wait(0ns, ready);
  rig.kernel.recv(rig.fds[0], {});
  send_text(rig.kernel, rig.fds[0], "x");
  CHECK(rig.kernel.total_system_calls() == 3);
}

TEST_CASE("CountingKernel: reset starts again from nothing") {
  Rig rig;
  send_text(rig.kernel, rig.fds[0], "x");
  rig.poller->wake();
  rig.kernel.reset();
  CHECK(rig.kernel.count(Call::send) == 0);
  CHECK(rig.kernel.bytes_sent() == 0);
  CHECK(rig.kernel.total_system_calls() == 0);
}

TEST_SUITE_END();

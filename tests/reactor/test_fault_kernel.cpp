// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

#include <weir/reactor/error.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/sim/fault_kernel.hpp>

using namespace weir;
using namespace std::chrono_literals;

namespace {

/// Two connected descriptors, and a kernel that fails.
struct Faulty {
  Faulty() { REQUIRE(machine.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0); }

  IoResult receive(std::size_t room) {
    char bytes[64];
    const iovec buffer{bytes, room};
    const IoResult got = kernel.recv(fds[0], std::span(&buffer, 1));
    if (got.ok()) received.append(bytes, static_cast<std::size_t>(got.value));
    return got;
  }
  IoResult send(std::string first, std::string second) {
    const iovec pieces[] = {{first.data(), first.size()}, {second.data(), second.size()}};
    return kernel.send(fds[0], pieces);
  }
  /// What a wait reports, as "3/1 r": descriptor, generation, readable, writable.
  std::vector<std::string> wait(Poller& poller) {
    std::vector<Ready> found;
    error = poller.wait(Duration::zero(), found);
    std::vector<std::string> told;
    for (const Ready& event : found) {
      told.push_back(std::to_string(event.fd) + "/" + std::to_string(event.generation) + " " +
                     (event.readable ? "r" : "") + (event.writable ? "w" : ""));
    }
    return told;
  }

  FakeKernel machine;
  FaultKernel kernel{machine};
  int fds[2];
  int error = 0;
  std::string received;
};

using Events = std::vector<std::string>;

}  // namespace

TEST_SUITE_BEGIN("reactor/sim/fault_kernel");

TEST_CASE_FIXTURE(Faulty, "fault: strikes the call that it was planned for, and no other") {
  kernel.plan({.call = Call::recv, .value = ECONNRESET, .number = 2});
  machine.put(fds[1], "abc");
  CHECK(receive(1).ok());
  CHECK(receive(1).error == ECONNRESET);
  CHECK(receive(1).ok());
  CHECK(received == "ab");
  CHECK(kernel.struck() == 1);
  CHECK(kernel.count(Call::recv) == 3);
}

TEST_CASE_FIXTURE(Faulty, "fault: from then on, each time; and time passes") {
  kernel.plan({.call = Call::recv, .value = EAGAIN, .times = Fault::always});
  const TimePoint before = kernel.now();
  for (int i = 0; i < 5; ++i) CHECK(receive(1).error == EAGAIN);
  CHECK(kernel.struck() == 5);
  CHECK(kernel.now() - before == 50ms);
}

TEST_CASE_FIXTURE(Faulty, "fault: so many times") {
  kernel.plan({.call = Call::recv, .value = EINTR, .times = 2});
  machine.put(fds[1], "abc");
  CHECK(receive(1).error == EINTR);
  CHECK(receive(1).error == EINTR);
  CHECK(receive(1).ok());
}

TEST_CASE_FIXTURE(Faulty, "one_byte, half: as much is moved, over the buffers, and not more") {
  kernel.plan({.call = Call::send, .kind = FaultKind::half});
  CHECK(send("abc", "def").value == 3);
  kernel.plan({.call = Call::send, .kind = FaultKind::one_byte, .number = 2});
  CHECK(send("xyz", "").value == 1);
  CHECK(machine.take(fds[1]) == "abcx");
}

TEST_CASE_FIXTURE(Faulty, "end: the stream is said to be over, what is there stays there") {
  kernel.plan({.call = Call::recv, .kind = FaultKind::end});
  machine.put(fds[1], "abc");
  CHECK(receive(8).value == 0);
  CHECK(receive(8).value == 3);
}

TEST_CASE_FIXTURE(Faulty, "close: closes all the same") {
  kernel.plan({.call = Call::close, .value = EIO});
  CHECK(kernel.close(fds[0]) == EIO);
  CHECK(machine.open_fds() == std::vector<int>{fds[1]});
}

TEST_CASE_FIXTURE(Faulty, "done_yet: the connection is made, and said not to be yet") {
  machine.listen_on(80);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(80);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* its = reinterpret_cast<const sockaddr*>(&address);
  const int fd = static_cast<int>(kernel.socket(AF_INET, SOCK_STREAM, 0).value);
  kernel.plan({.call = Call::connect, .kind = FaultKind::done_yet, .value = EINPROGRESS});
  CHECK(kernel.connect(fd, its, sizeof address) == EINPROGRESS);
  CHECK(kernel.connect(fd, its, sizeof address) == EISCONN);
}

TEST_CASE_FIXTURE(Faulty, "where: a fault of another option, or another family, does not strike") {
  kernel.plan({.call = Call::getsockopt,
               .kind = FaultKind::pending,
               .value = ETIMEDOUT,
               .times = Fault::always,
               .where = FaultWhere::so_error});
  int value = 0;
  std::uint32_t length = sizeof value;
  CHECK(kernel.getsockopt(fds[0], SOL_SOCKET, SO_TYPE, &value, &length) == 0);
  CHECK(value == SOCK_STREAM);
  CHECK(kernel.struck() == 0);
  CHECK(kernel.getsockopt(fds[0], SOL_SOCKET, SO_ERROR, &value, &length) == 0);
  CHECK(value == ETIMEDOUT);
  CHECK(kernel.struck() == 1);
}

TEST_CASE_FIXTURE(Faulty, "getaddrinfo: fails, finds nothing, or takes its time") {
  addrinfo* list = nullptr;
  int system_error = 0;
  const auto look_up = [&] {
    return kernel.getaddrinfo("localhost", "80", nullptr, &list, &system_error);
  };
  kernel.plan({.call = Call::getaddrinfo, .kind = FaultKind::resolver, .value = EAI_AGAIN});
  CHECK(look_up() == EAI_AGAIN);
  kernel.plan({.call = Call::getaddrinfo, .value = EMFILE, .number = 2});
  CHECK(look_up() == EAI_SYSTEM);
  CHECK(system_error == EMFILE);
  kernel.plan({.call = Call::getaddrinfo, .kind = FaultKind::no_answer, .number = 3});
  CHECK(look_up() == 0);
  CHECK(list == nullptr);
  kernel.plan({.call = Call::getaddrinfo, .kind = FaultKind::slow, .number = 4});
  const TimePoint before = kernel.now();
  CHECK(look_up() == 0);
  CHECK(list != nullptr);
  CHECK(kernel.now() - before == 30s);
  kernel.freeaddrinfo(list);
}

TEST_CASE_FIXTURE(Faulty, "now: late, early, and frozen for a thousand looks") {
  const TimePoint start = FakeKernel::start;
  kernel.plan({.call = Call::now, .kind = FaultKind::late, .number = 1});
  CHECK(kernel.now() == start + 1h);
  CHECK(kernel.now() == start);
  kernel.plan({.call = Call::now, .kind = FaultKind::early, .number = 3});
  CHECK(kernel.now() == start - 1s);
  kernel.plan({.call = Call::now, .kind = FaultKind::frozen, .number = 4});
  CHECK(kernel.now() == start);
  machine.advance(5s);
  for (int i = 0; i < 999; ++i) CHECK(kernel.now() == start);
  CHECK(kernel.now() == start + 5s);
}

TEST_CASE_FIXTURE(Faulty, "poller: reports what is not there, too often, or not at all") {
  const std::unique_ptr<Poller> poller = kernel.make_poller();
  REQUIRE(poller->set(fds[0], 7, Interest::read) == 0);
  const auto plan = [&](FaultKind kind, int value = 0) {
    kernel.plan({.call = Call::poller_wait,
                 .kind = kind,
                 .value = value,
                 .number = kernel.count(Call::poller_wait) + 1});
  };
  const std::string real = std::to_string(fds[0]) + "/7 r";
  plan(FaultKind::spurious);
  CHECK(wait(*poller) == Events{real});
  CHECK(wait(*poller) == Events{});
  plan(FaultKind::hang_up);
  CHECK(wait(*poller) == Events{real});
  plan(FaultKind::stale);
  CHECK(wait(*poller) == Events{std::to_string(fds[0]) + "/6 r"});
  machine.put(fds[1], "x");
  plan(FaultKind::twice);
  CHECK(wait(*poller) == Events{real, real});
  plan(FaultKind::withheld);
  CHECK(wait(*poller) == Events{});
  plan(FaultKind::interrupted);
  CHECK(wait(*poller) == Events{});
  CHECK(error == 0);
  plan(FaultKind::error, EBADF);
  CHECK(wait(*poller) == Events{});
  CHECK(error == EBADF);
  CHECK(wait(*poller) == Events{real});
}

TEST_CASE_FIXTURE(Faulty, "poller: what it refuses is not watched; forgetting cannot fail") {
  const std::unique_ptr<Poller> poller = kernel.make_poller();
  kernel.plan({.call = Call::poller_set, .value = ENOSPC, .times = Fault::always});
  CHECK(poller->set(fds[0], 1, Interest::read) == ENOSPC);
  CHECK(machine.registered_fds() == std::vector<int>{});
  CHECK(poller->set(fds[0], 1, Interest::none) == 0);
}

TEST_CASE_FIXTURE(Faulty, "executor: is refused, or refuses a job") {
  kernel.plan({.call = Call::make_executor, .value = EAGAIN});
  CHECK_THROWS_AS(kernel.make_executor(1), OSError);
  const std::unique_ptr<Executor> executor = kernel.make_executor(1);
  kernel.plan({.call = Call::executor_submit, .kind = FaultKind::no_thread});
  CHECK_THROWS_WITH_AS(executor->submit([] {}), "can't start new thread", RuntimeError);
  executor->submit([] {});
  CHECK(machine.queued_jobs() == 1);
}

TEST_SUITE_END();

// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <weir/reactor/error.hpp>
#include <weir/reactor/kernel.hpp>
#include <weir/reactor/poller/poller.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/unique_fd.hpp>

#include <tests/reactor/back_ends.hpp>

using namespace std::chrono_literals;
using weir::Duration;
using weir::FakeKernel;
using weir::Interest;
using weir::Kernel;
using weir::Poller;
using weir::Ready;
using weir::UniqueFd;

namespace {

/// A back end, and the kernel whose descriptors it watches.
struct Rig {
  std::unique_ptr<FakeKernel> fake;  // Null: the real one.
  Kernel& kernel;
  std::unique_ptr<Poller> poller;

  explicit Rig(std::unique_ptr<Poller> real) : kernel(Kernel::posix()), poller(std::move(real)) {}
  explicit Rig(std::unique_ptr<FakeKernel> its_fake)
      : fake(std::move(its_fake)), kernel(*fake), poller(kernel.make_poller()) {}

  std::vector<Ready> wait(std::optional<Duration> timeout) {
    std::vector<Ready> ready;
    REQUIRE(poller->wait(timeout, ready) == 0);
    return ready;
  }
  std::vector<Ready> look() { return wait(0ns); }

  void send(int fd, std::string text) {
    const iovec buffer{text.data(), text.size()};
    REQUIRE(kernel.send(fd, {&buffer, 1}).value == static_cast<std::ptrdiff_t>(text.size()));
  }
  std::size_t recv(int fd) {
    char bytes[64];
    const iovec buffer{bytes, sizeof bytes};
    return static_cast<std::size_t>(kernel.recv(fd, {&buffer, 1}).value);
  }
};

/// Two connected sockets. Unregister before this goes away.
struct Pair {
  explicit Pair(Rig& rig) {
    int fds[2];
    REQUIRE(rig.kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
    ours = UniqueFd(rig.kernel, fds[0]);
    theirs = UniqueFd(rig.kernel, fds[1]);
  }
  UniqueFd ours;
  UniqueFd theirs;
};

struct Pipe {
  Pipe() {
    int fds[2];
    REQUIRE(::pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    reader = UniqueFd(Kernel::posix(), fds[0]);
    writer = UniqueFd(Kernel::posix(), fds[1]);
  }
  UniqueFd reader;
  UniqueFd writer;
};

void with_real_back_ends(const std::function<void(Rig&)>& claim) {
  for (const BackEnd& back_end : back_ends()) {
    Rig rig(back_end.make());
    INFO(rig.poller->name());
    claim(rig);
  }
}

void with_every_back_end(const std::function<void(Rig&)>& claim) {
  with_real_back_ends(claim);
  Rig rig(std::make_unique<FakeKernel>());
  INFO("fake");
  claim(rig);
}

bool same(const std::vector<Ready>& found, const std::vector<Ready>& wanted) {
  return std::equal(found.begin(), found.end(), wanted.begin(), wanted.end(),
                    [](const Ready& a, const Ready& b) {
                      return a.fd == b.fd && a.generation == b.generation &&
                             a.readable == b.readable && a.writable == b.writable;
                    });
}

/// The number that the next descriptor gets.
int next_fd() {
  const int fd = ::dup(STDERR_FILENO);
  ::close(fd);
  return fd;
}

/// The epoll descriptor of this process.
int only_epoll_fd() {
  std::vector<int> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // The iterator's own descriptor is in the list.
    const auto target = std::filesystem::read_symlink(entry.path(), gone);
    if (target == "anon_inode:[eventpoll]") found.push_back(std::stoi(entry.path().filename()));
  }
  REQUIRE(found.size() == 1);
  return found[0];
}

extern "C" void ignore_signal(int) {}

}  // namespace

TEST_SUITE_BEGIN("reactor/poller");

TEST_CASE("Poller: bytes that have arrived make a descriptor readable") {
  with_every_back_end([](Rig& rig) {
    Pair pair(rig);
    REQUIRE(rig.poller->set(pair.ours.get(), 7, Interest::read) == 0);
    CHECK(rig.look().empty());
    rig.send(pair.theirs.get(), "x");
    CHECK(same(rig.look(), {{pair.ours.get(), 7, true, false}}));
    rig.poller->set(pair.ours.get(), 7, Interest::none);
  });
}

TEST_CASE("Poller: what is not consumed is reported again") {
  with_every_back_end([](Rig& rig) {
    Pair pair(rig);
    REQUIRE(rig.poller->set(pair.ours.get(), 1, Interest::read) == 0);
    rig.send(pair.theirs.get(), "x");
    CHECK(rig.look().size() == 1);
    CHECK(rig.look().size() == 1);
    CHECK(rig.recv(pair.ours.get()) == 1);
    CHECK(rig.look().empty());
    rig.poller->set(pair.ours.get(), 1, Interest::none);
  });
}

TEST_CASE("Poller: reading and writing are reported together, once for each descriptor") {
  with_every_back_end([](Rig& rig) {
    Pair pair(rig);
    rig.send(pair.theirs.get(), "x");
    REQUIRE(rig.poller->set(pair.ours.get(), 3, Interest::read_write) == 0);
    CHECK(same(rig.look(), {{pair.ours.get(), 3, true, true}}));
    rig.poller->set(pair.ours.get(), 3, Interest::none);
  });
}

TEST_CASE("Poller: only what was asked for is reported") {
  with_every_back_end([](Rig& rig) {
    Pair pair(rig);
    rig.send(pair.theirs.get(), "x");
    REQUIRE(rig.poller->set(pair.ours.get(), 3, Interest::write) == 0);
    CHECK(same(rig.look(), {{pair.ours.get(), 3, false, true}}));
    REQUIRE(rig.poller->set(pair.ours.get(), 3, Interest::read) == 0);
    CHECK(same(rig.look(), {{pair.ours.get(), 3, true, false}}));
    rig.poller->set(pair.ours.get(), 3, Interest::none);
  });
}

TEST_CASE("Poller: a full peer is not writable until it reads") {
  with_every_back_end([](Rig& rig) {
    Pair pair(rig);
    std::string block(4096, 'x');
    const iovec buffer{block.data(), block.size()};
    while (rig.kernel.send(pair.ours.get(), {&buffer, 1}).ok()) {
    }
    REQUIRE(rig.poller->set(pair.ours.get(), 1, Interest::write) == 0);
    CHECK(rig.look().empty());
    std::string room(1 << 20, 'x');
    const iovec all{room.data(), room.size()};
    while (rig.kernel.recv(pair.theirs.get(), {&all, 1}).ok()) {
    }
    CHECK(rig.look().size() == 1);
    rig.poller->set(pair.ours.get(), 1, Interest::none);
  });
}

TEST_CASE("B15: the generation comes back whole, all 32 bits of it") {
  with_every_back_end([](Rig& rig) {
    Pair pair(rig);
    for (const std::uint32_t generation : {0U, 1U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
      CAPTURE(generation);
      REQUIRE(rig.poller->set(pair.ours.get(), generation, Interest::write) == 0);
      CHECK(same(rig.look(), {{pair.ours.get(), generation, false, true}}));
    }
    rig.poller->set(pair.ours.get(), 0, Interest::none);
  });
}

TEST_CASE("Poller: after none nothing is reported, not even a hang-up") {
  with_every_back_end([](Rig& rig) {
    Pair pair(rig);
    REQUIRE(rig.poller->set(pair.ours.get(), 1, Interest::read_write) == 0);
    rig.send(pair.theirs.get(), "x");
    CHECK(rig.poller->set(pair.ours.get(), 1, Interest::none) == 0);
    CHECK(rig.look().empty());
    pair.theirs.reset();
    CHECK(rig.look().empty());
  });
}

TEST_CASE("Poller: what was forgotten can be registered again") {
  with_every_back_end([](Rig& rig) {
    Pair pair(rig);
    REQUIRE(rig.poller->set(pair.ours.get(), 1, Interest::write) == 0);
    REQUIRE(rig.poller->set(pair.ours.get(), 1, Interest::none) == 0);
    REQUIRE(rig.poller->set(pair.ours.get(), 2, Interest::write) == 0);
    CHECK(same(rig.look(), {{pair.ours.get(), 2, false, true}}));
    rig.poller->set(pair.ours.get(), 2, Interest::none);
  });
}

TEST_CASE("Poller: forgetting what it never knew succeeds") {
  with_every_back_end([](Rig& rig) {
    Pair pair(rig);
    CHECK(rig.poller->set(pair.ours.get(), 1, Interest::none) == 0);
    CHECK(rig.poller->set(9999, 1, Interest::none) == 0);
    CHECK(rig.poller->set(-1, 1, Interest::none) == 0);
  });
}

TEST_CASE("Poller: a hang-up with interest in reading is readable, and no more") {
  with_every_back_end([](Rig& rig) {
    Pair pair(rig);
    REQUIRE(rig.poller->set(pair.ours.get(), 1, Interest::read) == 0);
    pair.theirs.reset();
    CHECK(same(rig.look(), {{pair.ours.get(), 1, true, false}}));
    rig.poller->set(pair.ours.get(), 1, Interest::none);
  });
}

TEST_CASE("Poller: a hang-up with interest in writing is writable, and no more") {
  with_every_back_end([](Rig& rig) {
    Pair pair(rig);
    REQUIRE(rig.poller->set(pair.ours.get(), 1, Interest::write) == 0);
    pair.theirs.reset();
    CHECK(same(rig.look(), {{pair.ours.get(), 1, false, true}}));
    rig.poller->set(pair.ours.get(), 1, Interest::none);
  });
}

// The kernel reports this as a hang-up alone: nothing is there to be read.
TEST_CASE("Poller: the end of an empty pipe is readable") {
  with_real_back_ends([](Rig& rig) {
    Pipe pipe;
    REQUIRE(rig.poller->set(pipe.reader.get(), 1, Interest::read) == 0);
    CHECK(rig.look().empty());
    pipe.writer.reset();
    CHECK(same(rig.look(), {{pipe.reader.get(), 1, true, false}}));
    rig.poller->set(pipe.reader.get(), 1, Interest::none);
  });
}

// The kernel reports this as an error alone: a full pipe is not writable.
TEST_CASE("Poller: a full pipe without a reader is writable, so that write() names the error") {
  with_real_back_ends([](Rig& rig) {
    Pipe pipe;
    const std::string block(4096, 'x');
    while (::write(pipe.writer.get(), block.data(), block.size()) > 0) {
    }
    REQUIRE(rig.poller->set(pipe.writer.get(), 1, Interest::write) == 0);
    CHECK(rig.look().empty());
    pipe.reader.reset();
    CHECK(same(rig.look(), {{pipe.writer.get(), 1, false, true}}));
    rig.poller->set(pipe.writer.get(), 1, Interest::none);
  });
}

TEST_CASE("Poller: a half-closed peer is readable and still writable") {
  with_every_back_end([](Rig& rig) {
    Pair pair(rig);
    REQUIRE(rig.poller->set(pair.ours.get(), 1, Interest::read_write) == 0);
    REQUIRE(rig.kernel.shutdown(pair.theirs.get(), SHUT_WR) == 0);
    CHECK(same(rig.look(), {{pair.ours.get(), 1, true, true}}));
    rig.poller->set(pair.ours.get(), 1, Interest::none);
  });
}

TEST_CASE("Poller: a number closed and opened again reports for its new owner alone") {
  with_every_back_end([](Rig& rig) {
    Pair pair(rig);
    Pair other(rig);
    const int number = other.ours.get();
    REQUIRE(rig.poller->set(pair.ours.get(), 1, Interest::read) == 0);
    REQUIRE(rig.poller->set(number, 1, Interest::read) == 0);
    rig.send(pair.theirs.get(), "x");
    rig.send(other.theirs.get(), "x");
    REQUIRE(rig.look().size() == 2);

    // What a callback of the first descriptor may do, with the second still in the batch.
    rig.poller->set(number, 1, Interest::none);
    other.ours.reset();
    Pair newcomer(rig);
    REQUIRE(newcomer.ours.get() == number);
    REQUIRE(rig.poller->set(number, 2, Interest::read) == 0);
    CHECK(same(rig.look(), {{pair.ours.get(), 1, true, false}}));

    rig.send(newcomer.theirs.get(), "x");
    rig.poller->set(pair.ours.get(), 1, Interest::none);
    CHECK(same(rig.look(), {{number, 2, true, false}}));
    rig.poller->set(number, 2, Interest::none);
  });
}

TEST_CASE("Poller: a descriptor closed before it was unregistered is silent") {
  with_every_back_end([](Rig& rig) {
    Pair pair(rig);
    rig.send(pair.theirs.get(), "x");
    REQUIRE(rig.poller->set(pair.ours.get(), 1, Interest::read) == 0);
    pair.ours.reset();
    CHECK(rig.look().empty());
    const weir::TimePoint before = rig.kernel.now();
    CHECK(rig.wait(1ms).empty());
    CHECK(rig.kernel.now() - before >= 1ms);  // It does not end the wait either.
  });
}

TEST_CASE("Poller: a number closed behind its back can be registered again") {
  with_every_back_end([](Rig& rig) {
    for (const bool looks_between : {false, true}) {
      CAPTURE(looks_between);
      Pair pair(rig);
      const int number = pair.ours.get();
      REQUIRE(rig.poller->set(number, 1, Interest::read) == 0);
      pair.ours.reset();
      if (looks_between) CHECK(rig.look().empty());
      Pair newcomer(rig);
      REQUIRE(newcomer.ours.get() == number);
      CHECK(rig.poller->set(number, 2, Interest::write) == 0);
      CHECK(same(rig.look(), {{number, 2, false, true}}));
      rig.poller->set(number, 2, Interest::none);
    }
  });
}

TEST_CASE("Poller: a number that was closed meanwhile can be registered just as before") {
  with_every_back_end([](Rig& rig) {
    Pair pair(rig);
    const int number = pair.ours.get();
    REQUIRE(rig.poller->set(number, 1, Interest::write) == 0);
    pair.ours.reset();
    static_cast<void>(rig.poller->set(number, 2, Interest::write));  // EBADF, where it is noticed.
    Pair newcomer(rig);
    REQUIRE(newcomer.ours.get() == number);
    CHECK(rig.poller->set(number, 1, Interest::write) == 0);
    CHECK(same(rig.look(), {{number, 1, false, true}}));
    rig.poller->set(number, 1, Interest::none);
  });
}

// While a dup lives, the kernel keeps what was registered for a number that is closed.
TEST_CASE("Poller: a number that leads to its old file again takes the new generation") {
  with_real_back_ends([](Rig& rig) {
    Pair pair(rig);
    const int number = pair.ours.get();
    REQUIRE(rig.poller->set(number, 1, Interest::read) == 0);
    const UniqueFd dup(rig.kernel, ::dup(number));
    pair.ours.reset();
    CHECK(rig.poller->set(number, 1, Interest::none) == 0);
    REQUIRE(::dup2(dup.get(), number) == number);
    const UniqueFd again(rig.kernel, number);
    CHECK(rig.poller->set(number, 2, Interest::write) == 0);
    CHECK(same(rig.look(), {{number, 2, false, true}}));
    rig.poller->set(number, 2, Interest::none);
  });
}

TEST_CASE("Poller: a closed descriptor is EBADF") {
  with_every_back_end([](Rig& rig) {
    Pair pair(rig);
    const int number = pair.ours.get();
    pair.ours.reset();
    CHECK(rig.poller->set(number, 1, Interest::read) == EBADF);
    CHECK(rig.poller->set(-1, 1, Interest::read) == EBADF);
    CHECK(rig.poller->set(2'000'000'000, 1, Interest::read) == EBADF);
    CHECK(rig.look().empty());
  });
}

TEST_CASE("Poller: a regular file and a directory are EPERM") {
  with_real_back_ends([](Rig& rig) {
    char path[] = "/tmp/weir-poller-XXXXXX";
    const UniqueFd file(rig.kernel, ::mkstemp(path));
    ::unlink(path);
    const UniqueFd directory(rig.kernel, ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(file);
    REQUIRE(directory);
    CHECK(rig.poller->set(file.get(), 1, Interest::read) == EPERM);
    CHECK(rig.poller->set(directory.get(), 1, Interest::read) == EPERM);
    CHECK(rig.look().empty());
  });
}

TEST_CASE("Poller: forgetting one of several leaves the others with their generations") {
  with_every_back_end([](Rig& rig) {
    std::vector<Pair> pairs;
    for (std::uint32_t i = 0; i < 5; ++i) {
      pairs.emplace_back(rig);
      REQUIRE(rig.poller->set(pairs[i].ours.get(), i, Interest::write) == 0);
    }
    for (const std::uint32_t gone : {1U, 4U, 0U}) {
      rig.poller->set(pairs[gone].ours.get(), gone, Interest::none);
    }
    std::set<std::pair<int, std::uint32_t>> found;
    for (const Ready& ready : rig.look()) found.emplace(ready.fd, ready.generation);
    CHECK(found == std::set<std::pair<int, std::uint32_t>>{{pairs[2].ours.get(), 2},
                                                           {pairs[3].ours.get(), 3}});
    for (const std::uint32_t left : {2U, 3U}) {
      rig.poller->set(pairs[left].ours.get(), left, Interest::none);
    }
  });
}

TEST_CASE("Poller: more descriptors than fit into one batch are all seen in the end") {
  with_every_back_end([](Rig& rig) {
    constexpr std::size_t pair_count = 150;
    std::vector<Pair> pairs;
    std::set<int> waiting;
    for (std::size_t i = 0; i < pair_count; ++i) {
      pairs.emplace_back(rig);
      for (const int fd : {pairs[i].ours.get(), pairs[i].theirs.get()}) {
        REQUIRE(rig.poller->set(fd, 1, Interest::write) == 0);
        waiting.insert(fd);
      }
    }
    for (int waits = 0; waits < 3; ++waits) {
      for (const Ready& ready : rig.look()) waiting.erase(ready.fd);
    }
    CHECK(waiting.empty());
    for (const Pair& pair : pairs) {
      rig.poller->set(pair.ours.get(), 1, Interest::none);
      rig.poller->set(pair.theirs.get(), 1, Interest::none);
    }
  });
}

TEST_CASE("Poller: a wait adds to what the list holds already") {
  with_every_back_end([](Rig& rig) {
    Pair pair(rig);
    REQUIRE(rig.poller->set(pair.ours.get(), 1, Interest::write) == 0);
    std::vector<Ready> ready = {{99, 9, false, false}};
    REQUIRE(rig.poller->wait(0ns, ready) == 0);
    CHECK(same(ready, {{99, 9, false, false}, {pair.ours.get(), 1, false, true}}));
    rig.poller->set(pair.ours.get(), 1, Interest::none);
  });
}

TEST_CASE("Poller: a wait never ends before its time") {
  with_every_back_end([](Rig& rig) {
    for (const Duration timeout : {Duration(1ns), Duration(999us), Duration(1001us)}) {
      CAPTURE(timeout.count());
      const weir::TimePoint before = rig.kernel.now();
      CHECK(rig.wait(timeout).empty());
      CHECK(rig.kernel.now() - before >= timeout);
    }
  });
}

TEST_CASE("Poller: a time-out of zero or less looks and returns") {
  with_every_back_end([](Rig& rig) {
    CHECK(rig.wait(0ns).empty());
    CHECK(rig.wait(-1h).empty());
    CHECK(rig.wait(Duration::min()).empty());
  });
}

TEST_CASE("Poller: a wake-up ends the next wait, and is no descriptor of ours") {
  with_every_back_end([](Rig& rig) {
    rig.poller->wake();
    CHECK(rig.wait(std::nullopt).empty());
  });
}

TEST_CASE("Poller: a wake-up comes with what is ready, not instead of it") {
  with_every_back_end([](Rig& rig) {
    Pair pair(rig);
    REQUIRE(rig.poller->set(pair.ours.get(), 5, Interest::write) == 0);
    rig.poller->wake();
    CHECK(same(rig.wait(std::nullopt), {{pair.ours.get(), 5, false, true}}));
    rig.poller->set(pair.ours.get(), 5, Interest::none);
  });
}

TEST_CASE("Poller: a thousand wake-ups end one wait only") {
  with_every_back_end([](Rig& rig) {
    for (int i = 0; i < 1000; ++i) rig.poller->wake();
    CHECK(rig.wait(std::nullopt).empty());
    const weir::TimePoint before = rig.kernel.now();
    CHECK(rig.wait(2ms).empty());
    CHECK(rig.kernel.now() - before >= 2ms);
  });
}

TEST_CASE("Poller: a wake-up after a consumed one works again") {
  with_every_back_end([](Rig& rig) {
    for (int i = 0; i < 3; ++i) {
      rig.poller->wake();
      CHECK(rig.wait(std::nullopt).empty());
    }
  });
}

// libuv c5d570ddb, cpython#156054: a wake-up pipe that is full.
TEST_CASE("B16: a million wake-ups that nobody reads are one, and none after them is lost") {
  with_real_back_ends([](Rig& rig) {
    for (int i = 0; i < 1'000'000; ++i) rig.poller->wake();
    CHECK(rig.look().empty());
    const weir::TimePoint first = rig.kernel.now();
    CHECK(rig.wait(1ms).empty());
    CHECK(rig.kernel.now() - first >= 1ms);
    rig.poller->wake();
    const weir::TimePoint second = rig.kernel.now();
    CHECK(rig.wait(10s).empty());
    CHECK(rig.kernel.now() - second < 10s);
  });
}

TEST_CASE("Poller: wake keeps errno, as a signal handler must") {
  with_every_back_end([](Rig& rig) {
    errno = EDOM;
    rig.poller->wake();
    CHECK(errno == EDOM);
  });
}

TEST_CASE("Poller: another thread ends a wait that has no time-out" * doctest::timeout(10)) {
  with_real_back_ends([](Rig& rig) {
    std::thread waker([&rig] { rig.poller->wake(); });
    CHECK(rig.wait(std::nullopt).empty());
    waker.join();
  });
}

TEST_CASE("Poller: what a thread wrote before its wake is seen after the wait" *
          doctest::timeout(60)) {
  with_real_back_ends([](Rig& rig) {
    constexpr int rounds = 2000;
    int letter = 0;  // Not atomic: the wake-up alone carries it over.
    std::atomic<int> read = 0;
    std::thread writer([&] {
      for (int i = 1; i <= rounds; ++i) {
        letter = i;
        rig.poller->wake();
        read.wait(i - 1);  // Sleeps: on a busy machine, one that yields waits its turn again.
      }
    });
    int seen = 0;
    while (seen < rounds) {
      rig.wait(std::nullopt);
      seen = letter;
      read.store(seen);
      read.notify_one();
    }
    writer.join();
    CHECK(seen == rounds);
  });
}

TEST_CASE("Poller: wake-ups that race with waits are never lost" * doctest::timeout(10)) {
  with_real_back_ends([](Rig& rig) {
    constexpr int each = 5000;
    std::atomic<int> posted = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < each; ++i) {
          ++posted;
          rig.poller->wake();
        }
      });
    }
    // If one were lost, the last wait would never end.
    while (posted.load() < 2 * each) rig.wait(std::nullopt);
    for (std::thread& thread : threads) thread.join();
    CHECK(posted.load() == 2 * each);
  });
}

TEST_CASE("B18: a signal ends a poller's wait without an error" * doctest::timeout(10)) {
  struct sigaction action{};
  struct sigaction before{};
  action.sa_handler = ignore_signal;
  REQUIRE(::sigaction(SIGUSR1, &action, &before) == 0);
  with_real_back_ends([](Rig& rig) {
    std::atomic<bool> done = false;
    const pthread_t waiting = ::pthread_self();
    // Sent until one hits the wait: before and after it they do nothing.
    std::thread sender([&] {
      while (!done.load()) {
        ::pthread_kill(waiting, SIGUSR1);
        std::this_thread::yield();
      }
    });
    std::vector<Ready> ready;
    const int error = rig.poller->wait(std::nullopt, ready);
    done.store(true);
    sender.join();
    CHECK(error == 0);
    CHECK(ready.empty());
  });
  ::sigaction(SIGUSR1, &before, nullptr);
}

// The kernel has it the other way round: what it has told once stands in its list, before all news.
TEST_CASE("EpollPoller: who was told of least recently is told of first") {
  Rig rig(weir::make_epoll_poller());
  std::vector<Pair> pairs;
  for (std::uint32_t i = 0; i < 3; ++i) {
    pairs.emplace_back(rig);
    REQUIRE(rig.poller->set(pairs[i].ours.get(), i, Interest::read) == 0);
  }
  using Numbers = std::vector<std::uint32_t>;
  const auto told_when = [&](const Numbers& asked) {
    for (const std::uint32_t number : asked) rig.send(pairs[number].theirs.get(), "x");
    Numbers told;
    for (const Ready& ready : rig.look()) {
      told.push_back(ready.generation);
      rig.recv(ready.fd);
    }
    return told;
  };
  REQUIRE(told_when({0, 1}) == Numbers{0, 1});
  CHECK(told_when({0, 1, 2}) == Numbers{2, 0, 1});  // 2 is new.
  CHECK(told_when({0, 1, 2}) == Numbers{2, 0, 1});  // In the order in which they were told.
  CHECK(told_when({0}) == Numbers{0});
  CHECK(told_when({0, 1, 2}) == Numbers{2, 0, 1});  // A batch of one does not count.
  for (const Pair& pair : pairs) rig.poller->set(pair.ours.get(), 0, Interest::none);
}

TEST_CASE("EpollPoller: a number's old file and its new one are both told, batch for batch") {
  Rig rig(weir::make_epoll_poller());
  Pair old(rig);
  Pair next(rig);
  const int number = old.ours.get();
  REQUIRE(rig.poller->set(number, 1, Interest::write) == 0);
  const UniqueFd kept(rig.kernel, ::dup(number));  // Keeps the registration alive.
  REQUIRE(::dup2(next.ours.get(), number) == number);
  REQUIRE(rig.poller->set(number, 1, Interest::read_write) == 0);
  for (int batch = 0; batch < 3; ++batch) CHECK(rig.look().size() == 2);
  rig.poller->set(number, 1, Interest::none);
}

// With something else behind its descriptor, every epoll_ctl() fails.
TEST_CASE("EpollPoller: asking for what is registered already is no system call") {
  Rig rig(weir::make_epoll_poller());
  const int epoll_fd = only_epoll_fd();
  Pair pair(rig);
  REQUIRE(rig.poller->set(pair.ours.get(), 1, Interest::read) == 0);
  const UniqueFd epoll(rig.kernel, ::dup(epoll_fd));
  REQUIRE(::dup2(pair.theirs.get(), epoll_fd) == epoll_fd);
  CHECK(rig.poller->set(pair.ours.get(), 1, Interest::read) == 0);
  CHECK(rig.poller->set(pair.theirs.get(), 1, Interest::none) == 0);
  CHECK(rig.poller->set(pair.ours.get(), 2, Interest::read) == EINVAL);
  CHECK(rig.poller->set(pair.ours.get(), 1, Interest::write) == EINVAL);
  REQUIRE(::dup2(epoll.get(), epoll_fd) == epoll_fd);
  rig.poller->set(pair.ours.get(), 1, Interest::none);
}

TEST_CASE("make_poller functions: without descriptors they throw, and leave none open") {
  const int first = next_fd();
  for (const BackEnd& back_end : back_ends()) {
    INFO(back_end.name);
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    int failures = 0;
    for (int room = 0; room < 4; ++room) {  // Every step of the constructor fails once.
      const rlimit few{static_cast<rlim_t>(first + room), before.rlim_max};
      REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
      try {
        back_end.make();
      } catch (const weir::OSError& error) {
        if (error.code().value() == EMFILE) ++failures;
      }
      ::setrlimit(RLIMIT_NOFILE, &before);
      CHECK(next_fd() == first);
    }
    CHECK(failures >= 1);
    CHECK(failures <= 3);
  }
}

TEST_SUITE_END();

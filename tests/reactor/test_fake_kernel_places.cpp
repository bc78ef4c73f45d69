// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

#include <weir/reactor/sim/fake_kernel.hpp>

using namespace std::string_view_literals;
using weir::Call;
using weir::FakeKernel;

namespace {

constexpr const char* path = "/run/a.sock";

/// A kernel, and unix sockets of the program under test.
struct Places {
  struct Address {
    explicit Address(std::string_view name) {
      address.sun_family = AF_UNIX;
      std::memcpy(address.sun_path, name.data(), name.size());
      length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
    sockaddr_un address{};
    socklen_t length;
  };

  int open() { return static_cast<int>(kernel.socket(AF_UNIX, SOCK_STREAM, 0).value); }
  int bind(int fd, std::string_view name) {
    const Address address(name);
    return kernel.bind(fd, address.get(), address.length);
  }
  int connect(int fd, std::string_view name) {
    const Address address(name);
    return kernel.connect(fd, address.get(), address.length);
  }
  ino_t inode() {
    struct stat status{};
    REQUIRE(kernel.stat(path, &status) == 0);
    return status.st_ino;
  }

  FakeKernel kernel;
};

}  // namespace

TEST_SUITE_BEGIN("reactor/fake_kernel_places");

TEST_CASE_FIXTURE(Places, "bind: at a path makes a socket file, and replaces nothing") {
  struct stat status{};
  CHECK(kernel.stat(path, &status) == ENOENT);
  CHECK(bind(open(), path) == 0);
  CHECK(kernel.stat(path, &status) == 0);
  CHECK(S_ISSOCK(status.st_mode));
  CHECK(bind(open(), path) == EADDRINUSE);
  kernel.add_file("/etc/passwd", S_IFREG);
  CHECK(bind(open(), "/etc/passwd") == EADDRINUSE);
}

TEST_CASE_FIXTURE(Places, "close: leaves the file of a unix socket, with its inode") {
  const int fd = open();
  bind(fd, path);
  const ino_t before = inode();
  kernel.close(fd);
  CHECK(inode() == before);
  CHECK(connect(open(), path) == ECONNREFUSED);
}

TEST_CASE_FIXTURE(Places, "connect: a path without a file, and one that nobody listens at") {
  CHECK(connect(open(), path) == ENOENT);
  const int fd = open();
  bind(fd, path);
  CHECK(connect(open(), path) == ECONNREFUSED);
  kernel.listen(fd, 1);
  CHECK(connect(open(), path) == 0);
}

TEST_CASE_FIXTURE(Places, "connect: a path that was taken over leads to the new socket") {
  const int before = kernel.listen_on_path(path);
  CHECK(kernel.unlink(path) == 0);
  CHECK(connect(open(), path) == ENOENT);
  const int after = kernel.listen_on_path(path);
  CHECK(connect(open(), path) == 0);
  CHECK(kernel.accept_from(before) == -1);
  CHECK(kernel.accept_from(after) >= 0);
}

// Linux, unix(7) and measured: one more than listen() was told may wait.
TEST_CASE_FIXTURE(Places, "connect: a full backlog is EAGAIN, and the socket can try again") {
  const int listener = kernel.listen_on_path(path, 1);
  CHECK(connect(open(), path) == 0);
  CHECK(connect(open(), path) == 0);
  const int third = open();
  CHECK(connect(third, path) == EAGAIN);
  CHECK(kernel.dial_path(path) == -1);
  kernel.accept_from(listener);
  CHECK(connect(third, path) == 0);
}

TEST_CASE_FIXTURE(Places, "connect: to a unix socket is never in progress") {
  kernel.listen_on_path(path);
  kernel.set_connects(FakeKernel::Connects::held);
  CHECK(connect(open(), path) == 0);
}

TEST_CASE_FIXTURE(Places, "a path ends at its NUL, an abstract name is all its bytes and no file") {
  CHECK(bind(open(), "/run/a.sock\0more"sv) == 0);
  CHECK(kernel.has_file(path));
  CHECK(bind(open(), "\0name"sv) == 0);
  CHECK(bind(open(), "\0name\0"sv) == 0);
  CHECK(bind(open(), "\0name"sv) == EADDRINUSE);
  CHECK(connect(open(), "\0other"sv) == ECONNREFUSED);
}

TEST_CASE_FIXTURE(Places, "unlink: removes files, not directories, and not twice") {
  kernel.add_file(path, S_IFREG);
  kernel.add_file("/run", S_IFDIR);
  CHECK(kernel.unlink(path) == 0);
  CHECK_FALSE(kernel.has_file(path));
  CHECK(kernel.unlink(path) == ENOENT);
  CHECK(kernel.unlink("/run") == EISDIR);
}

TEST_CASE_FIXTURE(Places, "stat: a new file may have the inode of one that nobody has open") {
  struct stat before{};
  struct stat after{};
  kernel.add_file(path, S_IFSOCK);
  REQUIRE(kernel.stat(path, &before) == 0);
  REQUIRE(kernel.unlink(path) == 0);
  kernel.advance(std::chrono::milliseconds(1500));
  const int holder = kernel.listen_on_path(path);
  REQUIRE(kernel.stat(path, &after) == 0);
  CHECK(after.st_ino == before.st_ino);
  CHECK(after.st_ctim.tv_sec == before.st_ctim.tv_sec + 1);
  CHECK(after.st_ctim.tv_nsec == 500'000'000);
  REQUIRE(kernel.unlink(path) == 0);
  kernel.add_file(path, S_IFSOCK);
  CHECK(inode() != after.st_ino);  // It is held by a socket.
  REQUIRE(kernel.close(holder) == 0);
}

TEST_CASE_FIXTURE(Places, "stat, unlink: can be made to fail") {
  struct stat status{};
  kernel.add_file(path, S_IFREG);
  kernel.script(Call::stat, {.error = EACCES});
  kernel.script(Call::unlink, {.error = EPERM});
  CHECK(kernel.stat(path, &status) == EACCES);
  CHECK(kernel.unlink(path) == EPERM);
  CHECK(kernel.has_file(path));
}

TEST_CASE_FIXTURE(Places, "set_call_hook: hears of calls before they happen") {
  std::vector<Call> heard;
  kernel.set_call_hook([&](Call call) {
    heard.push_back(call);
    if (call == Call::unlink) CHECK(kernel.has_file(path));
    if (call == Call::bind) kernel.set_call_hook(nullptr);
  });
  kernel.add_file(path, S_IFREG);
  kernel.unlink(path);
  bind(open(), path);
  kernel.unlink(path);
  CHECK(heard == std::vector{Call::unlink, Call::socket, Call::bind});
}

TEST_SUITE_END();

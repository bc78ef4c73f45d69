// SPDX-License-Identifier: MIT
//
// The kernels and pollers that are compared: the three pollers over real sockets, and the
// kernels in memory.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include <weir/reactor/poller/poller.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/sim/sim_kernel.hpp>
#include <weir/reactor/unique_fd.hpp>

#include <tests/equivalence/system.hpp>

namespace equivalence {
namespace {

using weir::Kernel;
using weir::UniqueFd;
using MakePoller = std::unique_ptr<weir::Poller> (*)();

constexpr int settle_ms_max = 2000;

void must(bool works, const char* what) {
  if (works) return;
  std::perror(what);
  std::exit(2);
}

/// A listener on a free port of 127.0.0.1. One for the process: ports are scarce.
struct Listener {
  sockaddr_in address{};
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  Listener() {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t length = sizeof address;
    must(fd >= 0 && ::bind(fd, generic, length) == 0 && ::listen(fd, 8) == 0 &&
             ::getsockname(fd, generic, &length) == 0,
         "listener");
  }
};

class RealSystem final : public System {
 public:
  explicit RealSystem(MakePoller make) : make_(make) {}

  Kernel& kernel() override { return Kernel::posix(); }
  std::unique_ptr<weir::Poller> make_poller() override { return make_(); }

  Ends connect_tcp() override {
    static const Listener listener;
    // Opened before our end: the lowest number, the one that was just closed, is ours.
    const int ours = ::dup(listener.fd);
    const int theirs = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto* const address = reinterpret_cast<const sockaddr*>(&listener.address);
    must(::connect(theirs, address, sizeof listener.address) == 0, "connect");
    const int accepted = ::accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    must(accepted >= 0 && ::dup3(accepted, ours, O_CLOEXEC) == ours, "accept");
    Kernel::posix().close(accepted);
    Kernel::posix().set_nonblocking(theirs);
    return {ours, theirs};
  }

  int dup(int fd) override { return ::dup(fd); }

  void settle(int fd, const Channel& channel) override {
    if (channel.family != Family::tcp) return;
    for (int waited_ms = 0; !is_settled(fd, channel); ++waited_ms) {
      if (waited_ms == settle_ms_max) {
        std::fprintf(stderr, "equivalence: a connection is not what the model makes of it\n");
        std::exit(2);
      }
      ::poll(nullptr, 0, 1);
    }
  }

 private:
  static bool is_settled(int fd, const Channel& channel) {
    int bytes = 0;
    must(::ioctl(fd, FIONREAD, &bytes) == 0, "FIONREAD");
    pollfd look{fd, POLLOUT | POLLRDHUP, 0};
    ::poll(&look, 1, 0);
    return static_cast<std::size_t>(bytes) == channel.inbox &&
           ((look.revents & POLLRDHUP) != 0) == channel.ended &&
           ((look.revents & POLLERR) != 0) == channel.error &&
           ((look.revents & POLLOUT) != 0) == channel.writable();
  }

  MakePoller make_;
};

class FakeSystem final : public System {
 public:
  Kernel& kernel() override { return kernel_; }
  std::unique_ptr<weir::Poller> make_poller() override { return kernel_.make_poller(); }

  Ends connect_tcp() override {
    constexpr std::uint16_t port = 8888;
    if (listener_ < 0) listener_ = kernel_.listen_on(port);
    const int theirs = kernel_.dial(port);
    return {kernel_.accept_from(listener_), theirs};
  }

  int dup(int) override { std::abort(); }
  void settle(int, const Channel&) override {}

  std::string complaints() override {
    std::string all;
    for (const std::string& misuse : kernel_.misuses()) all += misuse + "; ";
    return all;
  }

 private:
  weir::FakeKernel kernel_;
  int listener_ = -1;
};

/// A quiet machine: what it does to a program is for ./dev sim.
class SimSystem final : public System {
 public:
  Kernel& kernel() override { return kernel_; }
  std::unique_ptr<weir::Poller> make_poller() override { return kernel_.make_poller(); }

  Ends connect_tcp() override {
    const int theirs = static_cast<int>(kernel_.socket(AF_INET, SOCK_STREAM, 0).value);
    kernel_.connect(theirs, reinterpret_cast<const sockaddr*>(&address_), sizeof address_);
    let_time_pass();
    std::uint32_t length = 0;
    const weir::IoResult ours = kernel_.accept(listener_, nullptr, &length);
    must(ours.ok(), "accept of the simulated kernel");
    return {static_cast<int>(ours.value), theirs};
  }

  int dup(int) override { std::abort(); }
  void settle(int, const Channel& channel) override {
    if (channel.family == Family::tcp) let_time_pass();
  }

 private:
  int listen() {
    address_.sin_family = AF_INET;
    address_.sin_port = htons(8888);
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = static_cast<int>(kernel_.socket(AF_INET, SOCK_STREAM, 0).value);
    const auto* const generic = reinterpret_cast<const sockaddr*>(&address_);
    must(kernel_.bind(fd, generic, sizeof address_) == 0 && kernel_.listen(fd, 8) == 0,
         "listener of the simulated kernel");
    return fd;
  }

  /// What is on its way arrives.
  void let_time_pass() {
    std::vector<weir::Ready> nothing;
    clock_->wait(std::chrono::seconds(1), nothing);
  }

  weir::SimKernel kernel_{1};
  sockaddr_in address_{};
  int listener_ = listen();
  std::unique_ptr<weir::Poller> clock_ = kernel_.make_poller();  // It watches nothing.
};

}  // namespace

std::span<const BackEnd> back_ends() {
  static const BackEnd all[] = {
      {"epoll", true, [] { return std::make_unique<RealSystem>(weir::make_epoll_poller); }},
      {"poll", true, [] { return std::make_unique<RealSystem>(weir::make_poll_poller); }},
      {"kqueue", true, [] { return std::make_unique<RealSystem>(weir::make_kqueue_poller); }},
      {"fake", false, [] { return std::make_unique<FakeSystem>(); }},
      {"sim", false, [] { return std::make_unique<SimSystem>(); }},
  };
  return all;
}

}  // namespace equivalence

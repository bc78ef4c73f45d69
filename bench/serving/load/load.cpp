// SPDX-License-Identifier: MIT
#include <bench/serving/load/load.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

namespace weir::bench {
namespace {

constexpr int patience_ms = 10'000;

[[noreturn]] void fail(const char* call) {
  throw std::runtime_error(std::string(call) + ": " + std::system_category().message(errno));
}

int connect_to(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail("connect");
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

class Load {
 public:
  explicit Load(const LoadOptions& options)
      : options_(options),
        payload_(options.request_bytes, options.depth),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        busy_(options.connections) {
    if (epoll_ < 0) fail("epoll_create1");
    clients_.reserve(options.connections);
    for (std::size_t i = 0; i < options.connections; ++i) add(i);
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  ~Load() {
    for (const Client& client : clients_) ::close(client.fd());
    ::close(epoll_);
  }

  LoadResult run() {
    left_.assign(clients_.size(), options_.batches);
    const std::uint64_t began = now_ns();
    for (Client& client : clients_) next(client, began);
    if (options_.batches == 0) {
      serve_until(began + to_ns(options_.warm_up_seconds));
      tally_ = std::make_unique<Tally>();
    }
    const Usage before = usage_now(options_.server);
    const std::uint64_t start = options_.batches == 0 ? now_ns() : began;
    serve_until(options_.batches == 0 ? start + to_ns(options_.seconds) : UINT64_MAX);
    const std::uint64_t end = now_ns();
    const Usage after = usage_now(options_.server);
    LoadResult result = {*tally_, static_cast<double>(end - start) * 1e-9, after - before};
    stopping_ = true;  // Closed with answers on their way, connections would be reset.
    serve_until(UINT64_MAX);
    return result;
  }

 private:
  static std::uint64_t to_ns(double seconds) { return static_cast<std::uint64_t>(seconds * 1e9); }

  void add(std::size_t number) {
    const int fd = connect_to(options_.port);
    clients_.emplace_back(fd, number, payload_);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.u64 = number;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
  }

  /// The next batch, unless this connection has had its share.
  void next(Client& client, std::uint64_t now) {
    const auto number = static_cast<std::size_t>(&client - clients_.data());
    if (stopping_ || (options_.batches != 0 && left_[number]-- == 0)) {
      --busy_;
      return;
    }
    client.send_batch(now);
  }

  void serve_until(std::uint64_t deadline) {
    while (busy_ > 0 && now_ns() < deadline) {
      const int count =
          ::epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), patience_ms);
      if (count == 0) throw std::runtime_error("the server has not answered for ten seconds");
      if (count < 0 && errno != EINTR) fail("epoll_wait");
      for (int i = 0; i < count; ++i) serve(events_[static_cast<std::size_t>(i)]);
    }
  }

  void serve(const epoll_event& event) {
    Client& client = clients_[event.data.u64];
    if ((event.events & EPOLLOUT) != 0) client.write_ready();
    if ((event.events & ~EPOLLOUT) != 0 && client.read_ready(*tally_)) next(client, now_ns());
  }

  LoadOptions options_;
  Payload payload_;
  int epoll_;
  std::size_t busy_;  // Connections that still have something to ask.
  bool stopping_ = false;
  std::vector<Client> clients_;
  std::vector<std::uint64_t> left_;
  std::unique_ptr<Tally> tally_ = std::make_unique<Tally>();
  std::array<epoll_event, 1024> events_{};
};

}  // namespace

LoadResult run_load(const LoadOptions& options) { return Load(options).run(); }

}  // namespace weir::bench

// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include <weir/reactor/export.hpp>
#include <weir/reactor/kernel.hpp>
#include <weir/reactor/sim/call.hpp>

namespace WEIR_API weir {

/// Counts what goes through it to another kernel, its pollers and its executors: how many system
/// calls does a line cost? Failed calls count too.
///
/// Threads   As the kernel that it wraps; the counters may be read from any thread.
/// Lifetime  The wrapped kernel must outlive it, and it its pollers and executors.
class CountingKernel : public Kernel {
 public:
  explicit CountingKernel(Kernel& inner) : inner_(inner) {}

  /// How often `call` was made since the last reset().
  std::uint64_t count(Call call) const noexcept { return at(call).load(); }
  std::uint64_t bytes_received() const noexcept { return bytes_received_.load(); }
  std::uint64_t bytes_sent() const noexcept { return bytes_sent_.load(); }

  /// How many of them went to the operating system, as strace would count them.
  ///
  /// Shape     Not now(), which Linux answers in user space; not a set() that changes nothing; a
  ///           wake() that does not merge counts twice, because the poller reads what it wrote.
  ///           With "poll", a set() costs something only where it adds a descriptor. "fake" is
  ///           counted as if it were epoll.
  ///           Not what is hidden in library calls: making pollers and threads, handing over
  ///           jobs, and getaddrinfo().
  std::uint64_t total_system_calls() const noexcept;

  void reset() noexcept;

  TimePoint now() override;
  IoResult socket(int family, int type, int protocol) override;
  int socketpair(int family, int type, int (&fds)[2]) override;
  int bind(int fd, const sockaddr* address, std::uint32_t length) override;
  int listen(int fd, int backlog) override;
  IoResult accept(int fd, sockaddr* address, std::uint32_t* length) override;
  int connect(int fd, const sockaddr* address, std::uint32_t length) override;
  IoResult recv(int fd, std::span<const iovec> buffers) override;
  IoResult send(int fd, std::span<const iovec> buffers) override;
  IoResult sendfile(int socket, int file, std::int64_t offset, std::size_t bytes) override;
  IoResult pread(int file, std::span<char> room, std::int64_t offset) override;
  int shutdown(int fd, int how) override;
  int close(int fd) override;
  int set_nonblocking(int fd) override;
  int getsockopt(int fd, int level, int option, void* value, std::uint32_t* length) override;
  int setsockopt(int fd, int level, int option, const void* value, std::uint32_t length) override;
  int getsockname(int fd, sockaddr* address, std::uint32_t* length) override;
  int getpeername(int fd, sockaddr* address, std::uint32_t* length) override;
  int stat(const char* path, struct ::stat* status) override;
  int unlink(const char* path) override;
  int getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** result,
                  int* system_error) override;
  void freeaddrinfo(addrinfo* list) override;
  int signal_action(int signal_number, const struct sigaction* action,
                    struct sigaction* old) override;
  std::unique_ptr<Poller> make_poller() override;
  std::unique_ptr<Executor> make_executor(std::size_t max_threads) override;

 private:
  class CountingPoller;
  class CountingExecutor;
  using Counter = std::atomic<std::uint64_t>;  // Pool threads resolve names, any thread wakes.

  const Counter& at(Call call) const noexcept { return counts_[static_cast<std::size_t>(call)]; }
  Kernel& counted(Call call) noexcept;

  Kernel& inner_;
  std::array<Counter, call_count> counts_{};
  Counter poller_calls_ = 0;  // System calls of set() and wake(): not each of them makes one.
  Counter bytes_received_ = 0;
  Counter bytes_sent_ = 0;
};

}  // namespace weir

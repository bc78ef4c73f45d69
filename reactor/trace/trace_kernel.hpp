// Internal: used by Trace.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <weir/reactor/export.hpp>
#include <weir/reactor/kernel.hpp>
#include <weir/reactor/trace/tracer.hpp>

namespace WEIR_API weir {
namespace detail {

/// Tells a tracer what goes through it to another kernel and its pollers. A loop that is made with
/// it finds the tracer here.
///
/// Threads   As the kernel that it wraps: what may be called from any thread is not recorded.
/// Lifetime  Kernel and tracer must outlive it, and it its pollers.
class TraceKernel final : public Kernel {
 public:
  TraceKernel(Kernel& inner, Tracer& its_tracer) noexcept : inner_(inner), tracer_(its_tracer) {}

  Tracer* tracer() noexcept override { return &tracer_; }

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
  class TracePoller;

  Kernel& inner_;
  Tracer& tracer_;
};

}  // namespace detail
}  // namespace weir

// SPDX-License-Identifier: MIT
#include <weir/reactor/trace/trace_kernel.hpp>

#include <sys/uio.h>

#include <span>
#include <utility>
#include <vector>

#include <weir/reactor/bytes.hpp>

namespace weir::detail {
class TraceKernel::TracePoller final : public Poller {
 public:
  TracePoller(Tracer& tracer, std::unique_ptr<Poller> inner) noexcept
      : tracer_(tracer), inner_(std::move(inner)) {}

  const char* name() const noexcept override { return inner_->name(); }
  int set(int fd, std::uint32_t generation, Interest interest) override {
    return inner_->set(fd, generation, interest);
  }
  int wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override {
    if (!timeout || *timeout > Duration::zero()) tracer_.waits(timeout);
    const TimePoint start = tracer_.now();
    const std::size_t before = ready.size();
    const int error = inner_->wait(timeout, ready);
    tracer_.polled(start, timeout, std::span(ready).subspan(before));
    return error;
  }
  void wake() noexcept override { inner_->wake(); }

 private:
  Tracer& tracer_;
  std::unique_ptr<Poller> inner_;
};

TimePoint TraceKernel::now() { return inner_.now(); }

IoResult TraceKernel::socket(int family, int type, int protocol) {
  return inner_.socket(family, type, protocol);
}

int TraceKernel::socketpair(int family, int type, int (&fds)[2]) {
  return inner_.socketpair(family, type, fds);
}

int TraceKernel::bind(int fd, const sockaddr* address, std::uint32_t length) {
  return inner_.bind(fd, address, length);
}

int TraceKernel::listen(int fd, int backlog) { return inner_.listen(fd, backlog); }

IoResult TraceKernel::accept(int fd, sockaddr* address, std::uint32_t* length) {
  const IoResult result = inner_.accept(fd, address, length);
  if (!result.would_block()) {
    tracer_.happened(TraceEvent::accept, fd, result.value, 0, result.error);
  }
  return result;
}

int TraceKernel::connect(int fd, const sockaddr* address, std::uint32_t length) {
  const int error = inner_.connect(fd, address, length);
  tracer_.happened(TraceEvent::connect, fd, 0, 0, error);
  return error;
}

IoResult TraceKernel::recv(int fd, std::span<const iovec> buffers) {
  const IoResult result = inner_.recv(fd, buffers);
  tracer_.happened(TraceEvent::read, fd, result.value,
                   static_cast<std::int64_t>(total_bytes(buffers)), result.error);
  return result;
}

IoResult TraceKernel::send(int fd, std::span<const iovec> buffers) {
  const IoResult result = inner_.send(fd, buffers);
  tracer_.happened(TraceEvent::write, fd, result.value,
                   static_cast<std::int64_t>(total_bytes(buffers)), result.error);
  return result;
}

IoResult TraceKernel::sendfile(int socket, int file, std::int64_t offset, std::size_t bytes) {
  const IoResult result = inner_.sendfile(socket, file, offset, bytes);
  tracer_.happened(TraceEvent::write, socket, result.value, static_cast<std::int64_t>(bytes),
                   result.error);
  return result;
}

IoResult TraceKernel::pread(int file, std::span<char> room, std::int64_t offset) {
  return inner_.pread(file, room, offset);
}

int TraceKernel::shutdown(int fd, int how) {
  const int error = inner_.shutdown(fd, how);
  tracer_.happened(TraceEvent::shutdown, fd, 0, 0, error);
  return error;
}

int TraceKernel::close(int fd) {
  tracer_.closed(fd);
  return inner_.close(fd);
}

int TraceKernel::set_nonblocking(int fd) { return inner_.set_nonblocking(fd); }

int TraceKernel::getsockopt(int fd, int level, int option, void* value, std::uint32_t* length) {
  return inner_.getsockopt(fd, level, option, value, length);
}

int TraceKernel::setsockopt(int fd, int level, int option, const void* value,
                            std::uint32_t length) {
  return inner_.setsockopt(fd, level, option, value, length);
}

int TraceKernel::getsockname(int fd, sockaddr* address, std::uint32_t* length) {
  return inner_.getsockname(fd, address, length);
}

int TraceKernel::getpeername(int fd, sockaddr* address, std::uint32_t* length) {
  return inner_.getpeername(fd, address, length);
}

int TraceKernel::stat(const char* path, struct ::stat* status) { return inner_.stat(path, status); }

int TraceKernel::unlink(const char* path) { return inner_.unlink(path); }

int TraceKernel::getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                             addrinfo** result, int* system_error) {
  return inner_.getaddrinfo(host, service, hints, result, system_error);
}

void TraceKernel::freeaddrinfo(addrinfo* list) { inner_.freeaddrinfo(list); }

int TraceKernel::signal_action(int signal_number, const struct sigaction* action,
                               struct sigaction* old) {
  return inner_.signal_action(signal_number, action, old);
}

std::unique_ptr<Poller> TraceKernel::make_poller() {
  return std::make_unique<TracePoller>(tracer_, inner_.make_poller());
}

std::unique_ptr<Executor> TraceKernel::make_executor(std::size_t max_threads) {
  return inner_.make_executor(max_threads);
}

}  // namespace weir::detail

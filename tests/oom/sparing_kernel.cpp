// SPDX-License-Identifier: MIT
#include <tests/oom/sparing_kernel.hpp>

#include <utility>
#include <vector>

#include <tests/support/failing_allocations.hpp>

namespace weir::test {
namespace {

class SparingPoller final : public Poller {
 public:
  explicit SparingPoller(std::unique_ptr<Poller> inner) : inner_(std::move(inner)) {}
  SparingPoller(const SparingPoller&) = delete;
  SparingPoller& operator=(const SparingPoller&) = delete;
  ~SparingPoller() override {
    const SpareAllocations spared;
    inner_.reset();
  }

  const char* name() const noexcept override { return inner_->name(); }
  int set(int fd, std::uint32_t generation, Interest interest) override {
    const SpareAllocations spared;
    return inner_->set(fd, generation, interest);
  }
  int wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override {
    const SpareAllocations spared;
    return inner_->wait(timeout, ready);
  }
  void wake() noexcept override {
    const SpareAllocations spared;
    inner_->wake();
  }

 private:
  std::unique_ptr<Poller> inner_;
};

/// What the executor gets: the program's own job, which it may also destroy without a run.
class CountedJob {
 public:
  explicit CountedJob(Callback job) : job_(std::move(job)) {}
  CountedJob(CountedJob&&) noexcept = default;
  CountedJob& operator=(CountedJob&&) = delete;
  ~CountedJob() {
    const UnspareAllocations counted;
    job_.reset();
  }
  void operator()() {
    const UnspareAllocations counted;
    job_();
  }

 private:
  Callback job_;
};

class SparingExecutor final : public Executor {
 public:
  explicit SparingExecutor(std::unique_ptr<Executor> inner) : inner_(std::move(inner)) {}
  SparingExecutor(const SparingExecutor&) = delete;
  SparingExecutor& operator=(const SparingExecutor&) = delete;
  ~SparingExecutor() override {
    const SpareAllocations spared;
    inner_.reset();
  }

  void submit(Callback job) override {
    const SpareAllocations spared;
    inner_->submit(Callback(CountedJob(std::move(job))));
  }
  void shutdown(bool wait) override {
    const SpareAllocations spared;
    inner_->shutdown(wait);
  }

 private:
  std::unique_ptr<Executor> inner_;
};

}  // namespace

TimePoint SparingKernel::now() { return inner_.now(); }
IoResult SparingKernel::socket(int family, int type, int protocol) {
  const SpareAllocations spared;
  return inner_.socket(family, type, protocol);
}
int SparingKernel::socketpair(int family, int type, int (&fds)[2]) {
  const SpareAllocations spared;
  return inner_.socketpair(family, type, fds);
}
int SparingKernel::bind(int fd, const sockaddr* address, std::uint32_t length) {
  const SpareAllocations spared;
  return inner_.bind(fd, address, length);
}
int SparingKernel::listen(int fd, int backlog) {
  const SpareAllocations spared;
  return inner_.listen(fd, backlog);
}
IoResult SparingKernel::accept(int fd, sockaddr* address, std::uint32_t* length) {
  const SpareAllocations spared;
  return inner_.accept(fd, address, length);
}
int SparingKernel::connect(int fd, const sockaddr* address, std::uint32_t length) {
  const SpareAllocations spared;
  return inner_.connect(fd, address, length);
}
IoResult SparingKernel::recv(int fd, std::span<const iovec> buffers) {
  const SpareAllocations spared;
  return inner_.recv(fd, buffers);
}
IoResult SparingKernel::send(int fd, std::span<const iovec> buffers) {
  const SpareAllocations spared;
  return inner_.send(fd, buffers);
}
IoResult SparingKernel::sendfile(int socket, int file, std::int64_t offset, std::size_t bytes) {
  const SpareAllocations spared;
  return inner_.sendfile(socket, file, offset, bytes);
}
IoResult SparingKernel::pread(int file, std::span<char> room, std::int64_t offset) {
  const SpareAllocations spared;
  return inner_.pread(file, room, offset);
}
int SparingKernel::shutdown(int fd, int how) {
  const SpareAllocations spared;
  return inner_.shutdown(fd, how);
}
int SparingKernel::close(int fd) {
  const SpareAllocations spared;
  return inner_.close(fd);
}
int SparingKernel::set_nonblocking(int fd) {
  const SpareAllocations spared;
  return inner_.set_nonblocking(fd);
}
int SparingKernel::getsockopt(int fd, int level, int option, void* value, std::uint32_t* length) {
  const SpareAllocations spared;
  return inner_.getsockopt(fd, level, option, value, length);
}
int SparingKernel::setsockopt(int fd, int level, int option, const void* value,
                              std::uint32_t length) {
  const SpareAllocations spared;
  return inner_.setsockopt(fd, level, option, value, length);
}
int SparingKernel::getsockname(int fd, sockaddr* address, std::uint32_t* length) {
  const SpareAllocations spared;
  return inner_.getsockname(fd, address, length);
}
int SparingKernel::getpeername(int fd, sockaddr* address, std::uint32_t* length) {
  const SpareAllocations spared;
  return inner_.getpeername(fd, address, length);
}
int SparingKernel::stat(const char* path, struct ::stat* status) {
  const SpareAllocations spared;
  return inner_.stat(path, status);
}
int SparingKernel::unlink(const char* path) {
  const SpareAllocations spared;
  return inner_.unlink(path);
}
int SparingKernel::getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                               addrinfo** result, int* system_error) {
  const SpareAllocations spared;
  return inner_.getaddrinfo(host, service, hints, result, system_error);
}
void SparingKernel::freeaddrinfo(addrinfo* list) {
  const SpareAllocations spared;
  inner_.freeaddrinfo(list);
}
int SparingKernel::signal_action(int signal_number, const struct sigaction* action,
                                 struct sigaction* old) {
  const SpareAllocations spared;
  return inner_.signal_action(signal_number, action, old);
}
std::unique_ptr<Poller> SparingKernel::make_poller() {
  const SpareAllocations spared;
  return std::make_unique<SparingPoller>(inner_.make_poller());
}
std::unique_ptr<Executor> SparingKernel::make_executor(std::size_t max_threads) {
  const SpareAllocations spared;
  return std::make_unique<SparingExecutor>(inner_.make_executor(max_threads));
}

}  // namespace weir::test

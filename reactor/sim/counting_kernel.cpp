// SPDX-License-Identifier: MIT
#include <weir/reactor/sim/counting_kernel.hpp>

#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {

class CountingKernel::CountingPoller final : public Poller {
 public:
  CountingPoller(CountingKernel& kernel, std::unique_ptr<Poller> inner)
      : kernel_(kernel),
        inner_(std::move(inner)),
        remembers_(inner_->name() != std::string_view("poll")) {}

  const char* name() const noexcept override { return inner_->name(); }

  int set(int fd, std::uint32_t generation, Interest interest) override {
    kernel_.counted(Call::poller_set);
    const Watch after = interest == Interest::none ? Watch() : Watch{generation, interest};
    if (costs_a_call(watch(fd), after)) ++kernel_.poller_calls_;
    const int error = inner_->set(fd, generation, interest);
    if (error == 0 && fd >= 0) note(fd, after);
    if (error == EBADF && fd >= 0) note(fd, {});  // Closed behind the poller's back: it forgets.
    return error;
  }

  int wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override {
    kernel_.counted(Call::poller_wait);
    const int error = inner_->wait(timeout, ready);
    wake_pending_.store(false);
    return error;
  }

  void wake() noexcept override {
    kernel_.counted(Call::poller_wake);
    if (!wake_pending_.exchange(true)) kernel_.poller_calls_ += 2;  // write(2), and later read(2)
    inner_->wake();
  }

 private:
  struct Watch {
    std::uint32_t generation = 0;
    Interest interest = Interest::none;
    bool operator==(const Watch&) const = default;
  };

  bool costs_a_call(Watch before, Watch after) const {
    if (remembers_) return before != after;
    return before.interest == Interest::none && after.interest != Interest::none;
  }
  Watch watch(int fd) const {
    const auto slot = static_cast<std::size_t>(fd);
    return slot < watches_.size() ? watches_[slot] : Watch();
  }
  void note(int fd, Watch watch) {
    const auto slot = static_cast<std::size_t>(fd);
    if (slot >= watches_.size()) watches_.resize(slot + 1);
    watches_[slot] = watch;
  }

  CountingKernel& kernel_;
  std::unique_ptr<Poller> inner_;
  const bool remembers_;  // The kernel knows the registrations, as epoll does and poll does not.
  std::vector<Watch> watches_;
  std::atomic<bool> wake_pending_ = false;
};

class CountingKernel::CountingExecutor final : public Executor {
 public:
  CountingExecutor(CountingKernel& kernel, std::unique_ptr<Executor> inner)
      : kernel_(kernel), inner_(std::move(inner)) {}

  void submit(Callback job) override {
    kernel_.counted(Call::executor_submit);
    inner_->submit(std::move(job));
  }
  void shutdown(bool wait) override { inner_->shutdown(wait); }

 private:
  CountingKernel& kernel_;
  std::unique_ptr<Executor> inner_;
};

std::uint64_t CountingKernel::total_system_calls() const noexcept {
  std::uint64_t total = poller_calls_.load();
  for (std::size_t i = 0; i < call_count; ++i) {
    switch (static_cast<Call>(i)) {
      case Call::now:
      case Call::getaddrinfo:
      case Call::freeaddrinfo:
      case Call::make_poller:
      case Call::make_executor:
      case Call::poller_set:  // These two are in poller_calls_.
      case Call::poller_wake:
      case Call::executor_submit: break;
      default: total += counts_[i].load();
    }
  }
  return total;
}

void CountingKernel::reset() noexcept {
  for (Counter& counter : counts_) counter.store(0);
  poller_calls_.store(0);
  bytes_received_.store(0);
  bytes_sent_.store(0);
}

Kernel& CountingKernel::counted(Call call) noexcept {
  ++counts_[static_cast<std::size_t>(call)];
  return inner_;
}

TimePoint CountingKernel::now() { return counted(Call::now).now(); }

IoResult CountingKernel::socket(int family, int type, int protocol) {
  return counted(Call::socket).socket(family, type, protocol);
}

int CountingKernel::socketpair(int family, int type, int (&fds)[2]) {
  return counted(Call::socketpair).socketpair(family, type, fds);
}

int CountingKernel::bind(int fd, const sockaddr* address, std::uint32_t length) {
  return counted(Call::bind).bind(fd, address, length);
}

int CountingKernel::listen(int fd, int backlog) {
  return counted(Call::listen).listen(fd, backlog);
}

IoResult CountingKernel::accept(int fd, sockaddr* address, std::uint32_t* length) {
  return counted(Call::accept).accept(fd, address, length);
}

int CountingKernel::connect(int fd, const sockaddr* address, std::uint32_t length) {
  return counted(Call::connect).connect(fd, address, length);
}

IoResult CountingKernel::recv(int fd, std::span<const iovec> buffers) {
  const IoResult result = counted(Call::recv).recv(fd, buffers);
  if (result.ok()) bytes_received_ += static_cast<std::uint64_t>(result.value);
  return result;
}

IoResult CountingKernel::send(int fd, std::span<const iovec> buffers) {
  const IoResult result = counted(Call::send).send(fd, buffers);
  if (result.ok()) bytes_sent_ += static_cast<std::uint64_t>(result.value);
  return result;
}

IoResult CountingKernel::sendfile(int socket, int file, std::int64_t offset, std::size_t bytes) {
  const IoResult result = counted(Call::sendfile).sendfile(socket, file, offset, bytes);
  if (result.ok()) bytes_sent_ += static_cast<std::uint64_t>(result.value);
  return result;
}

IoResult CountingKernel::pread(int file, std::span<char> room, std::int64_t offset) {
  return counted(Call::pread).pread(file, room, offset);
}

int CountingKernel::shutdown(int fd, int how) { return counted(Call::shutdown).shutdown(fd, how); }

int CountingKernel::close(int fd) { return counted(Call::close).close(fd); }

int CountingKernel::set_nonblocking(int fd) {
  return counted(Call::set_nonblocking).set_nonblocking(fd);
}

int CountingKernel::getsockopt(int fd, int level, int option, void* value, std::uint32_t* length) {
  return counted(Call::getsockopt).getsockopt(fd, level, option, value, length);
}

int CountingKernel::setsockopt(int fd, int level, int option, const void* value,
                               std::uint32_t length) {
  return counted(Call::setsockopt).setsockopt(fd, level, option, value, length);
}

int CountingKernel::getsockname(int fd, sockaddr* address, std::uint32_t* length) {
  return counted(Call::getsockname).getsockname(fd, address, length);
}

int CountingKernel::getpeername(int fd, sockaddr* address, std::uint32_t* length) {
  return counted(Call::getpeername).getpeername(fd, address, length);
}

int CountingKernel::stat(const char* path, struct ::stat* status) {
  return counted(Call::stat).stat(path, status);
}

int CountingKernel::unlink(const char* path) { return counted(Call::unlink).unlink(path); }

int CountingKernel::getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                                addrinfo** result, int* system_error) {
  return counted(Call::getaddrinfo).getaddrinfo(host, service, hints, result, system_error);
}

void CountingKernel::freeaddrinfo(addrinfo* list) {
  counted(Call::freeaddrinfo).freeaddrinfo(list);
}

int CountingKernel::signal_action(int signal_number, const struct sigaction* action,
                                  struct sigaction* old) {
  return counted(Call::signal_action).signal_action(signal_number, action, old);
}

std::unique_ptr<Poller> CountingKernel::make_poller() {
  return std::make_unique<CountingPoller>(*this, counted(Call::make_poller).make_poller());
}

std::unique_ptr<Executor> CountingKernel::make_executor(std::size_t max_threads) {
  return std::make_unique<CountingExecutor>(
      *this, counted(Call::make_executor).make_executor(max_threads));
}

}  // namespace weir

// SPDX-License-Identifier: MIT
#include <weir/reactor/sim/fault_kernel.hpp>

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <utility>
#include <vector>

#include <weir/reactor/bytes.hpp>
#include <weir/reactor/error.hpp>

namespace weir {
namespace {

using namespace std::chrono_literals;

constexpr Duration time_of_a_failure = 10ms;
constexpr Duration time_of_a_slow_lookup = 30s;
constexpr std::uint64_t frozen_looks = 1000;

/// How many of `bytes` the fault lets through: one at least.
std::size_t share_of(const Fault& fault, std::size_t bytes) {
  return fault.kind == FaultKind::one_byte ? std::min<std::size_t>(bytes, 1)
                                           : std::max<std::size_t>(bytes / 2, 1);
}

/// The first `bytes` of the buffers.
std::vector<iovec> first_bytes_of(std::span<const iovec> buffers, std::size_t bytes) {
  std::vector<iovec> kept;
  for (iovec buffer : buffers) {
    buffer.iov_len = std::min(buffer.iov_len, bytes);
    bytes -= buffer.iov_len;
    if (buffer.iov_len != 0) kept.push_back(buffer);
  }
  return kept;
}

bool is_short(FaultKind kind) { return kind == FaultKind::one_byte || kind == FaultKind::half; }

FaultWhere where_of(const sockaddr* address) {
  return address->sa_family == AF_UNIX ? FaultWhere::local : FaultWhere::internet;
}

FaultWhere where_of(int level, int option) {
  if (level == SOL_SOCKET && option == SO_ERROR) return FaultWhere::so_error;
  if (level == SOL_SOCKET && option == SO_REUSEPORT) return FaultWhere::reuse_port;
  return FaultWhere::other;
}

}  // namespace

// --- The poller and the executor ---

class FaultKernel::FaultPoller final : public Poller {
 public:
  FaultPoller(FaultKernel& kernel, std::unique_ptr<Poller> inner)
      : kernel_(kernel), inner_(std::move(inner)) {}

  const char* name() const noexcept override { return inner_->name(); }

  int set(int fd, std::uint32_t generation, Interest interest) override {
    if (interest == Interest::none) {
      ++kernel_.counts_[static_cast<std::size_t>(Call::poller_set)];
      watched_.erase(fd);
      return inner_->set(fd, generation, interest);
    }
    if (const int error = kernel_.error_of(Call::poller_set)) return error;
    const int error = inner_->set(fd, generation, interest);
    if (error == 0) watched_[fd] = {fd, generation, wants_read(interest), wants_write(interest)};
    return error;
  }

  int wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override {
    const Fault* fault = kernel_.due(Call::poller_wait);
    if (fault == nullptr) return inner_->wait(timeout, ready);
    if (fault->kind == FaultKind::error) {
      kernel_.strike(*fault);
      return fault->value;
    }
    const bool adds = fault->kind == FaultKind::spurious || fault->kind == FaultKind::stale ||
                      fault->kind == FaultKind::hang_up;
    if (adds && watched_.empty()) return inner_->wait(timeout, ready);
    // What ends the wait at once. The inner one looks all the same: it may have work of its own.
    if (adds || fault->kind == FaultKind::interrupted) timeout = Duration::zero();
    std::vector<Ready> found;
    if (const int error = inner_->wait(timeout, found)) return error;
    if (change(*fault, found)) kernel_.strike(*fault);
    ready.insert(ready.end(), found.begin(), found.end());
    return 0;
  }

  void wake() noexcept override {
    ++kernel_.counts_[static_cast<std::size_t>(Call::poller_wake)];
    inner_->wake();
  }

 private:
  /// Whether there was something to change.
  bool change(const Fault& fault, std::vector<Ready>& found) const {
    const std::size_t before = found.size();
    switch (fault.kind) {
      case FaultKind::interrupted: found.clear(); return true;
      case FaultKind::withheld: found.clear(); return before != 0;
      case FaultKind::reversed: std::reverse(found.begin(), found.end()); return before > 1;
      case FaultKind::twice:
        if (before != 0) found.push_back(found.front());
        return before != 0;
      case FaultKind::stale:
        found.push_back(watched_.begin()->second);
        --found.back().generation;
        return true;
      case FaultKind::spurious:
        for (const auto& watched : watched_) {
          const Ready& all = watched.second;
          const auto is_it = [&all](const Ready& event) { return event.fd == all.fd; };
          if (std::none_of(found.begin(), found.end(), is_it)) {
            found.push_back(all);
            return true;
          }
        }
        return false;
      case FaultKind::hang_up:
        found.clear();
        for (const auto& [fd, all] : watched_) found.push_back(all);
        return true;
      default: return false;
    }
  }

  FaultKernel& kernel_;
  std::unique_ptr<Poller> inner_;
  std::map<int, Ready> watched_;  // Each as if it were ready for all that it is watched for.
};

class FaultKernel::FaultExecutor final : public Executor {
 public:
  FaultExecutor(FaultKernel& kernel, std::unique_ptr<Executor> inner)
      : kernel_(kernel), inner_(std::move(inner)) {}

  void submit(Callback job) override {
    if (const Fault* fault = kernel_.due(Call::executor_submit)) {
      kernel_.strike(*fault);
      throw RuntimeError("can't start new thread");
    }
    inner_->submit(std::move(job));
  }
  void shutdown(bool wait) override { inner_->shutdown(wait); }

 private:
  FaultKernel& kernel_;
  std::unique_ptr<Executor> inner_;
};

std::unique_ptr<Poller> FaultKernel::make_poller() {
  if (const int error = error_of(Call::make_poller)) throw_os_error(error);
  return std::make_unique<FaultPoller>(*this, inner_.make_poller());
}

std::unique_ptr<Executor> FaultKernel::make_executor(std::size_t max_threads) {
  if (const int error = error_of(Call::make_executor)) throw_os_error(error);
  return std::make_unique<FaultExecutor>(*this, inner_.make_executor(max_threads));
}

// --- When it strikes ---

/// Counts the call. The fault, if it is for this one.
const Fault* FaultKernel::due(Call call, FaultWhere where) {
  const std::uint64_t number = ++counts_[static_cast<std::size_t>(call)];
  if (!fault_ || fault_->call != call || number < fault_->number) return nullptr;
  const bool over = fault_->times != Fault::always && number - fault_->number >= fault_->times;
  const bool elsewhere = fault_->where != FaultWhere::everywhere && fault_->where != where;
  return over || elsewhere ? nullptr : &*fault_;
}

void FaultKernel::strike(const Fault& fault) noexcept {
  ++struck_;
  if (fault.times != 1 && !is_short(fault.kind)) ahead_ += time_of_a_failure.count();
}

/// The error that the call is to fail with, or 0.
int FaultKernel::error_of(Call call, FaultWhere where) {
  const Fault* fault = due(call, where);
  if (fault == nullptr) return 0;
  strike(*fault);
  return fault->value;
}

/// What a call that moves bytes says in place of what it would have, or nothing; `bytes` is what it
/// may move.
std::optional<IoResult> FaultKernel::moved(Call call, std::size_t& bytes) {
  const Fault* fault = due(call);
  if (fault == nullptr) return std::nullopt;
  strike(*fault);
  if (!is_short(fault->kind)) return IoResult{0, fault->kind == FaultKind::end ? 0 : fault->value};
  bytes = share_of(*fault, bytes);
  return std::nullopt;
}

// --- Kernel ---

TimePoint FaultKernel::now() {
  const TimePoint time = inner_.now() + Duration(ahead_.load());
  const std::uint64_t looks = count(Call::now) + 1;
  const bool frozen = fault_ && fault_->call == Call::now && fault_->kind == FaultKind::frozen;
  const Fault* fault = due(Call::now);
  if (frozen && looks > fault_->number && looks < fault_->number + frozen_looks) {
    return TimePoint(Duration(frozen_.load()));
  }
  if (fault == nullptr) return time;
  ++struck_;
  frozen_.store(time.time_since_epoch().count());
  if (fault->kind == FaultKind::late) return time + 1h;
  return fault->kind == FaultKind::early ? time - 1s : time;
}

IoResult FaultKernel::socket(int family, int type, int protocol) {
  if (const int error = error_of(Call::socket)) return {0, error};
  return inner_.socket(family, type, protocol);
}

int FaultKernel::socketpair(int family, int type, int (&fds)[2]) {
  if (const int error = error_of(Call::socketpair)) return error;
  return inner_.socketpair(family, type, fds);
}

int FaultKernel::bind(int fd, const sockaddr* address, std::uint32_t length) {
  if (const int error = error_of(Call::bind)) return error;
  return inner_.bind(fd, address, length);
}

int FaultKernel::listen(int fd, int backlog) {
  if (const int error = error_of(Call::listen)) return error;
  return inner_.listen(fd, backlog);
}

IoResult FaultKernel::accept(int fd, sockaddr* address, std::uint32_t* length) {
  const Fault* fault = due(Call::accept);
  if (fault != nullptr && fault->kind == FaultKind::error) {
    strike(*fault);
    return {0, fault->value};
  }
  const IoResult accepted = inner_.accept(fd, address, length);
  if (fault != nullptr && accepted.ok()) {
    strike(*fault);
    *length = 0;
  }
  return accepted;
}

int FaultKernel::connect(int fd, const sockaddr* address, std::uint32_t length) {
  const Fault* fault = due(Call::connect, where_of(address));
  if (fault == nullptr) return inner_.connect(fd, address, length);
  strike(*fault);
  if (fault->kind == FaultKind::error) return fault->value;
  const int error = inner_.connect(fd, address, length);
  return error == 0 ? fault->value : error;
}

IoResult FaultKernel::recv(int fd, std::span<const iovec> buffers) {
  const std::size_t wanted = detail::total_bytes(buffers);
  std::size_t bytes = wanted;
  if (const auto instead = moved(Call::recv, bytes)) return *instead;
  if (bytes == wanted) return inner_.recv(fd, buffers);
  return inner_.recv(fd, first_bytes_of(buffers, bytes));
}

IoResult FaultKernel::send(int fd, std::span<const iovec> buffers) {
  const std::size_t wanted = detail::total_bytes(buffers);
  std::size_t bytes = wanted;
  if (const auto instead = moved(Call::send, bytes)) return *instead;
  if (bytes == wanted) return inner_.send(fd, buffers);
  return inner_.send(fd, first_bytes_of(buffers, bytes));
}

IoResult FaultKernel::sendfile(int socket, int file, std::int64_t offset, std::size_t bytes) {
  if (const auto instead = moved(Call::sendfile, bytes)) return *instead;
  return inner_.sendfile(socket, file, offset, bytes);
}

IoResult FaultKernel::pread(int file, std::span<char> room, std::int64_t offset) {
  std::size_t bytes = room.size();
  if (const auto instead = moved(Call::pread, bytes)) return *instead;
  return inner_.pread(file, room.first(bytes), offset);
}

int FaultKernel::shutdown(int fd, int how) {
  if (const int error = error_of(Call::shutdown)) return error;
  return inner_.shutdown(fd, how);
}

int FaultKernel::close(int fd) {
  const int told = error_of(Call::close);
  const int error = inner_.close(fd);
  return error != 0 ? error : told;
}

int FaultKernel::set_nonblocking(int fd) {
  if (const int error = error_of(Call::set_nonblocking)) return error;
  return inner_.set_nonblocking(fd);
}

int FaultKernel::getsockopt(int fd, int level, int option, void* value, std::uint32_t* length) {
  const Fault* fault = due(Call::getsockopt, where_of(level, option));
  if (fault != nullptr) strike(*fault);
  if (fault != nullptr && fault->kind == FaultKind::error) return fault->value;
  const int error = inner_.getsockopt(fd, level, option, value, length);
  if (fault != nullptr && error == 0) *static_cast<int*>(value) = fault->value;
  return error;
}

int FaultKernel::setsockopt(int fd, int level, int option, const void* value,
                            std::uint32_t length) {
  if (const int error = error_of(Call::setsockopt, where_of(level, option))) return error;
  return inner_.setsockopt(fd, level, option, value, length);
}

int FaultKernel::getsockname(int fd, sockaddr* address, std::uint32_t* length) {
  if (const int error = error_of(Call::getsockname)) return error;
  return inner_.getsockname(fd, address, length);
}

int FaultKernel::getpeername(int fd, sockaddr* address, std::uint32_t* length) {
  if (const int error = error_of(Call::getpeername)) return error;
  return inner_.getpeername(fd, address, length);
}

int FaultKernel::stat(const char* path, struct ::stat* status) {
  if (const int error = error_of(Call::stat)) return error;
  return inner_.stat(path, status);
}

int FaultKernel::unlink(const char* path) {
  if (const int error = error_of(Call::unlink)) return error;
  return inner_.unlink(path);
}

int FaultKernel::getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                             addrinfo** result, int* system_error) {
  const Fault* fault = due(Call::getaddrinfo);
  if (fault == nullptr) {
    return inner_.getaddrinfo(host, service, hints, result, system_error);
  }
  strike(*fault);
  *system_error = 0;
  switch (fault->kind) {
    case FaultKind::error: *system_error = fault->value; return EAI_SYSTEM;
    case FaultKind::resolver: return fault->value;
    case FaultKind::no_answer: *result = nullptr; return 0;
    default: ahead_ += Duration(time_of_a_slow_lookup).count();
  }
  return inner_.getaddrinfo(host, service, hints, result, system_error);
}

void FaultKernel::freeaddrinfo(addrinfo* list) {
  static_cast<void>(due(Call::freeaddrinfo));
  inner_.freeaddrinfo(list);
}

int FaultKernel::signal_action(int signal_number, const struct sigaction* action,
                               struct sigaction* old) {
  if (const int error = error_of(Call::signal_action)) return error;
  return inner_.signal_action(signal_number, action, old);
}

}  // namespace weir

// SPDX-License-Identifier: MIT
#include <weir/reactor/sim/fake_kernel.hpp>

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <ranges>

#include <weir/reactor/error.hpp>
#include <weir/reactor/sim/fake_address.hpp>
#include <weir/reactor/sim/fake_socket.hpp>

namespace weir {
namespace {

using detail::FakeState;

constexpr int first_fd = 3;  // A program has 0, 1 and 2 already.

}  // namespace

// --- The poller and the executor ---

class FakeKernel::FakePoller final : public Poller {
 public:
  explicit FakePoller(FakeKernel& kernel) : kernel_(kernel) { kernel_.pollers_.push_back(this); }
  ~FakePoller() override { std::erase(kernel_.pollers_, this); }

  const char* name() const noexcept override { return "fake"; }

  int set(int fd, std::uint32_t generation, Interest interest) override {
    if (interest == Interest::none) {
      watched_.erase(fd);
      return 0;
    }
    Socket* socket = nullptr;
    if (const auto answer = kernel_.enter(Call::poller_set, fd, socket)) return answer->error;
    watched_[fd] = {generation, interest};
    return 0;
  }

  int wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override {
    if (const auto answer = kernel_.scripted(Call::poller_wait)) return answer->error;
    const bool more_jobs = kernel_.run_jobs();
    const bool woken = woken_.exchange(false, std::memory_order_acquire);
    std::vector<Ready> found = ready_now();
    if (kernel_.ready_filter_) kernel_.ready_filter_(found);
    if (found.empty() && !woken && !more_jobs) {
      if (!timeout) return EDEADLK;
      kernel_.now_ = detail::deadline_after(kernel_.now_, std::max(*timeout, Duration::zero()));
    }
    ready.insert(ready.end(), found.begin(), found.end());
    return 0;
  }

  void wake() noexcept override { woken_.store(true, std::memory_order_release); }

  bool watches(int fd) const { return watched_.contains(fd); }
  void forget(int fd) { watched_.erase(fd); }

 private:
  std::vector<Ready> ready_now() const {
    std::vector<Ready> found;
    for (const auto& [fd, watch] : watched_) {
      const Socket& socket = kernel_.at(fd);
      const bool readable = wants_read(watch.second) && socket.readable();
      const bool writable = wants_write(watch.second) && socket.writable();
      if (readable || writable) found.push_back({fd, watch.first, readable, writable});
    }
    return found;
  }

  FakeKernel& kernel_;
  std::map<int, std::pair<std::uint32_t, Interest>> watched_;
  std::atomic<bool> woken_ = false;
};

class FakeKernel::FakeExecutor final : public Executor {
 public:
  explicit FakeExecutor(FakeKernel& kernel) : kernel_(kernel) {}
  ~FakeExecutor() override { shutdown(true); }

  void submit(Callback job) override {
    if (ended_) throw RuntimeError("cannot schedule new futures after shutdown");
    if (kernel_.scripted(Call::executor_submit)) throw RuntimeError("can't start new thread");
    kernel_.jobs_.push_back({this, std::move(job)});
  }

  void shutdown(bool) override {
    ended_ = true;
    std::vector<Job> dropped;  // Destroyed last: what a job captured may submit another one.
    for (Job& job : kernel_.jobs_) {
      if (job.owner == this) dropped.push_back(std::move(job));
    }
    std::erase_if(kernel_.jobs_, [](const Job& job) { return !job.run; });
  }

 private:
  FakeKernel& kernel_;
  bool ended_ = false;
};

bool FakeKernel::run_jobs() {
  for (std::size_t left = jobs_per_wait_.value_or(jobs_.size()); left > 0 && !jobs_.empty();
       --left) {
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    job.run();
  }
  return !jobs_.empty() && jobs_per_wait_ != std::size_t{0};
}

std::unique_ptr<Poller> FakeKernel::make_poller() {
  if (const auto answer = scripted(Call::make_poller)) throw_os_error(answer->error);
  return std::make_unique<FakePoller>(*this);
}

std::unique_ptr<Executor> FakeKernel::make_executor(std::size_t) {
  if (const auto answer = scripted(Call::make_executor)) throw_os_error(answer->error);
  return std::make_unique<FakeExecutor>(*this);
}

// --- What a test says and sees ---

FakeKernel::FakeKernel() { add_host("localhost", {"127.0.0.1"}); }

void FakeKernel::script(Call call, IoResult result) { script_of(call).next.push_back(result); }
void FakeKernel::fail_always(Call call, int error) { script_of(call).always = error; }
void FakeKernel::clear(Call call) { script_of(call) = {}; }

FakeKernel::Script& FakeKernel::script_of(Call call) {
  if (call == Call::now || call == Call::freeaddrinfo || call == Call::poller_wake) {
    throw ValueError(std::string(to_string(call)) + " cannot be scripted: it cannot fail");
  }
  return scripts_[static_cast<std::size_t>(call)];
}

void FakeKernel::set_capacity(int fd, std::size_t bytes) { at(fd).capacity_bytes = bytes; }

void FakeKernel::finish_connect(int fd, int error) {
  Socket& socket = at(fd);
  if (socket.state != FakeState::connecting) throw ValueError("no connect() is held");
  socket.state = FakeState::fresh;
  socket.error = error != 0 ? error : establish(sockets_.at(fd));
}

void FakeKernel::put(int fd, std::string_view bytes) {
  if (const SocketPtr other = at(fd).peer.lock()) other->inbox += bytes;
}

void FakeKernel::put_eof(int fd) { at(fd).shut_down(); }
void FakeKernel::reset(int fd) { at(fd).hang_up(true); }
std::string FakeKernel::take(int fd) { return std::exchange(at(fd).inbox, {}); }
bool FakeKernel::at_eof(int fd) const { return at(fd).ended && at(fd).inbox.empty(); }

void FakeKernel::add_host(std::string host, std::vector<std::string> addresses) {
  hosts_[std::move(host)] = std::move(addresses);
}

bool FakeKernel::raise_signal(int signal_number) {
  const auto found = signals_.find(signal_number);
  if (found == signals_.end()) return false;
  const struct sigaction action = found->second;  // A copy: the handler may install another one.
  siginfo_t info{};
  info.si_signo = signal_number;
  const bool with_info = (action.sa_flags & SA_SIGINFO) != 0;
  if (!with_info && action.sa_handler == SIG_DFL) return false;
  if (with_info) action.sa_sigaction(signal_number, &info, nullptr);
  if (!with_info && action.sa_handler != SIG_IGN) action.sa_handler(signal_number);
  return true;
}

std::vector<int> FakeKernel::open_fds() const {
  const auto fds = std::views::keys(sockets_);
  return {fds.begin(), fds.end()};
}

std::vector<int> FakeKernel::registered_fds() const {
  std::vector<int> fds = open_fds();
  std::erase_if(fds, [this](int fd) {
    return std::ranges::none_of(pollers_, [=](auto* poller) { return poller->watches(fd); });
  });
  return fds;
}

// --- The descriptor table ---

/// What the test wants `call` to say, or nothing: then it is done.
std::optional<IoResult> FakeKernel::scripted(Call call) {
  if (const CallHook hook = call_hook_) hook(call);  // A copy: it may install another one.
  Script& script = script_of(call);
  if (script.next.empty()) {
    return script.always != 0 ? std::optional(IoResult{0, script.always}) : std::nullopt;
  }
  const IoResult result = script.next.front();
  script.next.pop_front();
  return result;
}

/// As scripted(), for the calls on a descriptor; fills in `socket`, or says EBADF.
std::optional<IoResult> FakeKernel::enter(Call call, int fd, Socket*& socket) {
  socket = find(fd);
  if (socket != nullptr) return scripted(call);
  note_misuse(call, fd, "is not open");
  return IoResult{0, EBADF};
}

void FakeKernel::note_misuse(Call call, int fd, std::string_view what) {
  misuses_.push_back(std::string(to_string(call)) + ": descriptor " + std::to_string(fd) + " " +
                     std::string(what));
}

FakeKernel::Socket& FakeKernel::at(int fd) const {
  if (Socket* socket = find(fd)) return *socket;
  throw ValueError("descriptor " + std::to_string(fd) + " is not open");
}

FakeKernel::Socket* FakeKernel::find(int fd) const {
  const auto found = sockets_.find(fd);
  return found != sockets_.end() ? found->second.get() : nullptr;
}

FakeKernel::SocketPtr FakeKernel::make_socket(int family) const {
  return std::make_shared<Socket>(family, capacity_bytes_);
}

/// Takes the lowest free number.
int FakeKernel::install(SocketPtr socket) {
  int fd = first_fd;
  for (const auto& [taken, other] : sockets_) {
    if (taken != fd) break;
    ++fd;
  }
  sockets_.emplace(fd, std::move(socket));
  return fd;
}

// --- Kernel ---

IoResult FakeKernel::socket(int family, int type, int) {
  if (const auto answer = scripted(Call::socket)) return *answer;
  if (family != AF_INET && family != AF_INET6 && family != AF_UNIX) return {0, EAFNOSUPPORT};
  if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM) return {0, EPROTONOSUPPORT};
  if (full()) return {0, EMFILE};
  return {install(make_socket(family)), 0};
}

int FakeKernel::socketpair(int family, int, int (&fds)[2]) {
  if (const auto answer = scripted(Call::socketpair)) return answer->error;
  if (family != AF_UNIX) return EOPNOTSUPP;
  if (max_fds_ != 0 && sockets_.size() + 2 > max_fds_) return EMFILE;
  const SocketPtr ends[2] = {make_socket(family), make_socket(family)};
  Socket::join(ends[0], ends[1]);
  for (int i = 0; i < 2; ++i) fds[i] = install(ends[i]);
  return 0;
}

int FakeKernel::bind(int fd, const sockaddr* address, std::uint32_t length) {
  Socket* socket = nullptr;
  if (const auto answer = enter(Call::bind, fd, socket)) return answer->error;
  const std::optional<std::string> wanted = detail::clean_address(address, length);
  return wanted ? bind_to(*socket, *wanted) : EINVAL;
}

int FakeKernel::listen(int fd, int backlog) {
  Socket* socket = nullptr;
  if (const auto answer = enter(Call::listen, fd, socket)) return answer->error;
  if (socket->state != FakeState::fresh && socket->state != FakeState::listening) return EINVAL;
  if (socket->local.empty()) bind_to(*socket, detail::any_address(socket->family));
  socket->state = FakeState::listening;
  socket->max_backlog = static_cast<std::size_t>(std::max(backlog, 0));
  return 0;
}

IoResult FakeKernel::accept(int fd, sockaddr* address, std::uint32_t* length) {
  Socket* socket = nullptr;
  if (const auto answer = enter(Call::accept, fd, socket)) return *answer;
  if (socket->state != FakeState::listening) return {0, EINVAL};
  if (socket->backlog.empty()) return {0, EAGAIN};
  if (full()) return {0, EMFILE};
  detail::give_bytes(socket->backlog.front()->remote_name(), address, length);
  return {install(socket->next_connection()), 0};
}

int FakeKernel::connect(int fd, const sockaddr* address, std::uint32_t length) {
  Socket* socket = nullptr;
  if (const auto answer = enter(Call::connect, fd, socket)) return answer->error;
  if (socket->state == FakeState::connecting) return EALREADY;
  if (socket->state != FakeState::fresh) return EISCONN;
  const std::optional<std::string> wanted = detail::clean_address(address, length);
  if (!wanted) return EINVAL;
  if (detail::family_of(*wanted) != socket->family) return EAFNOSUPPORT;
  socket->remote = *wanted;
  const bool at_once = connects_ == Connects::at_once || socket->family == AF_UNIX;
  if (connects_ == Connects::held && !at_once) {
    socket->state = FakeState::connecting;
    return EINPROGRESS;
  }
  const int error = establish(sockets_.at(fd));
  if (at_once) return error;
  socket->error = error;
  return EINPROGRESS;
}

IoResult FakeKernel::recv(int fd, std::span<const iovec> buffers) {
  Socket* socket = nullptr;
  if (const auto answer = enter(Call::recv, fd, socket)) return *answer;
  return socket->recv(buffers, max_recv_bytes_);
}

IoResult FakeKernel::send(int fd, std::span<const iovec> buffers) {
  Socket* socket = nullptr;
  if (const auto answer = enter(Call::send, fd, socket)) return *answer;
  return socket->send(buffers, max_send_bytes_);
}

int FakeKernel::shutdown(int fd, int how) {
  Socket* socket = nullptr;
  if (const auto answer = enter(Call::shutdown, fd, socket)) return answer->error;
  if (socket->state != FakeState::connected) return ENOTCONN;
  if (how != SHUT_RD) socket->shut_down();
  if (how != SHUT_WR) socket->ended = true;
  return 0;
}

int FakeKernel::close(int fd) {
  Socket* socket = nullptr;
  const std::optional<IoResult> answer = enter(Call::close, fd, socket);
  if (socket == nullptr) return EBADF;
  for (FakePoller* poller : pollers_) {
    if (!poller->watches(fd)) continue;
    note_misuse(Call::close, fd, "is registered with a poller");
    poller->forget(fd);
  }
  socket->close();
  sockets_.erase(fd);
  return answer ? answer->error : 0;
}

int FakeKernel::set_nonblocking(int fd) {
  Socket* socket = nullptr;
  return enter(Call::set_nonblocking, fd, socket).value_or(IoResult()).error;  // Nothing blocks.
}

int FakeKernel::getsockopt(int fd, int level, int option, void* value, std::uint32_t* length) {
  Socket* socket = nullptr;
  if (const auto answer = enter(Call::getsockopt, fd, socket)) return answer->error;
  detail::give_bytes(socket->option(level, option).substr(0, *length), value, length);
  return 0;
}

int FakeKernel::setsockopt(int fd, int level, int option, const void* value, std::uint32_t length) {
  Socket* socket = nullptr;
  if (const auto answer = enter(Call::setsockopt, fd, socket)) return answer->error;
  socket->options[{level, option}].assign(static_cast<const char*>(value), length);
  return 0;
}

int FakeKernel::getsockname(int fd, sockaddr* address, std::uint32_t* length) {
  Socket* socket = nullptr;
  if (const auto answer = enter(Call::getsockname, fd, socket)) return answer->error;
  detail::give_bytes(socket->local_name(), address, length);
  return 0;
}

int FakeKernel::getpeername(int fd, sockaddr* address, std::uint32_t* length) {
  Socket* socket = nullptr;
  if (const auto answer = enter(Call::getpeername, fd, socket)) return answer->error;
  if (socket->state != FakeState::connected || socket->gone()) return ENOTCONN;
  detail::give_bytes(socket->remote_name(), address, length);
  return 0;
}

int FakeKernel::getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                            addrinfo** result, int* system_error) {
  *system_error = 0;
  if (const auto answer = scripted(Call::getaddrinfo)) {
    *system_error = answer->error;
    return answer->error != 0 ? EAI_SYSTEM : static_cast<int>(answer->value);
  }
  return detail::look_up(hosts_, host, service, hints, result);
}

void FakeKernel::freeaddrinfo(addrinfo* list) { detail::free_answers(list); }

int FakeKernel::signal_action(int signal_number, const struct sigaction* action,
                              struct sigaction* old) {
  if (const auto answer = scripted(Call::signal_action)) return answer->error;
  const bool fixed = signal_number == SIGKILL || signal_number == SIGSTOP;
  if (signal_number < 1 || signal_number >= NSIG || (fixed && action != nullptr)) return EINVAL;
  if (old != nullptr) *old = signals_[signal_number];
  if (action != nullptr) signals_[signal_number] = *action;
  return 0;
}

}  // namespace weir

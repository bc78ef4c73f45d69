// SPDX-License-Identifier: MIT
#include <weir/reactor/sim/sim_kernel.hpp>

#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include <weir/reactor/error.hpp>
#include <weir/reactor/sim/fake_address.hpp>
#include <weir/reactor/sim/sim_network.hpp>
#include <weir/reactor/sim/sim_poller.hpp>
#include <weir/reactor/sim/sim_socket.hpp>

// The machine itself: descriptors, names, files, options. sim_kernel_io.cpp has what moves bytes.

namespace weir {
namespace {

using detail::SimState;

constexpr std::size_t first_socket_fd = 3;  // A program has 0, 1 and 2 already.
constexpr Duration longest_without_fds = std::chrono::seconds(5);

}  // namespace

SimKernel::SimKernel(std::uint64_t seed, const SimOptions& options)
    : network_(std::make_unique<detail::SimNetwork>(seed, options)), sockets_(first_socket_fd) {
  add_host("localhost", {"127.0.0.1"});
  network_->connect_due = [this](const SocketPtr& client) { answer_connect(client); };
  network_->job_due = [this](std::uint64_t number) { run_job(number); };
}

SimKernel::~SimKernel() = default;

TimePoint SimKernel::now() { return network_->now; }

void SimKernel::heal() { network_->heal(); }

std::uint64_t SimKernel::injected(SimFault fault) const noexcept {
  return network_->injected[static_cast<std::size_t>(fault)];
}

SimTrace& SimKernel::trace() noexcept { return network_->trace; }
const SimTrace& SimKernel::trace() const noexcept { return network_->trace; }

void SimKernel::add_host(std::string host, std::vector<std::string> addresses) {
  hosts_[std::move(host)] = std::move(addresses);
}

int SimKernel::add_file(std::string contents) {
  const SocketPtr file = make_socket(AF_UNSPEC);
  file->file = std::move(contents);
  return install(file);
}

// ---- The truth

std::optional<std::uint64_t> SimKernel::stream_of(int fd) const {
  const SocketPtr socket = find(fd);
  if (socket == nullptr || socket->id == detail::SimNetwork::no_stream) return std::nullopt;
  return socket->id;
}

const SimStream& SimKernel::stream(std::uint64_t number) const {
  if (number >= network_->streams.size()) throw ValueError("no such stream");
  return network_->streams[number];
}

std::uint64_t SimKernel::stream_count() const noexcept { return network_->streams.size(); }

bool SimKernel::readable(int fd) const {
  const SocketPtr socket = find(fd);
  return socket != nullptr && socket->readable();
}

bool SimKernel::writable(int fd) const {
  const SocketPtr socket = find(fd);
  return socket != nullptr && socket->writable();
}

std::vector<int> SimKernel::open_fds() const {
  std::vector<int> fds;
  for (std::size_t fd = 0; fd < sockets_.size(); ++fd) {
    if (sockets_[fd] != nullptr) fds.push_back(static_cast<int>(fd));
  }
  return fds;
}

std::vector<int> SimKernel::registered_fds() const {
  std::vector<int> fds = open_fds();
  std::erase_if(fds, [this](int fd) {
    return std::none_of(pollers_.begin(), pollers_.end(),
                        [=](const SimPoller* poller) { return poller->watches(fd); });
  });
  return fds;
}

// ---- The descriptor table

SimKernel::SocketPtr SimKernel::find(int fd) const {
  const auto index = static_cast<std::size_t>(fd);
  return fd >= 0 && index < sockets_.size() ? sockets_[index] : nullptr;
}

/// Time passes; then the socket, or null and a misuse.
SimKernel::SocketPtr SimKernel::enter(Call call, int fd) {
  network_->pass_time();
  const SocketPtr socket = find(fd);
  if (socket == nullptr) note_misuse(to_string(call), fd, "is not open");
  touched(fd);
  return socket;
}

void SimKernel::touched(int fd) {
  for (SimPoller* poller : pollers_) poller->touched(fd);
}

void SimKernel::note_misuse(std::string_view call, int fd, std::string_view what) {
  misuses_.push_back(std::string(call) + ": descriptor " + std::to_string(fd) + " " +
                     std::string(what));
  network_->trace.note(network_->now, "misuse: " + misuses_.back());
}

int SimKernel::said(Call call, int fd, int error) {
  network_->trace.call(network_->now, call, fd, 0, error);
  return error;
}

IoResult SimKernel::said(Call call, int fd, IoResult result) {
  network_->trace.call(network_->now, call, fd, result.value, result.error);
  return result;
}

SimKernel::SocketPtr SimKernel::make_socket(int family) const {
  return std::make_shared<Socket>(detail::SimNetwork::no_stream, family, default_capacity_bytes);
}

bool SimKernel::no_fds() {
  if (network_->now < network_->no_fds_until) return true;
  if (!network_->strikes(SimFault::no_fds)) return false;
  network_->no_fds_until = network_->now + network_->random.up_to(longest_without_fds);
  return true;
}

/// Takes the lowest free number.
int SimKernel::install(SocketPtr socket) {
  auto place = std::find(sockets_.begin() + first_socket_fd, sockets_.end(), nullptr);
  if (place == sockets_.end()) place = sockets_.insert(place, nullptr);
  *place = std::move(socket);
  return static_cast<int>(place - sockets_.begin());
}

IoResult SimKernel::socket(int family, int type, int) {
  network_->pass_time();
  const bool known = family == AF_INET || family == AF_INET6 || family == AF_UNIX;
  if (!known) return said(Call::socket, -1, IoResult{0, EAFNOSUPPORT});
  if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM)
    return said(Call::socket, -1, IoResult{0, EPROTONOSUPPORT});
  if (no_fds()) return said(Call::socket, -1, IoResult{0, EMFILE});
  return said(Call::socket, -1, IoResult{install(make_socket(family)), 0});
}

int SimKernel::socketpair(int family, int, int (&fds)[2]) {
  network_->pass_time();
  if (family != AF_UNIX) return said(Call::socketpair, -1, EOPNOTSUPP);
  if (no_fds()) return said(Call::socketpair, -1, EMFILE);
  const SocketPtr ends[2] = {make_socket(family), make_socket(family)};
  network_->join(ends[0], ends[1]);
  for (int i = 0; i < 2; ++i) fds[i] = install(ends[i]);
  return said(Call::socketpair, -1, 0);
}

int SimKernel::close(int fd) {
  const SocketPtr socket = enter(Call::close, fd);
  if (socket == nullptr) return said(Call::close, fd, EBADF);
  for (SimPoller* poller : pollers_) {
    if (poller->watches(fd)) note_misuse("close", fd, "is registered with a poller");
    poller->closed(fd);
  }
  sockets_[static_cast<std::size_t>(fd)] = nullptr;
  socket->closed = true;
  if (detail::SimNetwork* network = network_.get(); socket->state == SimState::connected) {
    network->streams[socket->id].closed = true;
    const bool resets = socket->unread() != 0 || socket->lingers_zero_seconds();
    if (resets && !socket->dead) network->send_reset(socket);
    if (!resets && !socket->dead && !socket->shut) network->send_end(socket);
  }
  for (const SocketPtr& pending : socket->backlog) {
    pending->closed = true;
    network_->send_reset(pending);
  }
  socket->backlog.clear();
  const bool fails = network_->strikes(SimFault::close_error);
  return said(Call::close, fd, fails ? network_->random.one_of({EINTR, EIO}) : 0);
}

// ---- Names, options, files, signals

int SimKernel::bind(int fd, const sockaddr* address, std::uint32_t length) {
  const SocketPtr socket = enter(Call::bind, fd);
  if (socket == nullptr) return said(Call::bind, fd, EBADF);
  const std::optional<std::string> wanted = detail::clean_address(address, length);
  return said(Call::bind, fd, wanted ? bind_to(*socket, *wanted) : EINVAL);
}

int SimKernel::bind_to(Socket& socket, std::string address) {
  if (!socket.local.empty()) return EINVAL;
  if (detail::family_of(address) != socket.family) return EAFNOSUPPORT;
  if (const std::string path = detail::path_of(address); !path.empty()) {
    if (files_.contains(path)) return EADDRINUSE;  // Whoever has left it there.
    socket.inode = next_inode_++;
    files_[path] = {socket.inode, network_->now};
    socket.local = std::move(address);
    return 0;
  }
  const auto taken = [&] {
    return std::any_of(sockets_.begin(), sockets_.end(), [&](const SocketPtr& other) {
      return other != nullptr && other->occupies(address);
    });
  };
  const bool any_port = detail::has_port(address) && detail::port_of(address) == 0;
  if (!any_port && taken()) return EADDRINUSE;
  if (any_port) {
    do address = detail::with_port(address, next_port_++);
    while (taken());
  }
  socket.local = std::move(address);
  return 0;
}

int SimKernel::listen(int fd, int backlog) {
  const SocketPtr socket = enter(Call::listen, fd);
  if (socket == nullptr) return said(Call::listen, fd, EBADF);
  if (socket->state != SimState::fresh && socket->state != SimState::listening)
    return said(Call::listen, fd, EINVAL);
  if (socket->local.empty()) bind_to(*socket, detail::any_address(socket->family));
  socket->state = SimState::listening;
  socket->max_backlog = static_cast<std::size_t>(std::max(backlog, 0));
  return said(Call::listen, fd, 0);
}

int SimKernel::set_nonblocking(int fd) { return enter(Call::set_nonblocking, fd) ? 0 : EBADF; }

int SimKernel::getsockopt(int fd, int level, int option, void* value, std::uint32_t* length) {
  const SocketPtr socket = enter(Call::getsockopt, fd);
  if (socket == nullptr) return said(Call::getsockopt, fd, EBADF);
  detail::give_bytes(socket->option(level, option).substr(0, *length), value, length);
  return said(Call::getsockopt, fd, 0);
}

int SimKernel::setsockopt(int fd, int level, int option, const void* value, std::uint32_t length) {
  const SocketPtr socket = enter(Call::setsockopt, fd);
  if (socket == nullptr) return said(Call::setsockopt, fd, EBADF);
  socket->options[{level, option}].assign(static_cast<const char*>(value), length);
  return said(Call::setsockopt, fd, 0);
}

int SimKernel::getsockname(int fd, sockaddr* address, std::uint32_t* length) {
  const SocketPtr socket = enter(Call::getsockname, fd);
  if (socket == nullptr) return said(Call::getsockname, fd, EBADF);
  detail::give_bytes(socket->local_name(), address, length);
  return said(Call::getsockname, fd, 0);
}

int SimKernel::getpeername(int fd, sockaddr* address, std::uint32_t* length) {
  const SocketPtr socket = enter(Call::getpeername, fd);
  if (socket == nullptr) return said(Call::getpeername, fd, EBADF);
  if (socket->state != SimState::connected || socket->dead)
    return said(Call::getpeername, fd, ENOTCONN);
  detail::give_bytes(socket->remote_name(), address, length);
  return said(Call::getpeername, fd, 0);
}

int SimKernel::stat(const char* path, struct ::stat* status) {
  network_->pass_time();
  const auto found = files_.find(path);
  if (found == files_.end()) return said(Call::stat, -1, ENOENT);
  *status = {};
  status->st_mode = S_IFSOCK;
  status->st_ino = found->second.inode;
  const Duration changed = found->second.changed.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(changed);
  status->st_ctim = {.tv_sec = seconds.count(), .tv_nsec = (changed - seconds).count()};
  return said(Call::stat, -1, 0);
}

int SimKernel::unlink(const char* path) {
  network_->pass_time();
  return said(Call::unlink, -1, files_.erase(path) == 1 ? 0 : ENOENT);
}

int SimKernel::getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                           addrinfo** result, int* system_error) {
  *system_error = 0;
  int code = 0;
  if (network_->strikes(SimFault::fail_resolve)) {
    code = network_->random.one_of({EAI_AGAIN, EAI_NONAME, EAI_FAIL});
  } else {
    code = detail::look_up(hosts_, host, service, hints, result);
  }
  network_->trace.call(network_->now, Call::getaddrinfo, -1, code, 0);
  return code;
}

void SimKernel::freeaddrinfo(addrinfo* list) { detail::free_answers(list); }

int SimKernel::signal_action(int signal_number, const struct sigaction* action,
                             struct sigaction* old) {
  const bool fixed = signal_number == SIGKILL || signal_number == SIGSTOP;
  if (signal_number < 1 || signal_number >= NSIG || (fixed && action != nullptr)) return EINVAL;
  if (old != nullptr) *old = signals_[signal_number];
  if (action != nullptr) signals_[signal_number] = *action;
  return 0;
}

}  // namespace weir

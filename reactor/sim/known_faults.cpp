// SPDX-License-Identifier: MIT
#include <weir/reactor/sim/known_faults.hpp>

#include <netdb.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace weir {
// Their own namespace: these words mean something else everywhere else.
namespace fault_table {
namespace {

using enum FaultKind;
using enum FaultWhere;
using R = Reaction;

constexpr KnownFault fails(Call call, int value, Reaction reaction, std::string_view source,
                           FaultWhere where = everywhere) {
  return {call, error, value, where, reaction, source};
}
/// What one kind of socket, or one option, can come to only.
constexpr FaultWhere place_of(FaultKind kind) {
  if (kind == done_yet) return internet;
  return kind == pending ? so_error : everywhere;
}
constexpr KnownFault comes(Call call, FaultKind kind, Reaction reaction, std::string_view source,
                           int value = 0) {
  return {call, kind, value, place_of(kind), reaction, source};
}

constexpr KnownFault table[] = {
    comes(Call::now, late, R::time_passes, "a machine that was suspended"),
    comes(Call::now, early, R::time_passes, "a clock that is not monotonic after all"),
    comes(Call::now, frozen, R::time_passes, "a coarse clock"),

    fails(Call::socket, EMFILE, R::fail_call, "socket(2)"),
    fails(Call::socket, ENFILE, R::fail_call, "socket(2)"),
    fails(Call::socket, ENOMEM, R::fail_call, "socket(2)"),
    fails(Call::socket, ENOBUFS, R::fail_call, "socket(2)"),
    fails(Call::socket, EACCES, R::fail_call, "socket(2)"),
    fails(Call::socket, EPERM, R::fail_call, "seccomp(2)"),
    fails(Call::socket, EINVAL, R::fail_call, "socket(2)"),
    fails(Call::socket, EAFNOSUPPORT, R::next_address, "socket(2)"),
    fails(Call::socket, EPROTONOSUPPORT, R::next_address, "socket(2)"),

    fails(Call::socketpair, EMFILE, R::fail_call, "socketpair(2)"),
    fails(Call::socketpair, ENFILE, R::fail_call, "socketpair(2)"),
    fails(Call::socketpair, EAFNOSUPPORT, R::fail_call, "socketpair(2)"),
    fails(Call::socketpair, EOPNOTSUPP, R::fail_call, "socketpair(2)"),

    fails(Call::bind, EADDRINUSE, R::fail_call, "bind(2)"),
    fails(Call::bind, EADDRNOTAVAIL, R::next_address, "bind(2)"),
    fails(Call::bind, EACCES, R::fail_call, "bind(2)"),
    fails(Call::bind, EINVAL, R::fail_call, "bind(2)"),
    fails(Call::bind, ENOENT, R::fail_call, "bind(2)"),
    fails(Call::bind, ENOTDIR, R::fail_call, "bind(2)"),
    fails(Call::bind, ENAMETOOLONG, R::fail_call, "bind(2)"),
    fails(Call::bind, ELOOP, R::fail_call, "bind(2)"),
    fails(Call::bind, EROFS, R::fail_call, "bind(2)"),
    fails(Call::bind, ENOMEM, R::fail_call, "bind(2)"),
    fails(Call::bind, EPERM, R::fail_call, "capabilities(7)"),

    fails(Call::listen, EADDRINUSE, R::fail_call, "listen(2)"),
    fails(Call::listen, EOPNOTSUPP, R::fail_call, "listen(2)"),
    fails(Call::listen, EINVAL, R::fail_call, "listen(3p)"),
    fails(Call::listen, ENOBUFS, R::fail_call, "listen(3p)"),

    fails(Call::accept, EAGAIN, R::retry, "accept(2)"),
    fails(Call::accept, EINTR, R::retry, "accept(2)"),
    fails(Call::accept, ECONNABORTED, R::next_connection, "accept(2)"),
    fails(Call::accept, EPERM, R::next_connection, "accept(2): a firewall forbids it"),
    fails(Call::accept, EPROTO, R::next_connection, "accept(2)"),
    fails(Call::accept, ENETDOWN, R::next_connection, "accept(2)"),
    fails(Call::accept, ENOPROTOOPT, R::next_connection, "accept(2)"),
    fails(Call::accept, EHOSTDOWN, R::next_connection, "accept(2)"),
    fails(Call::accept, EHOSTUNREACH, R::next_connection, "accept(2)"),
    fails(Call::accept, ENETUNREACH, R::next_connection, "accept(2)"),
    fails(Call::accept, EMFILE, R::wait, "accept(2)"),
    fails(Call::accept, ENFILE, R::wait, "accept(2)"),
    fails(Call::accept, ENOBUFS, R::wait, "accept(2)"),
    fails(Call::accept, ENOMEM, R::wait, "accept(2)"),
    fails(Call::accept, EOPNOTSUPP, R::wait, "accept(2): also of a socket that does not listen"),
    fails(Call::accept, EINVAL, R::wait, "accept(2)"),
    fails(Call::accept, ETIMEDOUT, R::wait, "accept(2): TCP/IP errors that are pending"),
    fails(Call::accept, EIO, R::wait, "errors that nobody has documented"),
    comes(Call::accept, no_address, R::ignore, "macOS, when the client is gone already"),

    comes(Call::connect, done_yet, R::retry, "connect(2)", EINPROGRESS),
    comes(Call::connect, done_yet, R::retry, "connect(2)", EINTR),
    fails(Call::connect, ECONNREFUSED, R::next_address, "connect(2)", internet),
    fails(Call::connect, ENETUNREACH, R::next_address, "connect(2)", internet),
    fails(Call::connect, EHOSTUNREACH, R::next_address, "ip(7)", internet),
    fails(Call::connect, ETIMEDOUT, R::next_address, "connect(2)", internet),
    fails(Call::connect, EADDRNOTAVAIL, R::next_address, "connect(2)", internet),
    fails(Call::connect, EADDRINUSE, R::next_address, "connect(2)", internet),
    fails(Call::connect, EACCES, R::next_address, "connect(2)", internet),
    fails(Call::connect, EPERM, R::next_address, "connect(2): a firewall forbids it", internet),
    fails(Call::connect, EAGAIN, R::next_address, "connect(2): no local port is free", internet),
    fails(Call::connect, EALREADY, R::next_address, "connect(2)", internet),
    fails(Call::connect, EISCONN, R::next_address, "connect(2)", internet),
    fails(Call::connect, EAFNOSUPPORT, R::next_address, "connect(2)", internet),
    fails(Call::connect, EINVAL, R::next_address, "connect(2)", internet),
    fails(Call::connect, ENETDOWN, R::next_address, "ip(7)", internet),
    fails(Call::connect, ENOBUFS, R::next_address, "ip(7)", internet),
    fails(Call::connect, ECONNRESET, R::next_address, "connect(3p)", internet),
    fails(Call::connect, EAGAIN, R::retry, "unix(7): the backlog is full", local),
    fails(Call::connect, ECONNREFUSED, R::fail_call, "unix(7)", local),
    fails(Call::connect, ENOENT, R::fail_call, "path_resolution(7)", local),
    fails(Call::connect, ENOTDIR, R::fail_call, "path_resolution(7)", local),
    fails(Call::connect, ELOOP, R::fail_call, "path_resolution(7)", local),
    fails(Call::connect, EACCES, R::fail_call, "connect(2)", local),
    fails(Call::connect, EPERM, R::fail_call, "connect(2)", local),
    fails(Call::connect, EPROTOTYPE, R::fail_call, "unix(7)", local),
    fails(Call::connect, ENOMEM, R::fail_call, "unix(7)", local),

    fails(Call::recv, EAGAIN, R::retry, "recv(2)"),
    fails(Call::recv, EINTR, R::retry, "recv(2)"),
    fails(Call::recv, ECONNRESET, R::close_transport, "recv(3p)"),
    fails(Call::recv, ETIMEDOUT, R::close_transport, "tcp(7)"),
    fails(Call::recv, EHOSTUNREACH, R::close_transport, "ip(7)"),
    fails(Call::recv, ENETUNREACH, R::close_transport, "ip(7)"),
    fails(Call::recv, ENETDOWN, R::close_transport, "ip(7)"),
    fails(Call::recv, ECONNREFUSED, R::close_transport, "recv(2)"),
    fails(Call::recv, ECONNABORTED, R::close_transport, "ss(8) --kill"),
    fails(Call::recv, EPIPE, R::close_transport, "tcp(7)"),
    fails(Call::recv, ENOTCONN, R::close_transport, "recv(2)"),
    fails(Call::recv, ENOMEM, R::close_transport, "recv(2)"),
    fails(Call::recv, ENOBUFS, R::close_transport, "recv(3p)"),
    fails(Call::recv, EIO, R::close_transport, "recv(3p)"),
    comes(Call::recv, one_byte, R::retry, "recv(2)"),
    comes(Call::recv, half, R::retry, "recv(2)"),
    comes(Call::recv, end, R::end_stream, "recv(2)"),

    fails(Call::send, EAGAIN, R::retry, "send(2)"),
    fails(Call::send, EINTR, R::retry, "send(2)"),
    fails(Call::send, EPIPE, R::close_transport, "send(2)"),
    fails(Call::send, ECONNRESET, R::close_transport, "send(2)"),
    fails(Call::send, ETIMEDOUT, R::close_transport, "tcp(7)"),
    fails(Call::send, EHOSTUNREACH, R::close_transport, "ip(7)"),
    fails(Call::send, ENETUNREACH, R::close_transport, "ip(7)"),
    fails(Call::send, ENETDOWN, R::close_transport, "ip(7)"),
    fails(Call::send, ECONNABORTED, R::close_transport, "ss(8) --kill"),
    fails(Call::send, ENOTCONN, R::close_transport, "send(2)"),
    fails(Call::send, EACCES, R::close_transport, "send(2)"),
    fails(Call::send, EPERM, R::close_transport, "a firewall forbids it"),
    fails(Call::send, ENOBUFS, R::close_transport, "send(2)"),
    fails(Call::send, ENOMEM, R::close_transport, "send(2)"),
    fails(Call::send, EIO, R::close_transport, "send(3p)"),
    comes(Call::send, one_byte, R::retry, "send(2)"),
    comes(Call::send, half, R::retry, "send(2)"),

    fails(Call::sendfile, EAGAIN, R::retry, "sendfile(2)"),
    fails(Call::sendfile, EINTR, R::retry, "sendfile(2)"),
    fails(Call::sendfile, ENOSYS, R::other_way, "sendfile(2)"),
    fails(Call::sendfile, EINVAL, R::other_way, "sendfile(2)"),
    fails(Call::sendfile, EOPNOTSUPP, R::other_way, "sendfile(2) of BSD"),
    fails(Call::sendfile, ESPIPE, R::other_way, "sendfile(2)"),
    fails(Call::sendfile, EIO, R::fail_call, "sendfile(2)"),
    fails(Call::sendfile, ENOMEM, R::fail_call, "sendfile(2)"),
    fails(Call::sendfile, EOVERFLOW, R::fail_call, "sendfile(2)"),
    fails(Call::sendfile, EPIPE, R::fail_call, "send(2)"),
    fails(Call::sendfile, ECONNRESET, R::fail_call, "send(2)"),
    fails(Call::sendfile, ENOTCONN, R::fail_call, "send(2)"),
    comes(Call::sendfile, one_byte, R::retry, "sendfile(2)"),
    comes(Call::sendfile, half, R::retry, "sendfile(2)"),
    comes(Call::sendfile, end, R::end_stream, "sendfile(2): the file was cut"),

    fails(Call::pread, EINTR, R::retry, "pread(2)"),
    fails(Call::pread, EIO, R::fail_call, "read(2)"),
    fails(Call::pread, EISDIR, R::fail_call, "read(2)"),
    fails(Call::pread, EINVAL, R::fail_call, "read(2)"),
    fails(Call::pread, ESPIPE, R::fail_call, "pread(2)"),
    fails(Call::pread, EOVERFLOW, R::fail_call, "pread(2)"),
    fails(Call::pread, ENXIO, R::fail_call, "pread(2)"),
    comes(Call::pread, one_byte, R::retry, "read(2)"),
    comes(Call::pread, half, R::retry, "read(2)"),
    comes(Call::pread, end, R::end_stream, "read(2): the file was cut"),

    fails(Call::shutdown, ENOTCONN, R::close_transport, "shutdown(2)"),
    fails(Call::shutdown, EINVAL, R::close_transport, "shutdown(2)"),
    fails(Call::shutdown, ENOBUFS, R::close_transport, "shutdown(3p)"),

    fails(Call::close, EINTR, R::ignore, "close(2): the descriptor is gone all the same"),
    fails(Call::close, EIO, R::ignore, "close(2)"),
    fails(Call::close, ENOSPC, R::ignore, "close(2)"),
    fails(Call::close, EDQUOT, R::ignore, "close(2)"),

    fails(Call::set_nonblocking, EINVAL, R::ignore, "fcntl(2)"),
    fails(Call::set_nonblocking, ENOTTY, R::ignore, "ioctl(2)"),

    comes(Call::getsockopt, pending, R::next_address, "connect(2)", ECONNREFUSED),
    comes(Call::getsockopt, pending, R::next_address, "connect(2)", ETIMEDOUT),
    comes(Call::getsockopt, pending, R::next_address, "ip(7)", EHOSTUNREACH),
    comes(Call::getsockopt, pending, R::next_address, "connect(2)", ENETUNREACH),
    comes(Call::getsockopt, pending, R::next_address, "connect(3p)", ECONNRESET),
    comes(Call::getsockopt, pending, R::next_address, "connect(3p)", EADDRNOTAVAIL),
    fails(Call::getsockopt, ENOBUFS, R::next_address, "getsockopt(3p)", so_error),
    fails(Call::getsockopt, EINVAL, R::next_address, "getsockopt(2)", so_error),
    fails(Call::getsockopt, ENOPROTOOPT, R::fail_call, "getsockopt(2)", other),
    fails(Call::getsockopt, ENOTSOCK, R::fail_call, "getsockopt(2)", other),

    fails(Call::setsockopt, ENOPROTOOPT, R::ignore, "setsockopt(2)", other),
    fails(Call::setsockopt, EINVAL, R::ignore, "setsockopt(2); macOS, of a dead connection", other),
    fails(Call::setsockopt, ENOMEM, R::ignore, "setsockopt(3p)", other),
    fails(Call::setsockopt, EPERM, R::ignore, "socket(7)", other),
    fails(Call::setsockopt, EOPNOTSUPP, R::ignore, "setsockopt(2)", other),
    fails(Call::setsockopt, ENOPROTOOPT, R::fail_call, "setsockopt(2)", reuse_port),
    fails(Call::setsockopt, EOPNOTSUPP, R::fail_call, "setsockopt(2)", reuse_port),

    fails(Call::getsockname, ENOBUFS, R::ignore, "getsockname(2)"),
    fails(Call::getsockname, EINVAL, R::ignore, "getsockname(3p)"),
    fails(Call::getsockname, EOPNOTSUPP, R::ignore, "getsockname(3p)"),

    fails(Call::getpeername, ENOTCONN, R::ignore, "getpeername(2): the peer is gone already"),
    fails(Call::getpeername, ENOBUFS, R::ignore, "getpeername(2)"),
    fails(Call::getpeername, EINVAL, R::ignore, "getpeername(3p)"),

    fails(Call::stat, ENOENT, R::ignore, "stat(2)"),
    fails(Call::stat, EACCES, R::log, "stat(2)"),
    fails(Call::stat, EIO, R::log, "stat(3p)"),
    fails(Call::stat, ELOOP, R::log, "stat(2)"),
    fails(Call::stat, ENOTDIR, R::log, "stat(2)"),
    fails(Call::stat, ENOMEM, R::log, "stat(2)"),
    fails(Call::stat, EOVERFLOW, R::log, "stat(2)"),

    fails(Call::unlink, ENOENT, R::ignore, "unlink(2)"),
    fails(Call::unlink, EACCES, R::log, "unlink(2)"),
    fails(Call::unlink, EPERM, R::log, "unlink(2)"),
    fails(Call::unlink, EBUSY, R::log, "unlink(2)"),
    fails(Call::unlink, EROFS, R::log, "unlink(2)"),
    fails(Call::unlink, EIO, R::log, "unlink(2)"),
    fails(Call::unlink, EISDIR, R::log, "unlink(2)"),

    comes(Call::getaddrinfo, resolver, R::fail_call, "getaddrinfo(3)", EAI_AGAIN),
    comes(Call::getaddrinfo, resolver, R::fail_call, "getaddrinfo(3)", EAI_FAIL),
    comes(Call::getaddrinfo, resolver, R::fail_call, "getaddrinfo(3)", EAI_NONAME),
    comes(Call::getaddrinfo, resolver, R::fail_call, "getaddrinfo(3)", EAI_MEMORY),
    comes(Call::getaddrinfo, resolver, R::fail_call, "getaddrinfo(3)", EAI_FAMILY),
    comes(Call::getaddrinfo, resolver, R::fail_call, "getaddrinfo(3)", EAI_SERVICE),
    comes(Call::getaddrinfo, resolver, R::fail_call, "getaddrinfo(3)", EAI_SOCKTYPE),
    comes(Call::getaddrinfo, resolver, R::fail_call, "getaddrinfo(3)", EAI_BADFLAGS),
    comes(Call::getaddrinfo, resolver, R::fail_call, "getaddrinfo(3p)", EAI_OVERFLOW),
    fails(Call::getaddrinfo, EMFILE, R::fail_call, "getaddrinfo(3): EAI_SYSTEM"),
    fails(Call::getaddrinfo, EAGAIN, R::fail_call, "getaddrinfo(3): EAI_SYSTEM"),
    comes(Call::getaddrinfo, no_answer, R::fail_call, "resolvers that filter their answers"),
    comes(Call::getaddrinfo, slow, R::time_passes, "resolv.conf(5): timeout and attempts"),

    fails(Call::signal_action, EINVAL, R::fail_call, "sigaction(2)"),
    fails(Call::signal_action, EPERM, R::fail_call, "seccomp(2)"),

    fails(Call::make_poller, EMFILE, R::fail_call, "epoll_create1(2), eventfd(2)"),
    fails(Call::make_poller, ENFILE, R::fail_call, "epoll_create1(2), eventfd(2)"),
    fails(Call::make_poller, ENOMEM, R::fail_call, "epoll_create1(2), eventfd(2)"),

    fails(Call::make_executor, EAGAIN, R::fail_call, "pthread_create(3)"),
    fails(Call::make_executor, EMFILE, R::fail_call, "executors that have descriptors"),

    fails(Call::poller_set, ENOMEM, R::refuse, "epoll_ctl(2)"),
    fails(Call::poller_set, ENOSPC, R::refuse, "epoll(7): max_user_watches"),
    fails(Call::poller_set, EPERM, R::refuse, "epoll_ctl(2): a regular file"),
    fails(Call::poller_set, EBADF, R::refuse, "epoll_ctl(2): closed behind our back"),

    fails(Call::poller_wait, EBADF, R::stop_loop, "epoll_wait(2)"),
    fails(Call::poller_wait, EINVAL, R::stop_loop, "epoll_wait(2)"),
    fails(Call::poller_wait, ENOMEM, R::stop_loop, "poll(2)"),
    comes(Call::poller_wait, interrupted, R::retry, "epoll_wait(2): EINTR"),
    comes(Call::poller_wait, withheld, R::retry, "a scheduler that is late"),
    comes(Call::poller_wait, reversed, R::retry, "no system promises an order"),
    comes(Call::poller_wait, spurious, R::retry, "select(2), under BUGS"),
    comes(Call::poller_wait, twice, R::retry, "descriptors and their dups, epoll(7)"),
    comes(Call::poller_wait, stale, R::retry, "epoll(7): events of descriptors closed since"),
    comes(Call::poller_wait, hang_up, R::retry, "poll(2): POLLHUP and POLLERR come unasked"),

    comes(Call::executor_submit, no_thread, R::fail_call, "pthread_create(3): EAGAIN"),
};

constexpr std::pair<int, std::string_view> errno_names[] = {
    {EACCES, "EACCES"},
    {EADDRINUSE, "EADDRINUSE"},
    {EADDRNOTAVAIL, "EADDRNOTAVAIL"},
    {EAFNOSUPPORT, "EAFNOSUPPORT"},
    {EAGAIN, "EAGAIN"},
    {EALREADY, "EALREADY"},
    {EBADF, "EBADF"},
    {EBUSY, "EBUSY"},
    {ECONNABORTED, "ECONNABORTED"},
    {ECONNREFUSED, "ECONNREFUSED"},
    {ECONNRESET, "ECONNRESET"},
    {EDQUOT, "EDQUOT"},
    {EHOSTDOWN, "EHOSTDOWN"},
    {EHOSTUNREACH, "EHOSTUNREACH"},
    {EINPROGRESS, "EINPROGRESS"},
    {EINTR, "EINTR"},
    {EINVAL, "EINVAL"},
    {EIO, "EIO"},
    {EISCONN, "EISCONN"},
    {EISDIR, "EISDIR"},
    {ELOOP, "ELOOP"},
    {EMFILE, "EMFILE"},
    {ENAMETOOLONG, "ENAMETOOLONG"},
    {ENETDOWN, "ENETDOWN"},
    {ENETUNREACH, "ENETUNREACH"},
    {ENFILE, "ENFILE"},
    {ENOBUFS, "ENOBUFS"},
    {ENOENT, "ENOENT"},
    {ENOMEM, "ENOMEM"},
    {ENOPROTOOPT, "ENOPROTOOPT"},
    {ENOSPC, "ENOSPC"},
    {ENOSYS, "ENOSYS"},
    {ENOTCONN, "ENOTCONN"},
    {ENOTDIR, "ENOTDIR"},
    {ENOTSOCK, "ENOTSOCK"},
    {ENOTTY, "ENOTTY"},
    {ENXIO, "ENXIO"},
    {EOPNOTSUPP, "EOPNOTSUPP"},
    {EOVERFLOW, "EOVERFLOW"},
    {EPERM, "EPERM"},
    {EPIPE, "EPIPE"},
    {EPROTO, "EPROTO"},
    {EPROTONOSUPPORT, "EPROTONOSUPPORT"},
    {EPROTOTYPE, "EPROTOTYPE"},
    {EROFS, "EROFS"},
    {ESPIPE, "ESPIPE"},
    {ETIMEDOUT, "ETIMEDOUT"},
};

constexpr std::pair<int, std::string_view> resolver_names[] = {
    {EAI_AGAIN, "EAI_AGAIN"},       {EAI_BADFLAGS, "EAI_BADFLAGS"}, {EAI_FAIL, "EAI_FAIL"},
    {EAI_FAMILY, "EAI_FAMILY"},     {EAI_MEMORY, "EAI_MEMORY"},     {EAI_NONAME, "EAI_NONAME"},
    {EAI_OVERFLOW, "EAI_OVERFLOW"}, {EAI_SERVICE, "EAI_SERVICE"},   {EAI_SOCKTYPE, "EAI_SOCKTYPE"},
};

std::string_view name_in(std::span<const std::pair<int, std::string_view>> names, int value) {
  for (const auto& [number, name] : names) {
    if (number == value) return name;
  }
  return "?";
}

std::string_view name_of(FaultKind kind) {
  switch (kind) {
    case one_byte: return "one byte";
    case half: return "half";
    case end: return "end";
    case no_answer: return "empty list";
    case slow: return "30 s";
    case no_address: return "no address";
    case no_thread: return "no thread";
    case interrupted: return "interrupted";
    case withheld: return "withheld";
    case reversed: return "reversed";
    case spurious: return "spurious";
    case twice: return "twice";
    case stale: return "stale";
    case hang_up: return "hang-up";
    case late: return "+1 h";
    case early: return "-1 s";
    case frozen: return "frozen";
    default: return "";
  }
}

std::string_view name_of(FaultWhere where) {
  switch (where) {
    case everywhere: return "";
    case internet: return " (internet)";
    case local: return " (unix)";
    case so_error: return " (SO_ERROR)";
    case other: return " (other options)";
    case reuse_port: return " (SO_REUSEPORT)";
  }
  return "";
}

bool has_errno(FaultKind kind) { return kind == error || kind == done_yet || kind == pending; }

}  // namespace
}  // namespace fault_table

std::span<const KnownFault> known_faults() { return fault_table::table; }

std::string name_of(const KnownFault& fault) {
  using namespace fault_table;
  std::string name(has_errno(fault.kind)    ? name_in(errno_names, fault.value)
                   : fault.kind == resolver ? name_in(resolver_names, fault.value)
                                            : name_of(fault.kind));
  if (fault.kind == pending) return name + " pending" + std::string(name_of(fault.where));
  return name + std::string(name_of(fault.where));
}

std::string_view to_string(Reaction reaction) noexcept {
  using R = Reaction;
  switch (reaction) {
    case R::retry: return "tries again";
    case R::ignore: return "goes on without";
    case R::wait: return "reports it, tries again after a second";
    case R::next_connection: return "drops this connection, accepts the next";
    case R::other_way: return "does it in another way";
    case R::next_address: return "tries the next address; without one, the call throws";
    case R::fail_call: return "the call throws";
    case R::log: return "logs it";
    case R::close_transport: return "ends this connection";
    case R::end_stream: return "takes it for the end";
    case R::refuse: return "refuses to watch it";
    case R::time_passes: return "goes by the clock";
    case R::stop_loop: return "stops the loop";
  }
  return "?";
}

std::string text_of(const KnownFault& fault) {
  using namespace fault_table;
  if (fault.kind == resolver) return ::gai_strerror(fault.value);
  if (fault.kind == no_answer) return "returned empty list";
  if (fault.kind == no_thread) return "can't start new thread";
  if (!has_errno(fault.kind)) return {};
  return std::system_category().message(fault.value);
}

bool may_last(const KnownFault& fault) noexcept {
  const bool tried_until_it_works = fault.call == Call::pread && fault.value == EINTR;
  return !tried_until_it_works && fault.kind != FaultKind::frozen;
}

}  // namespace weir

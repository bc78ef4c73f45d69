// SPDX-License-Identifier: MIT
#include <weir/net/connect_race.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <utility>

#include <weir/net/bind_error.hpp>
#include <weir/reactor/error.hpp>

namespace weir::detail {
namespace {

/// As Python prints it.
std::string family_name(int family) {
  const char* name = family == AF_INET ? "AF_INET" : family == AF_INET6 ? "AF_INET6" : "AF_UNSPEC";
  return "<AddressFamily." + std::string(name) + ": " + std::to_string(family) + ">";
}

/// A port of this machine that nobody listens on may be given to the very socket that connects to
/// it. TCP lets both ends open at once, RFC 9293 3.5, so the socket then talks to itself, and keeps
/// the port from the server that is to have it. That is nobody listening.
bool connected_to_itself(Socket& socket, const Endpoint& to) {
  const Endpoint here = socket.local_endpoint();
  return here.port() == to.port() && here == socket.remote_endpoint();
}

}  // namespace

struct ConnectRace::Attempt {
  Socket socket;
  Endpoint to;
  std::vector<std::exception_ptr> errors;  // Of binding, more than one.
  bool watched = false;
  bool writable = false;  // The kernel has decided: SO_ERROR says what.
  bool failed = false;
};

ConnectRace::ConnectRace(EventLoop& loop, ConnectPlan plan) : loop_(loop), plan_(std::move(plan)) {}

ConnectRace::~ConnectRace() {
  timer_.cancel();
  for (const auto& attempt : attempts_) unwatch(*attempt);
}

bool ConnectRace::decided() {
  for (const auto& attempt : attempts_) {
    if (winner_ != nullptr || !std::exchange(attempt->writable, false)) continue;
    const int error = outcome_of(*attempt);
    if (error != EALREADY && error != EINPROGRESS && error != EINTR) settle(*attempt, error);
  }
  while (winner_ == nullptr && may_start()) start(plan_.addresses[next_++]);
  const bool more = next_ < plan_.addresses.size();
  if (winner_ == nullptr && more && plan_.delay && !timer_armed_) {
    timer_armed_ = true;
    timer_ = loop_.call_later(*plan_.delay, [this] {
      overdue_ = true;
      wake();
    });
  }
  return winner_ != nullptr || failed_ == plan_.addresses.size();
}

/// 0 when it is connected, EALREADY when it is not yet. SO_ERROR alone is 0 for both; a second
/// connect(2) tells them apart, should a poller ever call a socket writable too early.
int ConnectRace::outcome_of(Attempt& attempt) {
  const IoResult said = attempt.socket.get_option(SOL_SOCKET, SO_ERROR);
  if (!said.ok()) return said.error;
  if (said.value != 0) return static_cast<int>(said.value);
  const int error = attempt.socket.connect(attempt.to);
  return error == EISCONN ? 0 : error;
}

bool ConnectRace::may_start() const {
  if (next_ == plan_.addresses.size()) return false;
  return attempts_.empty() || attempts_.back()->failed || overdue_;
}

void ConnectRace::start(const AddressInfo& info) {
  timer_.cancel();
  timer_armed_ = overdue_ = false;
  Attempt& attempt = *attempts_.emplace_back(std::make_unique<Attempt>());
  attempt.to = info.endpoint;
  int error = 0;
  attempt.socket = Socket::open(loop_.kernel(), info.family, info.type, info.protocol, error);
  if (error != 0) return fail(attempt, make_os_error(error));
  if (plan_.local && !bind_local(attempt, info.family)) return;
  error = attempt.socket.connect(info.endpoint);
  // Interrupted, it goes on by itself: connect(2).
  error == EINPROGRESS || error == EINTR ? watch(attempt) : settle(attempt, error);
}

/// To the first local address of the family that can be bound.
bool ConnectRace::bind_local(Attempt& attempt, int family) {
  for (const AddressInfo& local : *plan_.local) {
    if (local.family != family) continue;
    const int error = attempt.socket.bind(local.endpoint);
    if (error == 0) return true;
    attempt.errors.push_back(make_os_error(error, bind_error_text(local.endpoint, error)));
  }
  std::exception_ptr last;
  if (attempt.errors.empty()) {
    last = std::make_exception_ptr(
        OSError("no matching local address with family=" + family_name(family) + " found"));
  } else {
    last = attempt.errors.back();
    attempt.errors.pop_back();
  }
  fail(attempt, std::move(last));
  return false;
}

void ConnectRace::watch(Attempt& attempt) {
  try {
    loop_.add_writer(attempt.socket.fd(), [this, its = &attempt] {
      its->writable = true;
      wake();
    });
    attempt.watched = true;
  } catch (const OSError&) {  // The poller refuses it.
    fail(attempt, std::current_exception());
  }
}

void ConnectRace::settle(Attempt& attempt, int error) {
  unwatch(attempt);
  if (error == 0 && connected_to_itself(attempt.socket, attempt.to)) error = ECONNREFUSED;
  if (error == 0) {
    winner_ = &attempt;
  } else {
    fail(attempt, make_os_error(error, "Connect call failed " + attempt.to.repr()));
  }
}

void ConnectRace::fail(Attempt& attempt, std::exception_ptr error) {
  attempt.errors.push_back(std::move(error));
  attempt.failed = true;
  attempt.socket.close();
  ++failed_;
}

void ConnectRace::unwatch(Attempt& attempt) {
  if (std::exchange(attempt.watched, false)) loop_.remove_writer(attempt.socket.fd());
}

Future<> ConnectRace::change() {
  waiter_ = loop_.create_future<void>();
  return *waiter_;
}

void ConnectRace::wake() {
  if (waiter_ && !waiter_->done()) waiter_->set_result();
}

Socket ConnectRace::take_winner() {
  timer_.cancel();
  for (const auto& attempt : attempts_) {
    unwatch(*attempt);
    if (attempt.get() != winner_) attempt->socket.close();
  }
  return winner_ != nullptr ? std::move(winner_->socket) : Socket();
}

std::vector<std::exception_ptr> ConnectRace::errors() const {
  std::vector<std::exception_ptr> all;
  for (const auto& attempt : attempts_)
    all.insert(all.end(), attempt->errors.begin(), attempt->errors.end());
  return all;
}

}  // namespace weir::detail

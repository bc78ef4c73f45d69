// SPDX-License-Identifier: MIT
#include <bench/serving/load/client.hpp>

#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace weir::bench {
namespace {

/// Larger than what a socket holds: a receive that fills less has emptied the socket.
std::vector<char>& receive_buffer() {
  static std::vector<char> buffer(1024 * 1024);
  return buffer;
}

}  // namespace

std::uint64_t now_ns() noexcept {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

void Client::refuse(const std::string& what) const {
  throw std::runtime_error("connection " + std::to_string(number_) + ", byte " +
                           std::to_string(checked_) + ": " + what);
}

void Client::send_batch(std::uint64_t now) {
  if (started_) batch_ = payload_->next(batch_);
  started_ = true;
  batch_began_ns_ = now;
  sent_ = 0;
  received_ = 0;
  write_ready();
}

void Client::write_ready() {
  while (started_ && sent_ < payload_->batch_bytes()) {
    const std::string_view rest = payload_->batch_at(batch_).substr(sent_);
    const ssize_t sent = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EAGAIN) return;  // The next edge says when.
      refuse("send: " + std::system_category().message(errno));
    }
    sent_ += static_cast<std::size_t>(sent);
  }
}

bool Client::read_ready(Tally& tally) {
  std::vector<char>& buffer = receive_buffer();
  const bool was_idle = idle();
  for (;;) {
    const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got == 0) refuse("the server closed the connection");
    if (got < 0) {
      if (errno == EAGAIN) break;
      refuse("recv: " + std::system_category().message(errno));
    }
    check(buffer.data(), static_cast<std::size_t>(got), tally);
    if (static_cast<std::size_t>(got) < buffer.size()) break;
  }
  return !was_idle && idle();
}

void Client::check(const char* data, std::size_t bytes, Tally& tally) {
  const std::string_view expected = payload_->batch_at(batch_).substr(received_);
  const std::size_t comparable = std::min(bytes, expected.size());
  if (std::memcmp(data, expected.data(), comparable) != 0) {
    const char* const wrong = std::mismatch(data, data + comparable, expected.data()).first;
    checked_ += static_cast<std::uint64_t>(wrong - data);
    refuse("the answer is not what was sent");
  }
  checked_ += comparable;
  if (!started_ || bytes > comparable) refuse("the server sent more than it was asked for");
  const std::size_t answered =
      (received_ + bytes) / payload_->request_bytes() - received_ / payload_->request_bytes();
  received_ += bytes;
  tally.bytes += bytes;
  tally.requests += answered;
  if (answered > 0) tally.latency.add(now_ns() - batch_began_ns_, answered);
}

}  // namespace weir::bench

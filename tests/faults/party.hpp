// Internal: used by the scenarios of faults.
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <weir/net/protocol.hpp>
#include <weir/net/server.hpp>
#include <weir/net/testing/call_grammar.hpp>
#include <weir/net/transport.hpp>
#include <weir/reactor/task/sleep.hpp>

#include <tests/faults/scenario.hpp>

namespace weir::faults {

/// Looks again and again, after 1 ms and every 128 ms at last; the scenario's time limit ends it.
template <class Condition>
Coro<> until(Condition condition) {
  auto delay = std::chrono::milliseconds(1);
  for (bool reached = condition(); !reached; reached = condition()) {
    co_await sleep(delay);
    if (delay < std::chrono::milliseconds(128)) delay *= 2;
  }
}

/// `length` bytes, no two pieces of which look alike.
inline std::string text_of(std::size_t length) {
  std::string text;
  while (text.size() < length) text += std::to_string(text.size()) + "-";
  text.resize(length);
  return text;
}

/// The other end of a connection, or a listener: a descriptor that the machine drives. Nothing of
/// it fails, and it is closed when the scenario lets go of it.
class Peer {
 public:
  Peer(Stage stage, int fd) : machine_(&stage.machine), fd_(fd) {}
  Peer(Peer&& other) noexcept : machine_(other.machine_), fd_(std::exchange(other.fd_, -1)) {}
  Peer& operator=(Peer&& other) noexcept {
    std::swap(machine_, other.machine_);
    std::swap(fd_, other.fd_);
    return *this;
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { close(); }

  static Peer dial(Stage stage, std::uint16_t port) {
    const Exempt exempt;
    return {stage, stage.machine.dial(port)};
  }
  static Peer dial(Stage stage, std::string_view path) {
    const Exempt exempt;
    return {stage, stage.machine.dial_path(path)};
  }
  static Peer listen(Stage stage, std::uint16_t port) {
    const Exempt exempt;
    return {stage, stage.machine.listen_on(port)};
  }
  static Peer listen(Stage stage, std::string_view path, int backlog = 100) {
    const Exempt exempt;
    return {stage, stage.machine.listen_on_path(path, backlog)};
  }
  static Peer accept(Stage stage, const Peer& listener) {
    const Exempt exempt;
    return {stage, stage.machine.accept_from(listener.fd_)};
  }

  bool valid() const noexcept { return fd_ >= 0; }
  int fd() const noexcept { return fd_; }
  void put(std::string_view bytes) {
    const Exempt exempt;
    if (valid()) machine_->put(fd_, bytes);
  }
  void put_eof() {
    const Exempt exempt;
    if (valid()) machine_->put_eof(fd_);
  }
  void reset() {
    const Exempt exempt;
    if (valid()) machine_->reset(fd_);
  }
  /// Notes in `flow` what has come.
  void take(Flow& flow) {
    const Exempt exempt;
    if (valid()) flow.received += machine_->take(fd_);
  }
  std::string take() {
    const Exempt exempt;
    return valid() ? machine_->take(fd_) : std::string();
  }
  bool at_eof() const { return !valid() || machine_->at_eof(fd_); }
  void close() noexcept {
    const Exempt exempt;
    if (valid()) static_cast<void>(machine_->close(std::exchange(fd_, -1)));
  }

 private:
  FakeKernel* machine_;
  int fd_;
};

/// What protocols of scenarios have in common: they hold the transport to the order of the calls,
/// and tell the oracle of the first and the last.
class PartyBase {
 public:
  bool made() const noexcept { return grammar_.made(); }
  bool lost() const noexcept { return grammar_.lost(); }

  std::shared_ptr<Transport> transport;  // Until the connection is lost.
  std::function<void(std::string_view)> on_data;
  bool at_eof = false;
  bool keep_open = false;  // What eof_received answers.
  bool paused = false;
  int pauses = 0;

 protected:
  PartyBase(Stage stage, std::string_view name, Flow* flow)
      : oracle_(stage.oracle), flow_(flow), name_(name) {}
  ~PartyBase() = default;

  /// The grammar is no part of the program: it must hear of a call whatever fails.
  template <class Call>
  static auto spared(Call call) {
    const Exempt exempt;
    return call();
  }
  void start(const std::shared_ptr<Transport>& its) {
    oracle_.made();
    transport = its;
  }
  void take(std::string_view data) {
    {
      const Exempt exempt;
      if (flow_ != nullptr) flow_->received += data;
    }
    if (on_data) on_data(data);
  }
  void end(const std::exception_ptr& error) {
    oracle_.lost();
    if (error) oracle_.told(Place::lost, name_, error);
    transport = nullptr;
    on_data = nullptr;
  }

  Oracle& oracle_;
  Flow* flow_;  // Where what comes in is noted; may be none.
  std::string name_;
  testing::CallGrammar grammar_{
      [this](const std::string& complaint) { oracle_.wrong(name_ + ": " + complaint); }};
};

class Party : public Protocol, public PartyBase {
 public:
  explicit Party(Stage stage, std::string_view name = "party", Flow* flow = nullptr)
      : PartyBase(stage, name, flow) {}
  /// One that takes over where `before` is.
  Party(Stage stage, std::string_view name, Flow* flow, const Party& before)
      : PartyBase(stage, name, flow) {
    grammar_.take_over_from(before.grammar_);
    transport = before.transport;
  }

  void connection_made(const std::shared_ptr<Transport>& its) override {
    const auto running = spared([&] { return grammar_.connection_made(); });
    start(its);
  }
  void data_received(std::string_view data) override {
    const auto running = spared([&] { return grammar_.data_received(data.size()); });
    take(data);
  }
  bool eof_received() override {
    const auto running = spared([&] { return grammar_.eof_received(); });
    at_eof = true;
    return keep_open;
  }
  void pause_writing() override {
    const auto running = spared([&] { return grammar_.pause_writing(); });
    paused = true;
    ++pauses;
  }
  void resume_writing() override {
    const auto running = spared([&] { return grammar_.resume_writing(); });
    paused = false;
  }
  void connection_lost(const std::exception_ptr& error) override {
    const auto running = spared([&] { return grammar_.connection_lost(); });
    end(error);
  }
};

class BufferedParty : public BufferedProtocol, public PartyBase {
 public:
  explicit BufferedParty(Stage stage, std::string_view name = "party", Flow* flow = nullptr)
      : PartyBase(stage, name, flow) {}

  void connection_made(const std::shared_ptr<Transport>& its) override {
    const auto running = spared([&] { return grammar_.connection_made(); });
    start(its);
  }
  std::span<char> get_buffer(std::ptrdiff_t) override {
    const auto running = spared([&] { return grammar_.get_buffer(); });
    spared([&] { grammar_.got_buffer(sizeof room_); });
    return room_;
  }
  void buffer_updated(std::size_t bytes) override {
    const auto running = spared([&] { return grammar_.buffer_updated(bytes); });
    take({room_, bytes});
  }
  bool eof_received() override {
    const auto running = spared([&] { return grammar_.eof_received(); });
    at_eof = true;
    return keep_open;
  }
  void connection_lost(const std::exception_ptr& error) override {
    const auto running = spared([&] { return grammar_.connection_lost(); });
    end(error);
  }

 private:
  char room_[16] = {};
};

/// Lets go of a server, whatever happens.
class ServerGuard {
 public:
  explicit ServerGuard(Server server) noexcept : server_(std::move(server)) {}
  ServerGuard(const ServerGuard&) = delete;
  ServerGuard& operator=(const ServerGuard&) = delete;
  ~ServerGuard() {
    server_.close();
    server_.abort_clients();
  }

 private:
  Server server_;
};

/// Lets go of a connection, whatever happens.
class TransportGuard {
 public:
  explicit TransportGuard(std::shared_ptr<Transport> transport) noexcept
      : transport_(std::move(transport)) {}
  TransportGuard(const TransportGuard&) = delete;
  TransportGuard& operator=(const TransportGuard&) = delete;
  ~TransportGuard() { transport_->abort(); }

 private:
  std::shared_ptr<Transport> transport_;
};

}  // namespace weir::faults

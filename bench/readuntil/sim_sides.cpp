// SPDX-License-Identifier: MIT
//
// Lines without a system call: out of memory, and over the simulated kernel on which weir is
// tested. There both ends are in one process, and sending costs as much as receiving.
#include <sys/socket.h>

#include <algorithm>
#include <bench/readuntil/receiving_loop.hpp>
#include <bench/readuntil/sides.hpp>
#include <bench/readuntil/weir_connection.hpp>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <weir/reactor/sim/sim_kernel.hpp>

namespace weir::bench {
namespace {

/// The chunks of a workload over and over.
class Chunks {
 public:
  explicit Chunks(const Workload& workload) : chunks_(workload.chunks) {}

  std::string_view rest() const { return chunks_[next_].substr(taken_); }
  void take(std::size_t bytes) {
    taken_ += bytes;
    if (taken_ < chunks_[next_].size()) return;
    taken_ = 0;
    next_ = (next_ + 1) % chunks_.size();
  }

 private:
  const std::vector<std::string_view>& chunks_;
  std::size_t next_ = 0;
  std::size_t taken_ = 0;
};

/// A connection on a quiet machine, and what is to go over it.
class SimulatedLine {
 public:
  explicit SimulatedLine(const Workload& workload) : chunks_(workload) {
    kernel.socketpair(AF_UNIX, SOCK_STREAM, fds_);
  }
  int receiving() const { return fds_[0]; }
  int sending() const { return fds_[1]; }

  /// As much of a chunk as there is room for.
  void send() {
    const std::string_view rest = chunks_.rest();
    const iovec piece{const_cast<char*>(rest.data()), rest.size()};
    const IoResult sent = kernel.send(sending(), {&piece, 1});
    if (sent.ok()) chunks_.take(static_cast<std::size_t>(sent.value));
  }

  SimKernel kernel{1};

 private:
  int fds_[2] = {-1, -1};
  Chunks chunks_;
};

class WeirSimulated final : public WeirConnection {
 public:
  void open(const Workload& workload) override {
    line_.emplace(workload);
    connect(line_->kernel, line_->receiving(), workload);
    loop().add_writer(line_->sending(), [this] { line_->send(); });
  }
  void close() override {
    loop().remove_writer(line_->sending());
    disconnect();
    line_.reset();
  }

 private:
  std::optional<SimulatedLine> line_;
};

/// `Source`: made of a workload; receive() is its recv().
template <class Source>
class Raw final : public Contestant {
 public:
  Raw() : Contestant("recv + memchr") {}

  bool can(const Workload& workload) const override { return one_byte(workload); }
  void open(const Workload& workload) override {
    source_.emplace(workload);
    received_.clear();
  }
  Seen pass(const Workload& workload) override { return run<Counting>(workload); }
  Seen check(const Workload& workload) override { return run<Checking>(workload); }
  void close() override { source_.reset(); }

 private:
  template <class Sink>
  Seen run(const Workload& workload) {
    Sink sink;
    received_.take(
        workload, [&](char* room, std::size_t bytes) { return source_->receive(room, bytes); },
        sink);
    return sink.seen;
  }

  std::optional<Source> source_;
  ReceivingLoop received_;
};

struct OutOfMemory {
  explicit OutOfMemory(const Workload& workload) : chunks(workload) {}

  ssize_t receive(char* room, std::size_t bytes) {
    const std::string_view piece = chunks.rest().substr(0, bytes);
    std::memcpy(room, piece.data(), piece.size());
    chunks.take(piece.size());
    return static_cast<ssize_t>(piece.size());
  }

  Chunks chunks;
};

/// Without a loop or a poller: it knows when there is something.
struct OutOfSimulation {
  explicit OutOfSimulation(const Workload& workload) : line(workload) {}

  ssize_t receive(char* room, std::size_t bytes) {
    line.send();
    const iovec piece{room, bytes};
    return line.kernel.recv(line.receiving(), {&piece, 1}).value;
  }

  SimulatedLine line;
};

}  // namespace

std::vector<Side> memory_sides() {
  std::vector<Side> sides;
  sides.push_back(std::move(weir_sides().front()));
  sides.push_back(std::make_unique<Raw<OutOfMemory>>());
  return sides;
}

std::vector<Side> simulated_sides() {
  std::vector<Side> sides;
  sides.push_back(std::make_unique<WeirSimulated>());
  sides.push_back(std::make_unique<Raw<OutOfSimulation>>());
  return sides;
}

}  // namespace weir::bench

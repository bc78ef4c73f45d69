// SPDX-License-Identifier: MIT
//
// Lines over a real socket: weir's reader, and the shortest loop around recv() and memchr.
#include <sys/socket.h>

#include <unistd.h>

#include <bench/readuntil/flood.hpp>
#include <bench/readuntil/receiving_loop.hpp>
#include <bench/readuntil/sides.hpp>
#include <bench/readuntil/weir_connection.hpp>
#include <memory>
#include <optional>
#include <vector>

namespace weir::bench {
namespace {

class WeirSocket final : public WeirConnection {
 public:
  explicit WeirSocket(Carrier carrier) : carrier_(carrier) {}

  void open(const Workload& workload) override {
    flood_.emplace(workload.bytes, carrier_);
    connect(Kernel::posix(), flood_->fd(), workload);
  }
  void close() override {
    disconnect();
    flood_.reset();
  }

 private:
  Carrier carrier_;
  std::optional<Flood> flood_;
};

/// A blocking socket: nothing but recv().
class RawSocket final : public Contestant {
 public:
  explicit RawSocket(Carrier carrier) : Contestant("recv + memchr"), carrier_(carrier) {}

  bool can(const Workload& workload) const override { return one_byte(workload); }
  void open(const Workload& workload) override {
    flood_.emplace(workload.bytes, carrier_);
    received_.clear();
  }
  Seen pass(const Workload& workload) override { return run<Counting>(workload); }
  Seen check(const Workload& workload) override { return run<Checking>(workload); }
  void close() override {
    ::close(flood_->fd());
    flood_.reset();
  }

 private:
  template <class Sink>
  Seen run(const Workload& workload) {
    Sink sink;
    received_.take(
        workload,
        [&](char* room, std::size_t bytes) { return ::recv(flood_->fd(), room, bytes, 0); }, sink);
    return sink.seen;
  }

  Carrier carrier_;
  std::optional<Flood> flood_;
  ReceivingLoop received_;
};

}  // namespace

std::vector<Side> socket_sides(Carrier carrier) {
  std::vector<Side> sides;
  sides.push_back(std::make_unique<WeirSocket>(carrier));
  sides.push_back(std::make_unique<RawSocket>(carrier));
  return sides;
}

}  // namespace weir::bench

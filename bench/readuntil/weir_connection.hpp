// Internal: used by those of weir's sides that receive over one connection.
// SPDX-License-Identifier: MIT
#pragma once

#include <bench/readuntil/contestant.hpp>
#include <bench/readuntil/weir_reading.hpp>
#include <optional>
#include <utility>

#include <weir/streams/streams.hpp>

namespace weir::bench {

/// weir's reader at the end of a connection that stays open from pass to pass. Who derives from it
/// says what it is connected to.
class WeirConnection : public Contestant {
 public:
  WeirConnection() : Contestant("weir view") {}

  bool can(const Workload& workload) const override { return one_separator(workload); }
  Seen pass(const Workload& workload) override { return run<Counting>(workload); }
  Seen check(const Workload& workload) override { return run<Checking>(workload); }

 protected:
  /// Takes over `fd`.
  void connect(Kernel& kernel, int fd, const Workload& workload) {
    loop_.emplace(kernel);
    separators_.emplace(workload);
    loop_->run_until_complete(open_streams(&kernel, fd));
  }
  void disconnect() {
    streams_.reset();
    loop_->close();
    loop_.reset();
  }
  EventLoop& loop() { return *loop_; }

 private:
  Coro<> open_streams(Kernel* kernel, int fd) {
    Socket socket(*kernel, fd);
    const OpenOptions options{.sock = &socket};
    Streams streams = co_await open_connection(options);
    streams_.emplace(std::move(streams));
  }
  template <class Sink>
  Seen run(const Workload& workload) {
    Sink sink;
    loop_->run_until_complete(
        take_records<Form::view>(streams_->reader, &*separators_, &sink, &workload.expected));
    return sink.seen;
  }

  std::optional<EventLoop> loop_;
  std::optional<Streams> streams_;
  std::optional<SeparatorsOf> separators_;
};

}  // namespace weir::bench

// SPDX-License-Identifier: MIT
//
// Lines over a real TCP connection: weir's reader, and the shortest loop around recv() and memchr.
#include <sys/socket.h>
#include <unistd.h>

#include <bench/readuntil/flood.hpp>
#include <bench/readuntil/sides.hpp>
#include <bench/readuntil/weir_reading.hpp>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <weir/net/read_block.hpp>
#include <weir/streams/streams.hpp>

namespace weir::bench {
namespace {

class WeirLoopback final : public Contestant {
 public:
  WeirLoopback() : Contestant("weir view") {}

  bool can(const Workload& workload) const override { return one_separator(workload); }
  void open(const Workload& workload) override {
    flood_.emplace(workload.bytes);
    loop_.emplace(Kernel::posix());
    separators_.emplace(workload);
    loop_->run_until_complete(connect());
  }
  Seen pass(const Workload& workload) override { return run<Counting>(workload); }
  Seen check(const Workload& workload) override { return run<Checking>(workload); }
  void close() override {
    streams_.clear();
    loop_->close();
    loop_.reset();
    flood_.reset();
  }

 private:
  Coro<> connect() {
    Socket socket(Kernel::posix(), flood_->fd());
    const OpenOptions options{.sock = &socket};
    Streams streams = co_await open_connection(options);
    streams_.push_back(std::move(streams));
  }
  template <class Sink>
  Seen run(const Workload& workload) {
    Sink sink;
    loop_->run_until_complete(
        take_records<Form::view>(streams_[0].reader, &*separators_, &sink, &workload.expected));
    return sink.seen;
  }

  std::optional<Flood> flood_;
  std::optional<EventLoop> loop_;
  std::vector<Streams> streams_;
  std::optional<SeparatorsOf> separators_;
};

/// A blocking socket: nothing but recv().
class RawLoopback final : public Contestant {
 public:
  RawLoopback() : Contestant("recv + memchr") {}

  bool can(const Workload& workload) const override { return one_byte(workload); }
  void open(const Workload& workload) override {
    flood_.emplace(workload.bytes);
    begin_ = end_ = searched_ = 0;
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
    const char separator = workload.separator()[0];
    for (;;) {
      while (const void* hit =
                 std::memchr(memory_.data() + searched_, separator, end_ - searched_)) {
        const char* const record = memory_.data() + begin_;
        const auto length = static_cast<std::size_t>(static_cast<const char*>(hit) + 1 - record);
        begin_ = searched_ = begin_ + length;
        sink(std::string_view(record, length));
        if (sink.seen.records == workload.expected.records) return sink.seen;
      }
      std::memmove(memory_.data(), memory_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
      searched_ = end_;
      const ssize_t got = ::recv(flood_->fd(), memory_.data() + end_, room_bytes, 0);
      if (got <= 0) return sink.seen;
      end_ += static_cast<std::size_t>(got);
    }
  }

  static constexpr std::size_t room_bytes = detail::ReadBlock::bytes;

  std::optional<Flood> flood_;
  std::vector<char> memory_ = std::vector<char>(room_bytes + 64 * 1024);
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t searched_ = 0;
};

}  // namespace

std::vector<Side> loopback_sides() {
  std::vector<Side> sides;
  sides.push_back(std::make_unique<WeirLoopback>());
  sides.push_back(std::make_unique<RawLoopback>());
  return sides;
}

}  // namespace weir::bench

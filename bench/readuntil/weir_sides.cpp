// SPDX-License-Identifier: MIT
//
// weir's reader, as a program uses it: a coroutine that reads, fed by the loop and a transport over
// a kernel in memory.
#include <bench/readuntil/memory_kernel.hpp>
#include <bench/readuntil/sides.hpp>
#include <bench/readuntil/weir_reading.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/streams/match_mask.hpp>
#include <weir/streams/streams.hpp>

namespace weir::bench {
namespace {

constexpr std::ptrdiff_t limit_bytes = 64 * 1024 * 1024;  // Checked for every record, met by none.

/// Connections over a kernel in memory, all of which receive the same.
template <Form form>
class WeirSide : public Contestant {
 public:
  explicit WeirSide(std::string name, std::size_t connections = 1)
      : Contestant(std::move(name)), connections_(connections) {}

  bool can(const Workload& workload) const override { return suits(form, workload); }
  void open(const Workload& workload) override {
    loop_.emplace(kernel_);
    kernel_.serve({}, 0);
    loop_->run_until_complete(connect_all());
    separators_.emplace(workload);
  }
  Seen pass(const Workload& workload) override { return run<Counting>(workload); }
  Seen check(const Workload& workload) override { return run<Checking>(workload); }
  void close() override {
    streams_.clear();
    separators_.reset();
    loop_->close();
    loop_.reset();
  }

 private:
  Coro<> connect_all() {
    for (std::size_t i = 0; i < connections_; ++i) {
      Socket socket(kernel_, MemoryKernel::first_fd + static_cast<int>(i));
      const OpenOptions options{.limit = limit_bytes, .sock = &socket};
      Streams streams = co_await open_connection(options);
      streams_.push_back(std::move(streams));
    }
  }

  /// Every connection sees the whole workload; what the first one has seen is told.
  template <class Sink>
  Seen run(const Workload& workload) {
    kernel_.serve(workload.chunks, connections_);
    std::vector<Sink> sinks(connections_);
    std::vector<Task<>> tasks;
    for (std::size_t i = 1; i < connections_; ++i) {
      tasks.push_back(loop_->create_task(
          take_records<form>(streams_[i].reader, &*separators_, &sinks[i], &workload.expected)));
    }
    loop_->run_until_complete(
        take_records<form>(streams_[0].reader, &*separators_, &sinks[0], &workload.expected));
    for (Task<>& task : tasks) loop_->run_until_complete(task);
    for (const Sink& sink : sinks) {
      if (sink.seen != sinks[0].seen) return {};
    }
    return sinks[0].seen;
  }

  std::size_t connections_;
  MemoryKernel kernel_;
  std::optional<EventLoop> loop_;
  std::vector<Streams> streams_;
  std::optional<SeparatorsOf> separators_;
};

/// The records are in the reader before the clock starts: what is measured is the call, the search
/// and, with strings, the copy.
template <Form form>
class WeirResident : public Contestant {
 public:
  using Contestant::Contestant;

  bool can(const Workload& workload) const override { return suits(form, workload); }
  void open(const Workload& workload) override {
    loop_.emplace(kernel_);
    separators_.emplace(workload);
  }
  Seen pass(const Workload& workload) override { return run<Counting>(workload); }
  Seen check(const Workload& workload) override { return run<Checking>(workload); }
  void close() override {
    separators_.reset();
    loop_->close();
    loop_.reset();
  }
  std::uint64_t own_ns() const override { return own_ns_; }

 private:
  using Clock = std::chrono::steady_clock;

  template <class Sink>
  Seen run(const Workload& workload) {
    Sink sink;
    const StreamReader reader(*loop_, limit_bytes);
    own_ns_ = 0;
    loop_->run_until_complete(take_chunks<Sink>(reader, this, &workload, &sink));
    return sink.seen;
  }

  template <class Sink>
  static Coro<> take_chunks(StreamReader reader, WeirResident* self, const Workload* workload,
                            Sink* sink) {
    const std::uint64_t records_per_chunk = workload->expected.records / workload->chunks.size();
    Seen until;
    for (const std::string_view chunk : workload->chunks) {
      reader.feed_data(chunk);
      until.records += records_per_chunk;
      const Clock::time_point start = Clock::now();
      co_await take_records<form>(reader, &*self->separators_, sink, &until);
      self->own_ns_ += static_cast<std::uint64_t>((Clock::now() - start).count());
    }
  }

  MemoryKernel kernel_;
  std::optional<EventLoop> loop_;
  std::optional<SeparatorsOf> separators_;
  std::uint64_t own_ns_ = 0;
};

template <Form form>
void add(std::vector<Side>& sides, std::string name) {
  sides.push_back(std::make_unique<WeirSide<form>>(std::move(name)));
}

}  // namespace

std::vector<Side> weir_sides() {
  std::vector<Side> sides;
  add<Form::view>(sides, "weir view");
  add<Form::into>(sides, "weir into");
  add<Form::string>(sides, "weir string");
  return sides;
}

std::vector<Side> weir_line_sides() {
  std::vector<Side> sides;
  add<Form::line_view>(sides, "weir readline_view");
  add<Form::line>(sides, "weir readline");
  add<Form::next_line>(sides, "weir next_line");
  return sides;
}

std::vector<Side> weir_habit_sides() {
  std::vector<Side> sides;
  add<Form::view>(sides, "weir view");
  add<Form::after_read>(sides, "weir view after read(1)");
  add<Form::alternate>(sides, "weir view, CRLF and LF in turns");
  return sides;
}

Side weir_connections(std::size_t count) {
  return std::make_unique<WeirSide<Form::view>>("weir view", count);
}

const char* weir_simd_path() { return detail::match_kernels().name; }

std::vector<Side> weir_resident_sides() {
  std::vector<Side> sides;
  sides.push_back(std::make_unique<WeirResident<Form::view>>("weir view"));
  sides.push_back(std::make_unique<WeirResident<Form::into>>("weir into"));
  sides.push_back(std::make_unique<WeirResident<Form::string>>("weir string"));
  return sides;
}

}  // namespace weir::bench

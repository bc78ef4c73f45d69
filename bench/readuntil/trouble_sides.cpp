// SPDX-License-Identifier: MIT
//
// weir's reader where not every read ends with a record: a time-out after every chunk, and records
// that are longer than the limit.
#include <bench/readuntil/late_kernel.hpp>
#include <bench/readuntil/sides.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/streams/streams.hpp>

namespace weir::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::ptrdiff_t no_limit_bytes = 64 * 1024 * 1024;

/// One connection. Way::take() is the coroutine that reads.
template <class Way>
class Troubled final : public Contestant {
 public:
  using Contestant::Contestant;

  bool can(const Workload& workload) const override { return one_separator(workload); }
  void open(const Workload& workload) override {
    loop_.emplace(kernel_);
    kernel_.serve({}, 0);
    loop_->run_until_complete(connect(&workload));
  }
  Seen pass(const Workload& workload) override { return run<Counting>(workload); }
  Seen check(const Workload& workload) override { return run<Checking>(workload); }
  void close() override {
    streams_.clear();
    loop_->close();
    loop_.reset();
  }

 private:
  Coro<> connect(const Workload* workload) {
    Socket socket(kernel_, LateKernel::first_fd);
    const std::ptrdiff_t limit =
        workload->limit != 0 ? static_cast<std::ptrdiff_t>(workload->limit) : no_limit_bytes;
    const OpenOptions options{.limit = limit, .sock = &socket};
    Streams streams = co_await open_connection(options);
    streams_.push_back(std::move(streams));
  }

  template <class Sink>
  Seen run(const Workload& workload) {
    Sink sink;
    kernel_.serve(workload.chunks);
    kernel_.go_on();
    const StreamReader& reader = streams_[0].reader;
    const std::uint64_t scanned_before = reader.bytes_scanned();
    loop_->run_until_complete(Way::take(reader, &kernel_, &workload, &sink));
    const std::uint64_t scanned = reader.bytes_scanned() - scanned_before;
    if (scanned > workload.bytes.size() + workload.chunks.size() * workload.separator().size()) {
      throw std::runtime_error(name() + " has searched " + std::to_string(scanned) + " bytes of " +
                               std::to_string(workload.bytes.size()));
    }
    return sink.seen;
  }

  LateKernel kernel_;
  std::optional<EventLoop> loop_;
  std::vector<Streams> streams_;
};

// ---- A time-out after every chunk

struct InWaitFor {
  template <class Sink>
  static Coro<> take(StreamReader reader, LateKernel* kernel, const Workload* workload,
                     Sink* sink) {
    const std::string_view separator = workload->separator();
    while (sink->seen.records < workload->expected.records) {
      try {
        const std::string_view record = co_await wait_for(reader.readuntil_view(separator), 1s);
        (*sink)(record);
      } catch (const TimeoutError&) {
        kernel->go_on();
      }
    }
  }
};

struct WithReadTimeout {
  template <class Sink>
  static Coro<> take(StreamReader reader, LateKernel* kernel, const Workload* workload,
                     Sink* sink) {
    const std::string_view separator = workload->separator();
    reader.set_read_timeout(1s);
    while (sink->seen.records < workload->expected.records) {
      try {
        const std::string_view record = co_await reader.readuntil_view(separator);
        (*sink)(record);
      } catch (const TimeoutError&) {
        kernel->go_on();
      }
    }
  }
};

// ---- Records over the limit: an empty one is what a side tells of them

struct Discarding {
  template <class Sink>
  static Coro<> take(StreamReader reader, LateKernel*, const Workload* workload, Sink* sink) {
    const std::string_view separator = workload->separator();
    while (sink->seen.records < workload->expected.records) {
      bool too_long = false;
      try {
        const std::string_view record = co_await reader.readuntil_view(separator);
        (*sink)(record);
      } catch (const LimitOverrunError&) {
        too_long = true;
      }
      if (too_long) {
        co_await reader.discard_until(separator);
        (*sink)(std::string_view());
      }
    }
  }
};

/// As one does it with asyncio: what has come is read, and what ends at the next separator is the
/// rest.
struct ReadingAway {
  template <class Sink>
  static Coro<> take(StreamReader reader, LateKernel*, const Workload* workload, Sink* sink) {
    const std::string_view separator = workload->separator();
    bool is_rest = false;
    while (sink->seen.records < workload->expected.records) {
      std::size_t too_much = 0;
      try {
        const std::string_view record = co_await reader.readuntil_view(separator);
        (*sink)(is_rest ? std::string_view() : record);
        is_rest = false;
      } catch (const LimitOverrunError& error) {
        too_much = error.consumed;
      }
      if (too_much != 0) {
        co_await reader.readexactly(static_cast<std::ptrdiff_t>(too_much));
        is_rest = true;
      }
    }
  }
};

/// readline() throws away what it does not give; its text says whether that was all of the line.
struct ByLine {
  template <class Sink>
  static Coro<> take(StreamReader reader, LateKernel*, const Workload* workload, Sink* sink) {
    bool is_rest = false;
    while (sink->seen.records < workload->expected.records) {
      try {
        const std::string_view line = co_await reader.readline_view();
        (*sink)(is_rest ? std::string_view() : line);
        is_rest = false;
      } catch (const ValueError& error) {
        is_rest = !std::string_view(error.what()).starts_with("Separator is found");
        if (!is_rest) (*sink)(std::string_view());
      }
    }
  }
};

template <class Way>
void add(std::vector<Side>& sides, std::string name) {
  sides.push_back(std::make_unique<Troubled<Way>>(std::move(name)));
}

}  // namespace

std::vector<Side> weir_timeout_sides() {
  std::vector<Side> sides;
  add<InWaitFor>(sides, "weir view in wait_for");
  add<WithReadTimeout>(sides, "weir view, read time-out");
  return sides;
}

std::vector<Side> weir_limit_sides() {
  std::vector<Side> sides;
  add<Discarding>(sides, "weir view, discard_until");
  add<ReadingAway>(sides, "weir view, readexactly");
  add<ByLine>(sides, "weir readline_view");
  return sides;
}

}  // namespace weir::bench

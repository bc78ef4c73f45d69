// SPDX-License-Identifier: MIT
//
// The floors for one byte: what memchr and memcpy take in the shortest loop around them.
#include <bench/readuntil/bare_buffer.hpp>
#include <bench/readuntil/sides.hpp>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::bench {
namespace {

/// memchr as take_from_chunks() wants it.
struct Memchr {
  char separator;
  const char* operator()(const char* begin, const char* end) const {
    const void* hit = std::memchr(begin, separator, static_cast<std::size_t>(end - begin));
    return hit != nullptr ? static_cast<const char*>(hit) : end;
  }
};

// What is done with a record.
struct View {
  template <class Sink>
  void operator()(std::string_view record, Sink& sink) {
    sink(record);
  }
};
struct IntoBuffer {
  template <class Sink>
  void operator()(std::string_view record, Sink& sink) {
    if (buffer.size() < record.size()) buffer.resize(2 * record.size());
    std::memcpy(buffer.data(), record.data(), record.size());
    keep(buffer.data());
    sink(std::string_view(buffer.data(), record.size()));
  }
  std::vector<char> buffer = std::vector<char>(4096);
};
struct NewString {
  template <class Sink>
  void operator()(std::string_view record, Sink& sink) {
    const std::string copy(record);
    keep(copy.data());
    sink(copy);
  }
};

template <class Form>
struct MemchrLoop {
  template <class Sink>
  void operator()(const Workload& workload, Sink& sink) {
    buffer.clear();
    take_from_chunks(buffer, workload, Memchr{workload.separator()[0]},
                     [&](std::string_view record) { form(record, sink); });
  }
  BareBuffer buffer;
  Form form;
};

/// The same with the clock stopped while chunks are copied in.
template <class Form>
class MemchrResident final : public Contestant {
 public:
  using Contestant::Contestant;
  bool can(const Workload& workload) const override { return one_byte(workload); }
  Seen pass(const Workload& workload) override { return run<Counting>(workload); }
  Seen check(const Workload& workload) override { return run<Checking>(workload); }
  std::uint64_t own_ns() const override { return own_ns_; }

 private:
  using Clock = std::chrono::steady_clock;

  template <class Sink>
  Seen run(const Workload& workload) {
    Sink sink;
    own_ns_ = 0;
    const Memchr find{workload.separator()[0]};
    for (const std::string_view chunk : workload.chunks) {
      buffer_.clear();
      buffer_.add(chunk);
      const Clock::time_point start = Clock::now();
      const char* const end = buffer_.end();
      for (const char* record = buffer_.begin(); record != end;) {
        const char* const next = find(record, end) + 1;
        form_(std::string_view(record, static_cast<std::size_t>(next - record)), sink);
        record = next;
      }
      own_ns_ += static_cast<std::uint64_t>((Clock::now() - start).count());
    }
    return sink.seen;
  }

  BareBuffer buffer_;
  Form form_;
  std::uint64_t own_ns_ = 0;
};

/// The feed alone. Its records are those that are known to be there.
class Memcpy final : public Contestant {
 public:
  using Contestant::Contestant;
  bool can(const Workload&) const override { return true; }
  Seen pass(const Workload& workload) override {
    for (const std::string_view chunk : workload.chunks) {
      buffer_.add(chunk);
      keep(buffer_.begin());
      buffer_.consume(chunk.size());
    }
    return {workload.expected.records, workload.expected.bytes, 0};
  }
  Seen check(const Workload& workload) override { return workload.expected; }

 private:
  BareBuffer buffer_;
};

template <class Work>
Side simple(std::string name) {
  return std::make_unique<SimpleContestant<Work>>(std::move(name), one_byte);
}

}  // namespace

Side memcpy_side() { return std::make_unique<Memcpy>("memcpy alone"); }

std::vector<Side> memchr_sides() {
  std::vector<Side> sides;
  sides.push_back(simple<MemchrLoop<View>>("memchr"));
  sides.push_back(simple<MemchrLoop<IntoBuffer>>("memchr + memcpy"));
  sides.push_back(simple<MemchrLoop<NewString>>("memchr + std::string"));
  return sides;
}

std::vector<Side> memchr_resident_sides() {
  std::vector<Side> sides;
  sides.push_back(std::make_unique<MemchrResident<View>>("memchr"));
  sides.push_back(std::make_unique<MemchrResident<IntoBuffer>>("memchr + memcpy"));
  sides.push_back(std::make_unique<MemchrResident<NewString>>("memchr + std::string"));
  return sides;
}

}  // namespace weir::bench

// Internal: used by the sides of the readuntil benchmark and by what runs them.
// SPDX-License-Identifier: MIT
#pragma once

#include <bench/readuntil/seen.hpp>
#include <bench/readuntil/workload.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace weir::bench {

/// One side: takes all records out of a workload, again and again.
class Contestant {
 public:
  explicit Contestant(std::string name) : name_(std::move(name)) {}
  Contestant(const Contestant&) = delete;
  Contestant& operator=(const Contestant&) = delete;
  virtual ~Contestant() = default;

  const std::string& name() const noexcept { return name_; }

  /// Whether it has a way to do this one.
  virtual bool can(const Workload& workload) const = 0;
  /// Gets ready; untimed.
  virtual void open(const Workload&) {}
  /// Feeds every chunk by one copy, and takes every record. Timed.
  virtual Seen pass(const Workload& workload) = 0;
  /// The same, looking at every byte. Not timed.
  virtual Seen check(const Workload& workload) = 0;
  virtual void close() {}
  /// Of those that measure by themselves: how long the last pass took. Others: 0.
  virtual std::uint64_t own_ns() const { return 0; }

 private:
  std::string name_;
};

using Side = std::unique_ptr<Contestant>;

/// A contestant made of one function template over the sink.
///
///     struct MemchrView { template <class Sink> void operator()(const Workload&, Sink&); };
template <class Work>
class SimpleContestant final : public Contestant {
 public:
  using Can = bool (*)(const Workload&);

  SimpleContestant(std::string name, Can its_can) : Contestant(std::move(name)), can_(its_can) {}
  bool can(const Workload& workload) const override { return can_(workload); }
  Seen pass(const Workload& workload) override { return run<Counting>(workload); }
  Seen check(const Workload& workload) override { return run<Checking>(workload); }

 private:
  template <class Sink>
  Seen run(const Workload& workload) {
    Sink sink;
    work_(workload, sink);
    return sink.seen;
  }

  Can can_;
  Work work_;
};

inline bool any_workload(const Workload&) { return true; }
inline bool one_separator(const Workload& workload) { return !workload.is_set(); }
inline bool several_bytes(const Workload& workload) {
  return !workload.is_set() && workload.separator().size() > 1;
}
inline bool is_lf(const Workload& workload) {
  return !workload.is_set() && workload.separator() == "\n";
}
inline bool one_byte(const Workload& workload) {
  return !workload.is_set() && workload.separator().size() == 1;
}

}  // namespace weir::bench

// Internal: used by the trace, which shows these as JSON or as sentences.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/export.hpp>

namespace WEIR_API weir {
namespace detail {

enum class TraceEvent : std::uint8_t {
  wait,            // the kernel is about to be asked, and may take this long
  poll,            // it was asked: how long it took, how many descriptors came
  ready,           // one descriptor of what came
  run,             // something begins to run: a callback, a task's step, a connection's turn
  run_end,         // and is over: what became of it
  wake,            // something is put into the ready queue
  read,            // bytes are received: how many, or the error; 0 is the end of the stream
  write,           // bytes are sent: how many, of how many
  pause_reading,   // by the transport's user, or its reader
  resume_reading,  //
  pause_writing,   // by the transport, which has too much to send
  resume_writing,  //
  cancel,          // a task, or a handle, is cancelled
  accept,          // a connection is accepted: its descriptor
  connect,         // one is asked for
  shutdown,        // the end of the stream is sent
  close,           // the descriptor is closed
};

/// One thing that has happened on a loop. What does not apply is zero, or empty.
struct TraceRecord {
  TimePoint at{};
  Duration took{};
  std::optional<Duration> timeout;  // Of a poll; none: for ever.
  TraceEvent event = TraceEvent::poll;
  bool readable = false;
  bool writable = false;
  bool timer = false;            // A deadline has come, and queued it.
  bool looks = false;            // It is a read that looks again: its task may go on waiting,
  bool looked_only = false;      // and has.
  std::uint64_t run = 0;         // During which it happened; counted from 1.
  std::uint64_t wake = 0;        // Of a wake, and of the run that it led to; counted from 1.
  std::uint64_t task = 0;        // Its number.
  std::uint64_t connection = 0;  // Counted from 1: descriptors are used again.
  int fd = -1;
  int error = 0;
  std::int64_t value = 0;
  std::int64_t asked = 0;
  std::string name;  // "Task-2", "fd 7", "callback".
  std::string text;  // What became of a run: "waits for sleep(), 1.000 s left".
  std::source_location place;
};

/// The last of many records.
class TraceRing {
 public:
  explicit TraceRing(std::size_t capacity) : capacity_(capacity > 0 ? capacity : 1) {}

  void push(TraceRecord record) {
    ++pushed_;
    if (records_.size() < capacity_) return records_.push_back(std::move(record));
    records_[first_] = std::move(record);
    first_ = (first_ + 1) % capacity_;
  }
  std::size_t size() const noexcept { return records_.size(); }
  /// 0 is the oldest that is left.
  const TraceRecord& operator[](std::size_t index) const noexcept {
    return records_[(first_ + index) % records_.size()];
  }
  /// How many there were before that.
  std::uint64_t dropped() const noexcept { return pushed_ - records_.size(); }

 private:
  std::size_t capacity_;
  std::size_t first_ = 0;
  std::uint64_t pushed_ = 0;
  std::vector<TraceRecord> records_;
};

using TraceListener = std::function<void(const TraceRecord&)>;

}  // namespace detail
}  // namespace weir

// Internal: used by the cells of the gate.
// SPDX-License-Identifier: MIT
#pragma once

#include <bench/readuntil/gate/meter.hpp>
#include <coroutine>
#include <cstddef>
#include <string>
#include <utility>

#include <weir/streams/stream_reader.hpp>

namespace weir::bench {

/// A read that says when it has to wait.
template <class Read>
class WatchedRead {
 public:
  explicit WatchedRead(Read read) noexcept : read_(read) {}

  bool await_ready() { return read_.await_ready(); }
  template <class Promise>
  auto await_suspend(std::coroutine_handle<Promise> waiter) {
    meter_suspension();
    return read_.await_suspend(waiter);
  }
  decltype(auto) await_resume() { return read_.await_resume(); }

 private:
  Read read_;
};

/// A StreamReader, of which every read is watched.
class WatchedReader {
 public:
  explicit WatchedReader(StreamReader reader) : reader_(std::move(reader)) {}

  auto readuntil(std::string_view separator) const {
    return WatchedRead(reader_.readuntil(separator));
  }
  template <class Separator>
  auto readuntil_view(const Separator& separator) const {
    return WatchedRead(reader_.readuntil_view(separator));
  }
  template <class Reader = StreamReader>
  auto readuntil_into(std::string& into, std::string_view separator) const
    requires requires(const Reader& reader) { reader.readuntil_into(into, separator); }
  {
    const Reader& reader = reader_;
    return WatchedRead(reader.readuntil_into(into, separator));
  }
  auto readline() const { return WatchedRead(reader_.readline()); }
  auto readline_view() const { return WatchedRead(reader_.readline_view()); }
  auto next_line() const { return WatchedRead(reader_.next_line()); }
  auto read(std::ptrdiff_t n) const { return WatchedRead(reader_.read(n)); }

 private:
  StreamReader reader_;
};

}  // namespace weir::bench

// SPDX-License-Identifier: MIT
//
// The cells of ./dev bench gate. Each reads N records, then 2 N: the difference is what N records
// take, without what a run takes to begin and to end. gate.py starts this, and divides.
#include <bench/readuntil/gate/meter.hpp>
#include <bench/readuntil/gate/watched_reader.hpp>
#include <bench/readuntil/memory_kernel.hpp>
#include <bench/readuntil/weir_reading.hpp>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/streams/streams.hpp>

namespace weir::bench {
namespace {

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;
constexpr std::ptrdiff_t limit_bytes = 128 * static_cast<std::ptrdiff_t>(mib);

/// callgrind counts `rep movsb`, which libc takes for large copies, as one instruction a byte.
constexpr ChunkSize ethernet = 1460;
constexpr ChunkSize resident = 0;  // Records are in the reader before anything is counted.

const std::string lf = "\n";
const std::string crlf = "\r\n";
const std::string crlfcrlf = "\r\n\r\n";
const std::string token = "--7MA4YWxkTrZu0g";

struct Cell {
  std::string name;
  Form form;
  std::vector<std::string> separators;
  ChunkSize chunk;
  std::function<std::string(std::size_t records)> bytes;
  std::size_t records;
  bool memory_only = false;  // Too much for callgrind.
};

/// Counts what the reader looks at while it lives.
template <class Reader>
class ScanAccount {
 public:
  explicit ScanAccount(const Reader& reader) : reader_(reader), before_(reader.bytes_scanned()) {}
  ScanAccount(const ScanAccount&) = delete;
  ScanAccount& operator=(const ScanAccount&) = delete;
  ~ScanAccount() { meter_scanned(reader_.bytes_scanned() - before_); }

 private:
  const Reader& reader_;
  std::uint64_t before_;
};

template <Form form, class Reader>
Coro<> read_stream(MemoryKernel* kernel, const Workload* workload, const Workload* warm_up,
                   std::string name) {
  Socket socket(*kernel, MemoryKernel::first_fd);
  const OpenOptions options{.limit = limit_bytes, .sock = &socket};
  const Streams streams = co_await open_connection(options);
  const Reader reader(streams.reader);
  const SeparatorsOf separators(*workload);
  Counting ignored;
  kernel->serve(warm_up->chunks);
  co_await take_records<form>(reader, &separators, &ignored, &warm_up->expected);

  Counting sink;
  const std::uint64_t before = kernel->received_bytes();
  kernel->serve(workload->chunks);
  meter_begin();
  {
    const ScanAccount account(streams.reader);
    co_await take_records<form>(reader, &separators, &sink, &workload->expected);
  }
  meter_received(kernel->received_bytes() - before);
  meter_end(name);
}

template <Form form, class Reader>
Coro<> read_resident(const Workload* workload, std::string name) {
  const StreamReader plain(limit_bytes);
  const Reader reader(plain);
  const SeparatorsOf separators(*workload);
  Counting sink;
  Seen until;
  const std::uint64_t per_chunk = workload->expected.records / workload->chunks.size();
  plain.feed_data(workload->bytes);  // The first search of a separator, and the first buffer.
  co_await take_records<form>(reader, &separators, &sink, &workload->expected);
  sink = {};
  meter_begin();
  meter_pause();
  for (const std::string_view chunk : workload->chunks) {
    plain.feed_data(chunk);
    until.records += per_chunk;
    meter_resume();
    {
      const ScanAccount account(plain);
      co_await take_records<form>(reader, &separators, &sink, &until);
    }
    meter_pause();
  }
  meter_resume();
  meter_end(name);
}

template <Form form, class Reader>
void perform(const Cell& cell, std::size_t times) {
  const std::size_t records = times * cell.records;
  const std::string name = cell.name + "\t" + std::to_string(records) + "\t";
  std::string bytes = cell.bytes(records);
  const ChunkSize chunk = cell.chunk == resident ? bytes.size() / times : cell.chunk;
  const Workload workload = make_workload(std::move(bytes), cell.separators, chunk);
  const Workload warm_up = make_workload(cell.bytes(1), cell.separators, chunk);
  MemoryKernel kernel;
  EventLoop loop(kernel);
  const std::string full_name = name + std::to_string(workload.bytes.size());
  if (cell.chunk == resident) {
    loop.run_until_complete(read_resident<form, Reader>(&workload, full_name));
  } else {
    loop.run_until_complete(read_stream<form, Reader>(&kernel, &workload, &warm_up, full_name));
  }
  loop.close();
}

template <Form form>
void perform_as(const Cell& cell, std::size_t times) {
  if (meter_is_slow()) {
    perform<form, StreamReader>(cell, times);
  } else {
    perform<form, WatchedReader>(cell, times);
  }
}

void perform(const Cell& cell, std::size_t times) {
  switch (cell.form) {
    case Form::view: return perform_as<Form::view>(cell, times);
    case Form::into: return perform_as<Form::into>(cell, times);
    case Form::string: return perform_as<Form::string>(cell, times);
    case Form::line_view: return perform_as<Form::line_view>(cell, times);
    case Form::line: return perform_as<Form::line>(cell, times);
    case Form::next_line: return perform_as<Form::next_line>(cell, times);
    case Form::after_read: return perform_as<Form::after_read>(cell, times);
    case Form::alternate: return perform_as<Form::alternate>(cell, times);
  }
}

// ---- The cells

Cell plain(std::string name, Form form, std::vector<std::string> separators, std::size_t record,
           ChunkSize chunk) {
  const auto bytes = [record, separators](std::size_t records) {
    return plain_records(record, records * record, separators);
  };
  // Enough chunks, and for callgrind not too many bytes.
  const std::size_t records = chunk == 1 ? 64 : record >= 16 * kib ? 4 : 64 * kib / record;
  return {std::move(name), form, separators, chunk, bytes, records};
}

Cell hostile(std::string name, std::string filler, std::string separator) {
  const auto bytes = [filler, separator](std::size_t records) {
    return hostile_records(filler, 16 * kib, records, separator);
  };
  return {std::move(name), Form::view, {separator}, ethernet, bytes, 4};
}

/// One record of 64 MiB for every unit: what growth costs.
Cell huge() {
  const auto bytes = [](std::size_t records) {
    return plain_records(64 * mib, records * 64 * mib, {lf});
  };
  return {"stream LF 64 MiB view", Form::view, {lf}, ethernet, bytes, 1, true};
}

std::vector<Cell> all_cells() {
  const std::string a15b = std::string(15, 'a') + "b";
  std::vector<Cell> cells = {
      plain("resident LF 8 view", Form::view, {lf}, 8, resident),
      plain("resident LF 16 view", Form::view, {lf}, 16, resident),
      plain("resident LF 64 view", Form::view, {lf}, 64, resident),
      plain("resident LF 256 view", Form::view, {lf}, 256, resident),
      plain("resident LF 1024 view", Form::view, {lf}, 1024, resident),
      plain("resident LF 16 string", Form::string, {lf}, 16, resident),
      plain("resident LF 64 string", Form::string, {lf}, 64, resident),
      plain("resident CRLF 16 view", Form::view, {crlf}, 16, resident),
      plain("resident CRLF 64 view", Form::view, {crlf}, 64, resident),
      plain("resident CRLFCRLF 64 view", Form::view, {crlfcrlf}, 64, resident),
      plain("resident token 1024 view", Form::view, {token}, 1024, resident),
      plain("stream LF 64 view", Form::view, {lf}, 64, ethernet),
      plain("stream LF 64 string", Form::string, {lf}, 64, ethernet),
      plain("stream LF 64 next_line", Form::next_line, {lf}, 64, ethernet),
      plain("stream LF 16384 view", Form::view, {lf}, 16384, ethernet),
      plain("stream CRLF 64 view", Form::view, {crlf}, 64, ethernet),
      plain("stream CRLFCRLF 1024 view", Form::view, {crlfcrlf}, 1024, ethernet),
      plain("stream LF 64 view, byte by byte", Form::view, {lf}, 64, 1),
      plain("stream CRLF 64 view, byte by byte", Form::view, {crlf}, 64, 1),
      plain("stream LF|CRLF|NUL 64 view", Form::view, {lf, crlf, std::string(1, '\0')}, 64,
            ethernet),
      plain("stream LF 64 view after read(1)", Form::after_read, {lf}, 64, ethernet),
      plain("stream CRLF 64 view, CRLF and LF in turns", Form::alternate, {crlf}, 64, ethernet),
      hostile("stream CRLF in CR view", "\r", crlf),
      hostile("stream CRLFCRLF in CRLFCR view", "\r\n\r", crlfcrlf),
      hostile("stream a15b in a view", "a", a15b),
  };
  if constexpr (ReadsInto<StreamReader>) {
    cells.push_back(plain("resident LF 16 into", Form::into, {lf}, 16, resident));
    cells.push_back(plain("stream LF 64 into", Form::into, {lf}, 64, ethernet));
  }
  cells.push_back(huge());
  return cells;
}

}  // namespace
}  // namespace weir::bench

int main() {
  using namespace weir::bench;
  for (const Cell& cell : all_cells()) {
    if (cell.memory_only && meter_is_slow()) continue;
    for (std::size_t times = 1; times <= 2; ++times) perform(cell, times);
  }
  return 0;
}

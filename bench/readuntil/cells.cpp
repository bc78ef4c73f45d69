// SPDX-License-Identifier: MIT
//
// The grid: separators, lengths, chunks, positions, real data, hostile data, consumers.
#include <bench/readuntil/cells.hpp>

#include <algorithm>
#include <bench/readuntil/samples.hpp>
#include <bench/readuntil/traps.hpp>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <string_view>
#include <utility>

namespace weir::bench {
namespace {

using Separators = std::vector<std::string>;
using Sizes = std::initializer_list<std::size_t>;

struct Named {
  const char* name;
  Separators separators;
};

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;
constexpr std::size_t pass_bytes = 512 * kib;  // With the copy of a chunk still in the L2 cache.
constexpr std::size_t usual_chunk = 64 * kib;
// Several for each record: one that comes whole would not have to be put together.
constexpr std::size_t hostile_chunk = 16 * kib;

const Named lf{"LF", {"\n"}};
const Named crlf{"CRLF", {"\r\n"}};
const Named crlfcrlf{"CRLFCRLF", {"\r\n\r\n"}};
const Named dot{"CRLF.CRLF", {"\r\n.\r\n"}};
const Named token{"16 B token", {"--7MA4YWxkTrZu0g"}};
const Named boundary{"64 B boundary",
                     {"\r\n--=_NextPart_7d41b838504d8_0f3c5a9e2b6d4471_a1b2c3d4e5f60718"}};
const Named any_of_3{"LF|CRLF|NUL", {"\n", "\r\n", std::string(1, '\0')}};
const Named any_of_4{"any of 4", {"\n", "\t", ",", ";"}};

/// Enough for a pass, and not too many chunks for the caches.
std::size_t total_of(std::size_t record, ChunkSize chunk) {
  const std::size_t by_chunks = chunk == 0 ? pass_bytes : chunk * 4096;
  return std::max(std::min(pass_bytes, by_chunks), 4 * record);
}

Cell plain(std::string group, const Named& of, std::size_t record, ChunkSize chunk, bool quick) {
  return {std::move(group),
          of.name,
          "",
          record,
          chunk,
          Field::stream,
          [of, record, chunk] {
            return make_workload(plain_records(record, total_of(record, chunk), of.separators),
                                 of.separators, chunk);
          },
          quick};
}

/// One chunk is a pass, as large for every length as fits into the L2 cache with what it is copied
/// from: the two readings of the clock and the call of a coroutine, which it takes on each side or
/// on weir's, are then at most a thousandth of it.
void add_resident(std::vector<Cell>& cells) {
  constexpr std::size_t chunk = 256 * kib;
  for (const Named& of : {lf, crlf}) {
    for (const std::size_t record : Sizes{8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384}) {
      cells.push_back({"resident", of.name, "", record, chunk, Field::resident,
                       [of, record] {
                         return make_workload(plain_records(record, chunk, of.separators),
                                              of.separators, chunk);
                       },
                       record != 512 && record != 4096});
    }
  }
}

void add_lengths(std::vector<Cell>& cells) {
  for (const std::size_t record : Sizes{8, 16, 32, 64, 128, 256, kib, 16 * kib, mib})
    cells.push_back(plain("length", lf, record, usual_chunk, true));
  Cell mixed = plain("length", lf, 80, usual_chunk, false);
  mixed.name = "log-normal, median 80";
  mixed.make = [] {
    return make_workload(mixed_records(pass_bytes, lf.separators), lf.separators, usual_chunk);
  };
  cells.push_back(std::move(mixed));
}

void add_separators(std::vector<Cell>& cells) {
  for (const std::size_t record : Sizes{16, 32, 64, 128, 256, 1024, 16384})
    cells.push_back(plain("separator", crlf, record, usual_chunk, true));
  for (const Named& of : {crlfcrlf, token, dot, boundary, any_of_3, any_of_4}) {
    const bool required = of.separators == crlfcrlf.separators || of.separators == token.separators;
    for (const std::size_t record : Sizes{64, 1024, 16384}) {
      if (of.separators[0].size() < record)
        cells.push_back(plain("separator", of, record, usual_chunk, required || record == 1024));
    }
  }
}

void add_chunks(std::vector<Cell>& cells) {
  for (const std::size_t record : Sizes{64, kib}) {
    for (const ChunkSize chunk :
         Sizes{1, 7, 256, 1460, 4 * kib, 16 * kib, usual_chunk, 256 * kib, 0})
      cells.push_back(plain("chunk", lf, record, chunk, record == 64));
  }
}

/// Where the chunks end, in relation to the separators.
void add_positions(std::vector<Cell>& cells) {
  for (const Named& of : {crlf, crlfcrlf}) {
    for (const bool across : {false, true}) {
      const std::size_t record = 64;
      const ChunkSize chunk = 1408;  // 22 records.
      cells.push_back({"position", of.name,
                       across ? "a separator across every border" : "records end with the chunk",
                       record, chunk, Field::stream,
                       [of, across] {
                         return make_workload(plain_records(record, pass_bytes, of.separators),
                                              of.separators, chunk, across ? chunk - 1 : 0);
                       },
                       false});
    }
  }
}

std::string file(const char* path) {
  std::ifstream stream(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  if (bytes.size() > 4 * mib) bytes.resize(4 * mib);
  return bytes;
}

void add_real(std::vector<Cell>& cells) {
  struct Source {
    const char* name;
    const Named& of;
    std::function<std::string()> bytes;
  };
  const Source sources[] = {
      {"dpkg status", lf, [] { return file("/var/lib/dpkg/status"); }},
      {"words", lf, [] { return file("/usr/share/dict/words"); }},
      {"HTTP headers, by line", crlf, [] { return http_headers(pass_bytes); }},
      {"HTTP headers, by block", crlfcrlf, [] { return http_headers(pass_bytes); }},
      {"JSON lines", lf, [] { return json_lines(pass_bytes); }},
      {"RESP", crlf, [] { return resp_dump(pass_bytes); }},
  };
  for (const Source& source : sources) {
    cells.push_back(
        {"real", source.of.name, source.name, 0, usual_chunk, Field::stream,
         [source] { return make_workload(source.bytes(), source.of.separators, usual_chunk); },
         false});
  }
}

void add_hostile(std::vector<Cell>& cells) {
  for (const Trap& trap : all_traps()) {
    for (const std::size_t record : Sizes{64 * kib, mib}) {
      cells.push_back({"hostile", trap.separator_name, trap.name, record, hostile_chunk,
                       Field::stream,
                       [trap, record] {
                         return make_workload(
                             hostile_records(trap.filler, record, 2 * mib / record, trap.separator),
                             {trap.separator}, hostile_chunk);
                       },
                       true});
    }
  }
}

/// Whoever waits is told after every chunk that it took too long, and asks again.
void add_timeouts(std::vector<Cell>& cells) {
  for (const Named& of : {lf, crlf}) {
    for (const std::size_t record : Sizes{64 * kib, mib}) {
      cells.push_back({"time-outs", of.name, "", record, hostile_chunk, Field::timeouts,
                       [of, record] {
                         return make_workload(plain_records(record, mib, of.separators),
                                              of.separators, hostile_chunk);
                       },
                       true});
    }
  }
}

/// Where the separator is just there, and where it is much too late.
void add_limits(std::vector<Cell>& cells) {
  constexpr std::size_t limit = 64 * kib;
  struct Length {
    const char* name;
    std::size_t before_separator;
  };
  for (const Length& length : {Length{"separator at limit - 1", limit - 1},
                               {"separator at the limit", limit},
                               {"separator at limit + 1", limit + 1},
                               {"1 MiB, 16 times the limit", mib}}) {
    cells.push_back({"limits", "LF", length.name, 0, hostile_chunk, Field::limits,
                     [bytes = length.before_separator + 1] {
                       return with_limit(
                           make_workload(long_and_short_records(bytes, 2 * mib, lf.separators),
                                         lf.separators, hostile_chunk),
                           limit);
                     },
                     true});
  }
}

void add_consumers(std::vector<Cell>& cells) {
  for (const std::size_t record : Sizes{64, kib}) {
    Cell cell = plain("consumer", lf, record, usual_chunk, record == 64);
    cell.name = "lines";
    cell.field = Field::lines;
    cells.push_back(std::move(cell));
  }
  for (const Named& of : {lf, crlf}) {
    Cell cell = plain("consumer", of, 64, usual_chunk, of.separators == lf.separators);
    cell.name = "what calls before each other do to a search";
    cell.field = Field::habits;
    cells.push_back(std::move(cell));
  }
  for (const std::size_t count : Sizes{1, 100, 10000}) {
    const std::size_t record = 64;
    const ChunkSize chunk = 1460;
    cells.push_back({"connections", "LF", std::to_string(count) + " connections", record, chunk,
                     Field::connections,
                     [count] {
                       const std::size_t total = std::max(4 * chunk, pass_bytes / count);
                       return make_workload(plain_records(record, total, lf.separators),
                                            lf.separators, chunk);
                     },
                     count != 10000, count});
  }
}

void add_carriers(std::vector<Cell>& cells) {
  struct Way {
    Carrier carrier;
    const char* name;
    std::size_t pass_bytes;  // More than lies in the kernel when a pass begins.
  };
  const Way ways[] = {{Carrier::memory, "memory", pass_bytes},
                      {Carrier::simulated, "simulated kernel", pass_bytes},
                      {Carrier::socketpair, "socketpair", 32 * mib},
                      {Carrier::tcp, "loopback TCP", 32 * mib}};
  for (const std::size_t record : Sizes{64, kib}) {
    for (const Way& by : ways) {
      Cell cell = plain("carrier", lf, record, usual_chunk, record == 64);
      cell.name = by.name;
      cell.field = Field::carrier;
      cell.carrier = by.carrier;
      cell.make = [record, total = by.pass_bytes] {
        return make_workload(plain_records(record, total, lf.separators), lf.separators,
                             usual_chunk);
      };
      cells.push_back(std::move(cell));
    }
  }
}

}  // namespace

std::vector<Cell> all_cells() {
  std::vector<Cell> cells;
  add_resident(cells);
  add_lengths(cells);
  add_separators(cells);
  add_chunks(cells);
  add_positions(cells);
  add_real(cells);
  add_hostile(cells);
  add_timeouts(cells);
  add_limits(cells);
  add_consumers(cells);
  add_carriers(cells);
  return cells;
}

}  // namespace weir::bench

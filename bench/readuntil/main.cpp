// SPDX-License-Identifier: MIT
//
// Runs the grid: all sides of a cell in turns, cell after cell. Writes one line of JSON for each
// cell; run.py makes tables, plots and the page of them.
#include <malloc.h>

#include <bench/readuntil/cells.hpp>
#include <bench/readuntil/contest.hpp>
#include <bench/readuntil/sides.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

namespace weir::bench {
namespace {

struct Options {
  bool quick = false;
  std::string only;  // One group.
  std::string python = "python3";
  std::string script = "bench/readuntil/peers/cpython_reader.py";
};

/// All sides, by what they take part in.
struct Sides {
  explicit Sides(const Options& options) {
    stream = weir_sides();
    stream.push_back(memcpy_side());
    for (Side& side : memchr_sides()) stream.push_back(std::move(side));
    stream.push_back(last_byte_side());
    stream.push_back(two_bytes_side());
    for (Side& side : asio_sides()) stream.push_back(std::move(side));
    for (Side& side : libevent_sides()) stream.push_back(std::move(side));
    stream.push_back(getline_side());
    stream.push_back(cpython_side(options.python, options.script));
    resident = weir_resident_sides();
    for (Side& side : memchr_resident_sides()) resident.push_back(std::move(side));
    lines = weir_sides();
    for (Side& side : weir_line_sides()) lines.push_back(std::move(side));
    habits = weir_habit_sides();
    const auto asyncio = [&](const char* way) {
      return cpython_side(options.python, options.script, way, std::string(", ") + way);
    };
    timeouts = weir_timeout_sides();
    for (Side& side : bare_timeout_sides()) timeouts.push_back(std::move(side));
    for (Side& side : asio_timeout_sides()) timeouts.push_back(std::move(side));
    timeouts.push_back(asyncio("wait_for"));
    limits = weir_limit_sides();
    limits.push_back(bare_limit_side());
    for (Side& side : asio_limit_sides()) limits.push_back(std::move(side));
    limits.push_back(asyncio("readexactly"));
    limits.push_back(asyncio("readline"));
  }

  std::vector<Side> stream;
  std::vector<Side> resident;
  std::vector<Side> lines;
  std::vector<Side> habits;
  std::vector<Side> timeouts;
  std::vector<Side> limits;
};

std::vector<Side> sides_over(Carrier carrier) {
  switch (carrier) {
    case Carrier::memory: return memory_sides();
    case Carrier::simulated: return simulated_sides();
    case Carrier::socketpair:
    case Carrier::tcp: return socket_sides(carrier);
  }
  return {};
}

std::vector<Result> run(const Cell& cell, const Workload& workload, const Sides& sides,
                        const Effort& effort) {
  switch (cell.field) {
    case Field::stream: return contest(sides.stream, workload, effort);
    case Field::resident: return contest(sides.resident, workload, effort);
    case Field::lines: return contest(sides.lines, workload, effort);
    case Field::habits: return contest(sides.habits, workload, effort);
    case Field::timeouts: return contest(sides.timeouts, workload, effort);
    case Field::limits: return contest(sides.limits, workload, effort);
    case Field::carrier: return contest(sides_over(cell.carrier), workload, effort);
    case Field::connections: {
      std::vector<Side> many;
      many.push_back(weir_connections(cell.connections));
      std::vector<Result> results = contest(many, workload, effort);
      // A pass of so many connections takes the workload so many times.
      for (double& ns : results[0].ns_per_record) ns /= static_cast<double>(cell.connections);
      return results;
    }
  }
  return {};
}

void print(const Cell& cell, const Workload& workload, const std::vector<Result>& results) {
  std::printf(R"({"group": "%s", "separator": "%s", "name": "%s", "record": %zu, "chunk": %zu, )"
              R"("records": %llu, "bytes": %llu, "sides": {)",
              cell.group.c_str(), cell.separator.c_str(), cell.name.c_str(), cell.record_bytes,
              cell.chunk_bytes, static_cast<unsigned long long>(workload.expected.records),
              static_cast<unsigned long long>(workload.expected.bytes));
  for (std::size_t i = 0; i < results.size(); ++i) {
    std::printf("%s\"%s\": [", i == 0 ? "" : ", ", results[i].side.c_str());
    const std::vector<double>& rounds = results[i].ns_per_record;
    for (std::size_t k = 0; k < rounds.size(); ++k)
      std::printf("%s%.4g", k == 0 ? "" : ", ", rounds[k]);
    std::printf("]");
  }
  std::printf("}, \"system\": {");
  for (std::size_t i = 0; i < results.size(); ++i)
    std::printf("%s\"%s\": %.3g", i == 0 ? "" : ", ", results[i].side.c_str(),
                results[i].system_share);
  std::printf("}}\n");
  std::fflush(stdout);
}

/// What a run was made with, as far as only this program knows. A library that is not there is
/// said once, here.
void print_versions(const Sides& sides) {
  const auto version_of = [](const char* library, const std::string& version) {
    if (version.empty()) std::fprintf(stderr, "%s is not there: skipped\n", library);
    std::printf("\"%s\": \"%s\"", library, version.empty() ? "skipped" : version.c_str());
  };
  std::printf("{");
  version_of("Asio", asio_version());
  std::printf(", ");
  version_of("libevent", libevent_version());
  std::printf(", ");
  const Side& cpython = sides.stream.back();
  version_of("CPython", cpython ? cpython->name().substr(std::strlen("asyncio ")) : "");
  std::printf(", \"SIMD\": \"%s\"}\n", weir_simd_path());
}

void run_all(const Options& options) {
  const Sides sides(options);
  print_versions(sides);
  const Effort effort{.rounds = 21, .round_ms = options.quick ? 2.0 : 12.0};
  std::vector<Cell> cells;
  for (Cell& cell : all_cells()) {
    if ((!options.quick || cell.quick) && (options.only.empty() || options.only == cell.group))
      cells.push_back(std::move(cell));
  }
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const Cell& cell = cells[i];
    const Workload workload = cell.make();
    std::fprintf(stderr, "%3zu/%zu  %s, %s, %zu B records, %zu B chunks %s\n", i + 1, cells.size(),
                 cell.group.c_str(), cell.separator.c_str(), cell.record_bytes, cell.chunk_bytes,
                 cell.name.c_str());
    if (workload.expected.records == 0) {
      std::fprintf(stderr, "        skipped: this machine has no such file\n");
      continue;
    }
    print(cell, workload, run(cell, workload, sides, effort));
  }
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const auto value = [&] { return std::string(i + 1 < argc ? argv[++i] : ""); };
    if (argument == "--quick") {
      options.quick = true;
    } else if (argument == "--only") {
      options.only = value();
    } else if (argument == "--python") {
      options.python = value();
    } else if (argument == "--script") {
      options.script = value();
    } else {
      std::fprintf(stderr, "readuntil: unknown option %s\n", argv[i]);
      std::exit(2);
    }
  }
  return options;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  // What the allocator gives back to the system and asks for again would be measured as ours, or
  // as a peer's: for all of them it keeps what it has.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  try {
    weir::bench::run_all(weir::bench::parse(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "readuntil: %s\n", error.what());
    return 1;
  }
  return 0;
}

// SPDX-License-Identifier: MIT
//
// The load generator: asks a server on this machine, compares every byte of its answers, and prints
// what it saw as one line of JSON.
//
//     load --port 8888 --connections 64 --bytes 64 --depth 16 --seconds 2 --server PID
#include <sys/resource.h>

#include <bench/serving/load/load.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

using weir::bench::LoadOptions;
using weir::bench::LoadResult;

constexpr const char* usage =
    "usage: load --port PORT [OPTIONS]\n"
    "Every request is a line, which the server is to send back as it is.\n"
    "  --connections N    (64)\n"
    "  --bytes N          of a request, 1 or more, its \"\\n\" included (64)\n"
    "  --depth N          requests that are sent together; the next come after all answers (1)\n"
    "  --warm-up S        seconds that do not count (0.2)\n"
    "  --seconds S        seconds that do (1)\n"
    "  --batches N        instead, every connection sends N times, and all of it counts\n"
    "  --server PID       whose processor time is looked at\n";

LoadOptions parse(int argc, char** argv) {
  LoadOptions options;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    if (i + 1 == argc) throw std::invalid_argument(std::string(name) + " wants a value");
    const double value = std::atof(argv[i + 1]);
    if (!(value >= 0)) throw std::invalid_argument(std::string(name) + " wants a number");
    if (name == "--port") {
      options.port = static_cast<int>(value);
    } else if (name == "--connections") {
      options.connections = static_cast<std::size_t>(value);
    } else if (name == "--bytes") {
      options.request_bytes = static_cast<std::size_t>(value);
    } else if (name == "--depth") {
      options.depth = static_cast<std::size_t>(value);
    } else if (name == "--warm-up") {
      options.warm_up_seconds = value;
    } else if (name == "--seconds") {
      options.seconds = value;
    } else if (name == "--batches") {
      options.batches = static_cast<std::uint64_t>(value);
    } else if (name == "--server") {
      options.server = static_cast<pid_t>(value);
    } else {
      throw std::invalid_argument("unknown option " + std::string(name));
    }
  }
  if (options.port == 0 || options.connections == 0 || options.request_bytes == 0 ||
      options.depth == 0)
    throw std::invalid_argument("port, connections, bytes and depth are at least 1");
  return options;
}

void allow_many_descriptors() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void print(const LoadResult& result) {
  const auto us = [&](double share) {
    return static_cast<double>(result.tally.latency.percentile(share)) / 1000;
  };
  const auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
  std::printf(
      "{\"requests\": %llu, \"bytes\": %llu, \"seconds\": %.6f, \"p50_us\": %.1f, \"p99_us\": "
      "%.1f, "
      "\"p999_us\": %.1f, \"server_ns\": %llu, \"client_ns\": %llu, \"machine_ns\": %llu}\n",
      number(result.tally.requests), number(result.tally.bytes), result.seconds, us(0.5), us(0.99),
      us(0.999), number(result.used.server), number(result.used.client),
      number(result.used.machine));
}

}  // namespace

int main(int argc, char** argv) {
  LoadOptions options;
  try {
    options = parse(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "load: %s\n%s", error.what(), usage);
    return 2;
  }
  try {
    allow_many_descriptors();
    print(weir::bench::run_load(options));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "load: %s\n", error.what());
    return 1;
  }
}

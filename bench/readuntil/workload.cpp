// SPDX-License-Identifier: MIT
#include <bench/readuntil/workload.hpp>

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

namespace weir::bench {
namespace {

/// Letters, so that no separator of the grid begins in them.
void append_letters(std::string& bytes, std::size_t count, std::mt19937_64& random) {
  for (; count > 0; --count) bytes += static_cast<char>('a' + random() % 26);
}

/// The one that ends first; of two that end together the shorter one. npos: none.
std::size_t end_of_record(std::string_view bytes, std::size_t from,
                          const std::vector<std::string>& separators) {
  std::size_t first = std::string_view::npos;
  for (const std::string& separator : separators) {
    const std::size_t at = bytes.find(separator, from);
    if (at != std::string_view::npos) first = std::min(first, at + separator.size());
  }
  return first;
}

std::vector<std::string_view> cut(std::string_view bytes, ChunkSize chunk, ChunkSize first) {
  std::mt19937_64 random(7);
  std::vector<std::string_view> chunks;
  if (first != 0) {
    chunks.push_back(bytes.substr(0, first));
    bytes.remove_prefix(chunks.back().size());
  }
  while (!bytes.empty()) {
    const std::size_t wanted = chunk != 0 ? chunk : 1 + random() % 16384;
    chunks.push_back(bytes.substr(0, wanted));
    bytes.remove_prefix(chunks.back().size());
  }
  return chunks;
}

/// Sets what is to be found; returns where the last record ends.
std::size_t count(Workload& workload) {
  Checking check;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t end = end_of_record(workload.bytes, begin, workload.separators);
    if (end == std::string::npos) break;
    const bool refused =
        workload.limit != 0 && end - begin > workload.limit + workload.separator().size();
    check(std::string_view(workload.bytes).substr(begin, refused ? 0 : end - begin));
    begin = end;
  }
  workload.expected = check.seen;
  return begin;
}

}  // namespace

std::string plain_records(std::size_t record_bytes, std::size_t total_bytes,
                          const std::vector<std::string>& separators) {
  std::mt19937_64 random(1);
  std::string bytes;
  bytes.reserve(total_bytes + record_bytes);
  for (std::size_t i = 0; bytes.size() < total_bytes; ++i) {
    const std::string& separator = separators[i % separators.size()];
    append_letters(bytes, record_bytes - std::min(record_bytes, separator.size()), random);
    bytes += separator;
  }
  return bytes;
}

std::string mixed_records(std::size_t total_bytes, const std::vector<std::string>& separators) {
  constexpr double median = 80;
  std::mt19937_64 random(2);
  std::normal_distribution<double> normal(std::log(median), 1.0);
  std::string bytes;
  for (std::size_t i = 0; bytes.size() < total_bytes; ++i) {
    append_letters(bytes, static_cast<std::size_t>(std::exp(normal(random))), random);
    bytes += separators[i % separators.size()];
  }
  return bytes;
}

std::string long_and_short_records(std::size_t long_bytes, std::size_t total_bytes,
                                   const std::vector<std::string>& separators) {
  constexpr std::size_t short_bytes = 64;
  std::string bytes;
  while (bytes.size() < total_bytes)
    bytes += plain_records(long_bytes, 1, separators) + plain_records(short_bytes, 1, separators);
  return bytes;
}

std::string hostile_records(std::string_view filler, std::size_t record_bytes, std::size_t records,
                            std::string_view separator) {
  std::string record;
  while (record.size() + separator.size() < record_bytes) record += filler;
  record.resize(record_bytes - separator.size());
  record += separator;
  std::string bytes;
  for (; records > 0; --records) bytes += record;
  return bytes;
}

Workload make_workload(std::string bytes, std::vector<std::string> separators, ChunkSize chunk,
                       ChunkSize first) {
  Workload workload;
  workload.bytes = std::move(bytes);
  workload.separators = std::move(separators);
  workload.bytes.resize(count(workload));  // Real files may end within a record.
  workload.chunks = cut(workload.bytes, chunk, first);
  return workload;
}

Workload with_limit(Workload workload, std::size_t limit) {
  workload.limit = limit;
  count(workload);
  return workload;
}

}  // namespace weir::bench

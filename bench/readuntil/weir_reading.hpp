// Internal: used by weir's sides of the readuntil benchmark and by its gate.
// SPDX-License-Identifier: MIT
#pragma once

#include <bench/readuntil/contestant.hpp>
#include <bench/readuntil/seen.hpp>
#include <bench/readuntil/workload.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <weir/reactor/task/coro.hpp>
#include <weir/streams/separators.hpp>
#include <weir/streams/stream_reader.hpp>

namespace weir::bench {

/// How a program takes its records.
enum class Form {
  view,
  into,
  string,
  line_view,
  line,
  next_line,
  after_read,  // A view, after a read(1) that takes its first byte.
  alternate,   // A view; "\r\n" and "\n" in turns, over lines that end in both.
};

/// The separators of a workload, as the reader takes them.
struct SeparatorsOf {
  explicit SeparatorsOf(const Workload& workload) : single(workload.separator()) {
    const auto& all = workload.separators;
    if (all.size() == 3) set.emplace(all[0], all[1], all[2]);
    if (all.size() == 4) set.emplace(all[0], all[1], all[2], all[3]);
  }
  std::string_view single;
  std::optional<Separators> set;
};

/// readuntil_into() is younger than this benchmark: a reader without it has one side less.
template <class Reader>
concept ReadsInto =
    requires(const Reader& reader, std::string& into) { reader.readuntil_into(into, "\n"); };

/// Whether a form has a way to take these.
inline bool suits(Form form, const Workload& workload) {
  switch (form) {
    case Form::view: return true;
    case Form::string: return one_separator(workload);
    case Form::into: return ReadsInto<StreamReader> && one_separator(workload);
    case Form::after_read: return one_separator(workload);
    case Form::alternate: return !workload.is_set() && workload.separator() == "\r\n";
    default: return is_lf(workload);
  }
}

/// Takes records until `sink` has seen as many as `until` says. Nothing is looked at that the
/// reader does not say: it may suspend at every one.
template <Form form, class Sink, class Reader = StreamReader>
Coro<> take_records(Reader reader, const SeparatorsOf* separators, Sink* sink, const Seen* until) {
  const std::uint64_t records = until->records;
  const std::string_view separator = separators->single;
  if constexpr (form == Form::view) {
    if (separators->set) {
      while (sink->seen.records < records) {
        const std::string_view record = co_await reader.readuntil_view(*separators->set);
        (*sink)(record);
      }
    }
    while (sink->seen.records < records) {
      const std::string_view record = co_await reader.readuntil_view(separator);
      (*sink)(record);
    }
  } else if constexpr (form == Form::string) {
    while (sink->seen.records < records) {
      const std::string record = co_await reader.readuntil(separator);
      keep(record.data());
      (*sink)(record);
    }
  } else if constexpr (form == Form::into && ReadsInto<Reader>) {
    std::string record;
    while (sink->seen.records < records) {
      co_await reader.readuntil_into(record, separator);
      keep(record.data());
      (*sink)(record);
    }
  } else if constexpr (form == Form::line_view) {
    while (sink->seen.records < records) {
      const std::string_view record = co_await reader.readline_view();
      (*sink)(record);
    }
  } else if constexpr (form == Form::line) {
    while (sink->seen.records < records) {
      const std::string record = co_await reader.readline();
      keep(record.data());
      (*sink)(record);
    }
  } else if constexpr (form == Form::next_line) {
    while (sink->seen.records < records) {
      auto record = co_await reader.next_line();
      if (!record) break;
      keep(record->data());
      (*sink)(*record);
    }
  } else if constexpr (form == Form::after_read) {
    while (sink->seen.records < records) {
      const std::string first = co_await reader.read(1);
      const std::string_view rest = co_await reader.readuntil_view(separator);
      (*sink)(first, rest);
    }
  } else if constexpr (form == Form::alternate) {
    bool whole = true;
    while (sink->seen.records < records) {
      const std::string_view record = co_await reader.readuntil_view(whole ? separator : "\n");
      (*sink)(record);
      whole = !whole;
    }
  }
  co_return;
}

}  // namespace weir::bench

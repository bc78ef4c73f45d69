// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/reactor/testing/cancel_sweep.hpp>
#include <weir/streams/stream_reader.hpp>

namespace WEIR_API weir {
namespace testing {

struct ChunkSweepOptions {
  std::ptrdiff_t limit = default_limit_bytes;  // The reader's.
  std::uint64_t seed = 1;                      // Of the random cuts of long inputs.
  std::uint32_t random_cuts = 1000;            // How many of them.
};
static_assert(std::is_trivially_destructible_v<ChunkSweepOptions>);

/// Inputs of up to this size are cut in every way.
inline constexpr std::size_t max_exhaustive_bytes = 14;

using Chunks = std::vector<std::string_view>;

/// Calls `visit` with the ways to cut `input`, in one piece first, until it returns false.
///
/// Shape     Up to 14 bytes: all 2^(n-1) ways. Beyond: one piece, single bytes, and seeded random
///           cuts, some into few pieces and some into many.
void for_each_cut(std::string_view input, const ChunkSweepOptions& options,
                  const std::function<bool(const Chunks&)>& visit);

namespace detail {

/// A result in words, for comparing and for reading: bytes in quotes, numbers, type and text of an
/// exception.
std::string quoted(std::string_view bytes);

template <class T>
std::string in_words(const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return quoted(value);
  } else if constexpr (std::is_arithmetic_v<T>) {
    return std::to_string(value);
  } else {
    std::string all;
    for (const auto& each : value) all += (all.empty() ? "[" : ", ") + in_words(each);
    return all.empty() ? "[]" : all + "]";
  }
}

template <class T>
std::string outcome_of(const Task<T>& task) {
  if (task.cancelled()) return "is cancelled";
  if (const std::exception_ptr error = task.exception()) return describe(error);
  if constexpr (std::is_void_v<T>) {
    return "returns";
  } else {
    return in_words(task.result());
  }
}

/// Feeds the chunks, each when the one before has had all its effects; then the end.
void feed(SweepRun& run, const StreamReader& reader, const Chunks& chunks);
/// Runs until nothing more can happen, or `done` says so.
void run_out(SweepRun& run, const std::function<bool()>& done);

struct CutOutcome {
  std::string result;
  std::string wrong;  // Whatever the result is.
};
std::string sweep_cuts(std::string_view input, const ChunkSweepOptions& options,
                       const std::function<CutOutcome(const Chunks&)>& outcome_of);

}  // namespace detail

/// Runs a handler under the ways in which its input can arrive, each on a loop of its own, and
/// compares what it returns or throws. Returns the first way that gives something else than the
/// input in one piece does, and what; the empty string if there is none.
///
/// Shape     Coro<std::vector<std::string>> parse(StreamReader reader);
///           CHECK(chunk_sweep("a\r\nbc\r\n", parse) == "");
///           The result: void, a number, bytes, or a range of these. The stream ends after the
///           input. "seed 1, cut 7: a|bc|d gives "x", in one piece "y"".
/// Errors    Found are, besides: a handler that waits for ever after the end of the stream, tasks
///           and transports that it leaves, what the loop's exception handler was told.
/// Threads   No loop may run on this one.
/// Lifetime  `handler` is called by reference; a lambda coroutine may use its captures.
template <class Handler>
std::string chunk_sweep(std::string_view input, Handler handler,
                        const ChunkSweepOptions& options = {}) {
  return detail::sweep_cuts(input, options, [&](const Chunks& chunks) {
    SweepRun run;
    const StreamReader reader(run.loop, options.limit);
    const auto task = run.loop.create_task(handler(reader));
    detail::feed(run, reader, chunks);
    detail::run_out(run, [&task] { return task.done(); });
    if (!task.done()) return detail::CutOutcome{"nothing", "waits for ever"};
    return detail::CutOutcome{detail::outcome_of(task), run.leftovers()};
  });
}

}  // namespace testing
}  // namespace weir

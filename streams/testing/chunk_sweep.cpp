// SPDX-License-Identifier: MIT
#include <weir/streams/testing/chunk_sweep.hpp>

#include <algorithm>
#include <cerrno>

namespace weir::testing {
namespace {

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers everywhere for the same seed.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t below(std::uint64_t bound) noexcept {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
    return (mixed ^ (mixed >> 31U)) % bound;
  }

 private:
  std::uint64_t state_;
};

/// Cuts behind byte i if `cuts_behind(i)`.
template <class F>
Chunks cut(std::string_view input, F&& cuts_behind) {
  Chunks chunks;
  std::size_t begin = 0;
  for (std::size_t i = 0; i + 1 < input.size(); ++i) {
    if (!cuts_behind(i)) continue;
    chunks.push_back(input.substr(begin, i + 1 - begin));
    begin = i + 1;
  }
  if (begin < input.size()) chunks.push_back(input.substr(begin));
  return chunks;
}

std::string joined(const Chunks& chunks) {
  std::string text;
  for (const std::string_view chunk : chunks) {
    const std::string quotes = detail::quoted(chunk);
    text += (text.empty() ? "" : "|") + quotes.substr(1, quotes.size() - 2);
  }
  return text;
}

}  // namespace

void for_each_cut(std::string_view input, const ChunkSweepOptions& options,
                  const std::function<bool(const Chunks&)>& visit) {
  if (input.size() <= max_exhaustive_bytes) {
    const std::uint32_t ways = input.empty() ? 1 : 1U << (input.size() - 1);
    for (std::uint32_t mask = 0; mask < ways; ++mask) {
      if (!visit(cut(input, [=](std::size_t i) { return ((mask >> i) & 1U) != 0; }))) return;
    }
    return;
  }
  if (!visit({input}) || !visit(cut(input, [](std::size_t) { return true; }))) return;
  Random random(options.seed);
  for (std::uint32_t i = 0; i < options.random_cuts; ++i) {
    // On average a cut every 2, 4, … bytes, up to the whole input.
    std::uint64_t spacing = 2;
    while (spacing < input.size() && random.below(2) != 0) spacing *= 2;
    if (!visit(cut(input, [&](std::size_t) { return random.below(spacing) == 0; }))) return;
  }
}

namespace detail {

std::string quoted(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text = "\"";
  for (const char byte : bytes) {
    const auto code = static_cast<unsigned char>(byte);
    if (byte == '\n') {
      text += "\\n";
    } else if (byte == '\r') {
      text += "\\r";
    } else if (code >= ' ' && code < 127) {
      text += byte;
    } else {
      text += std::string("\\x") + digits[code >> 4U] + digits[code & 15U];
    }
  }
  return text + "\"";
}

void feed(SweepRun& run, const StreamReader& reader, const Chunks& chunks) {
  run.settle();
  for (const std::string_view chunk : chunks) {
    reader.feed_data(chunk);
    run.settle();
  }
  reader.feed_eof();
  run.settle();
}

void run_out(SweepRun& run, const std::function<bool()>& done) {
  // A poll is where time passes. One that could only wait for ever is an error of the fake kernel.
  run.kernel.set_ready_filter([&](std::vector<Ready>&) { run.loop.stop(); });
  try {
    while (!done()) run.loop.run_forever();
  } catch (const OSError& error) {
    if (error.code().value() != EDEADLK) throw;
  }
  run.kernel.set_ready_filter(nullptr);
  run.settle();
}

std::string sweep_cuts(std::string_view input, const ChunkSweepOptions& options,
                       const std::function<CutOutcome(const Chunks&)>& outcome_of) {
  std::string wrong;
  std::string expected;
  std::uint64_t number = 0;
  for_each_cut(input, options, [&](const Chunks& chunks) {
    const CutOutcome outcome = outcome_of(chunks);
    if (number == 0) expected = outcome.result;
    const std::string where = "seed " + std::to_string(options.seed) + ", cut " +
                              std::to_string(number) + ": " + joined(chunks);
    if (!outcome.wrong.empty()) {
      wrong = where + ": " + outcome.wrong;
    } else if (outcome.result != expected) {
      wrong = where + " gives " + outcome.result + ", in one piece " + expected;
    }
    ++number;
    return wrong.empty();
  });
  return wrong;
}

}  // namespace detail

}  // namespace weir::testing

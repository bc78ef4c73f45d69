// SPDX-License-Identifier: MIT
//
// The searches, built once more with a note_load() that counts: tests/streams/counted.
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include <weir/reactor/sim/sim_random.hpp>
#include <weir/streams/find_separator.hpp>
#include <weir/streams/loads.hpp>
#include <weir/streams/match_kernels.hpp>

using weir::detail::available_match_kernels;
using weir::detail::find_separator_by;
using weir::detail::load_count;
using weir::detail::MatchKernels;
using weir::detail::not_found;

namespace {

constexpr std::size_t flood_bytes = 64 * 1024;
/// A search begins with so many bytes for nothing: vectors that overlap, candidates, the first
/// blocks of a search that goes on with another one.
constexpr std::size_t bytes_a_call = 1024;

std::string repeated(std::string_view piece) {
  std::string text;
  while (text.size() < flood_bytes) text += piece;
  text.resize(flood_bytes);
  return text;
}

struct Flood {
  const char* name;
  std::string piece;
  std::string separator;
};

std::vector<Flood> floods() {
  const std::string token = "--bndry0123wxyz8";
  const std::string ruler(40, '-');
  const std::string a(80, 'a');
  const std::string b(80, 'b');
  return {
      {"CR everywhere, for CRLF", "\r", "\r\n"},
      {"LF everywhere, for CRLF", "\n", "\r\n"},
      {"CR everywhere, for CRLFCRLF", "\r", "\r\n\r\n"},
      {"CRLF and a letter, for CRLFCRLF", "\r\nx", "\r\n\r\n"},
      {"CRLF CR x LF, for CRLFCRLF", "\r\n\rx\n", "\r\n\r\n"},
      {"a, for 15 a and b", "a", a.substr(0, 15) + "b"},
      {"a, for 7 a, b, 8 a", "a", a.substr(0, 7) + "b" + a.substr(0, 8)},
      {"a, for b and 15 a", "a", "b" + a.substr(0, 15)},
      {"7 a and b, for 15 a and b", "aaaaaaab", a.substr(0, 15) + "b"},
      {"7 a and b, for 8 a", "aaaaaaab", "aaaaaaaa"},
      {"the beginning of a token, for the token", token.substr(0, 15), token},
      {"the end of a token, for the token", token.substr(1), token},
      {"rulers, for a ruler and a word", "-", ruler + "end of the part"},
      {"a ruler and half a word, for all of it", ruler + "end", ruler + "end of the part"},
      // Made for the two bytes that are looked for: half of all places are candidates.
      {"15 a and 15 b, for 14 a, X, b", a.substr(0, 15) + b.substr(0, 15), a.substr(0, 14) + "Xb"},
      {"63 a and 63 b, for 62 a, X, b", a.substr(0, 63) + b.substr(0, 63), a.substr(0, 62) + "Xb"},
      {"a and b, for aXb", "aabb", "aXb"},
      {"candidates 16 apart", "a" + std::string(14, '.') + "b", "a.....X........b"},
      {"candidates 40 apart", "a" + std::string(38, '.') + "b",
       "a......................X...............b"},
      {"blocks of which only the first two are empty", std::string(191, '.') + "b", "ab"},
      {"blocks of which every second is empty", std::string(127, '.') + "b", "ab"},
  };
}

/// Searches from the beginning, and again behind each match.
void search_all(const MatchKernels& kernels, std::string_view haystack,
                std::string_view separator) {
  load_count = {haystack};
  for (std::size_t from = 0; from <= haystack.size();) {
    const std::size_t start = find_separator_by(kernels, haystack, separator, from);
    if (start == not_found) return;
    from = start + separator.size();
  }
}

}  // namespace

TEST_SUITE("streams/search_loads") {
  TEST_CASE("find_separator: at most 3 bytes are read for each byte of a flood") {
    for (const Flood& flood : floods()) {
      const std::string haystack = repeated(flood.piece);
      CHECK(haystack.find(flood.separator) == std::string::npos);
      for (const MatchKernels* kernels : available_match_kernels()) {
        search_all(*kernels, haystack, flood.separator);
        CAPTURE(std::string(flood.name));
        CAPTURE(std::string(kernels->name));
        CHECK(load_count.bytes > 0);
        CHECK(load_count.bytes <= 3 * haystack.size() + bytes_a_call);
      }
    }
  }

  TEST_CASE("find_separator: at most 3 bytes are read for each byte of small alphabets") {
    weir::SimRandom random(3);
    for (int round = 0; round < 300; ++round) {
      const std::uint32_t letters = 1 + random.below(3);
      const auto word = [&](std::size_t size) {
        std::string text;
        while (text.size() < size) text += static_cast<char>('a' + random.below(letters));
        return text;
      };
      const std::string separator = word(random.between(2, 40)) + "z";
      const std::string haystack = repeated(word(random.between(1, 60)) + "z");
      if (haystack.find(separator) != std::string::npos) continue;
      for (const MatchKernels* kernels : available_match_kernels()) {
        search_all(*kernels, haystack, separator);
        CHECK(load_count.bytes <= 3 * haystack.size() + bytes_a_call);
      }
    }
  }

  TEST_CASE("find_separator: long records of ordinary text are read little more than once") {
    const std::string record = std::string(4000, '.');
    for (const std::string_view separator : {"\n", "\r\n", "\r\n\r\n", "--bndry0123wxyz8"}) {
      const std::string haystack = repeated(record + std::string(separator));
      for (const MatchKernels* kernels : available_match_kernels()) {
        if (kernels == &weir::detail::scalar_kernels) continue;
        search_all(*kernels, haystack, separator);
        CHECK(load_count.bytes <= haystack.size() + haystack.size() / 10 + bytes_a_call);
      }
    }
  }

  TEST_CASE("find_separator: no load begins before the haystack, or ends behind it") {
    weir::SimRandom random(4);
    const std::string around(1000, 'a');
    for (int round = 0; round < 20000; ++round) {
      const std::string_view haystack =
          std::string_view(around).substr(random.below(100), random.below(400));
      const std::string separator =
          std::string(random.below(40), 'a') + (random.coin() ? "b" : "a");
      for (const MatchKernels* kernels : available_match_kernels()) {
        search_all(*kernels, haystack, separator);
        REQUIRE(load_count.outside == 0);
      }
    }
  }
}

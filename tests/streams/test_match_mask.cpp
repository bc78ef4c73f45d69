// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <stdlib.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include <weir/reactor/error.hpp>
#include <weir/reactor/sim/sim_random.hpp>
#include <weir/streams/match_kernels.hpp>
#include <weir/streams/match_mask.hpp>
#include <weir/streams/stream_reader.hpp>

#include <tests/streams/guarded_bytes.hpp>
#include <tests/streams/stream_fixture.hpp>

using weir::detail::available_match_kernels;
using weir::detail::BytePair;
using weir::detail::chosen_match_kernels;
using weir::detail::first_match_block;
using weir::detail::MatchBlock;
using weir::detail::MatchKernels;
using weir::detail::MatchWindow;
using weir::detail::select_match_kernels;

namespace weir::detail {

static bool operator==(const MatchBlock& a, const MatchBlock& b) {
  return a.offset == b.offset && a.mask == b.mask;
}

}  // namespace weir::detail

namespace {

/// Letters, of which one in `rarity` is an 'x' and another one a 'y'.
std::string letters(weir::SimRandom& random, std::size_t count, std::uint32_t rarity) {
  std::string text;
  while (text.size() < count) {
    const std::uint32_t dice = random.below(rarity);
    text += dice < 2 ? "xy"[dice] : static_cast<char>(0x70 + 0x10 * (dice % 4));
  }
  return text;
}

/// What first_block() is to say, bit by bit.
template <class Matches>
MatchBlock expected_block(std::size_t count, Matches matches) {
  for (std::size_t block = 0; block < count; block += 64) {
    MatchBlock expected{block, 0};
    for (std::size_t i = block; i < count && i < block + 64; ++i) {
      expected.mask |= std::uint64_t{matches(i)} << (i - block);
    }
    if (expected.mask != 0) return expected;
  }
  return {count, 0};
}

MatchBlock expected_block(std::string_view bytes, char byte) {
  return expected_block(bytes.size(), [=](std::size_t i) { return bytes[i] == byte; });
}

MatchBlock expected_block(std::string_view bytes, BytePair pair) {
  return expected_block(bytes.size() - pair.gap, [=](std::size_t i) {
    return bytes[i] == pair.first && bytes[i + pair.gap] == pair.second;
  });
}

MatchBlock block_of(const MatchKernels& kernels, std::string_view bytes, char byte) {
  return kernels.first_block(bytes.data(), bytes.size(), byte);
}

MatchBlock block_of(const MatchKernels& kernels, std::string_view bytes, BytePair pair) {
  return kernels.first_pair_block(bytes.data(), bytes.size() - pair.gap, pair.first, pair.second,
                                  pair.gap);
}

std::uint64_t search(const MatchKernels& kernels, MatchWindow& window, std::string_view bytes,
                     char byte) {
  window.bytes = {byte, byte, 0};
  return kernels.search_byte(window, bytes.data(), bytes.size());
}

std::uint64_t search(const MatchKernels& kernels, MatchWindow& window, std::string_view bytes,
                     BytePair pair) {
  window.bytes = pair;
  return kernels.search_pair(window, bytes.data(), bytes.size() - pair.gap);
}

/// Whether a reader's search comes to `expected`, and has counted what it looked at: to the end of
/// the block, or of the bytes.
template <class Wanted>
bool window_agrees(const MatchKernels& kernels, std::string_view bytes, Wanted wanted,
                   const MatchBlock& expected) {
  std::size_t count = bytes.size();
  if constexpr (std::is_same_v<Wanted, BytePair>) count -= wanted.gap;
  MatchWindow window;
  window.base = 1000;
  window.searched = 1000 + (bytes.size() - count);
  const std::uint64_t before = window.searched;
  const std::uint64_t mask = search(kernels, window, bytes, wanted);
  const std::uint64_t looked_at = std::min(expected.offset + 64, count);
  return mask == expected.mask && window.mask == mask && window.base == 1000 + expected.offset &&
         window.searched == before + looked_at && window.scanned == looked_at;
}

/// Compares where nothing may be read before the bytes, then where nothing may be read behind them.
template <class Wanted>
void check_between_guards(const weir::testing::GuardedBytes& memory, std::string_view bytes,
                          Wanted wanted) {
  const MatchBlock expected = expected_block(bytes, wanted);
  for (const MatchKernels* kernels : available_match_kernels()) {
    if (block_of(*kernels, memory.at_begin(bytes), wanted) == expected &&
        block_of(*kernels, memory.at_end(bytes), wanted) == expected &&
        window_agrees(*kernels, memory.at_begin(bytes), wanted, expected) &&
        window_agrees(*kernels, memory.at_end(bytes), wanted, expected)) {
      continue;
    }
    FAIL(kernels->name << " in \"" << bytes << "\"");
  }
}

/// WEIR_SIMD with this value, or without any, and nothing chosen yet, for as long as this lives.
class SimdChoice {
 public:
  explicit SimdChoice(const char* value) {
    if (const char* before = ::getenv("WEIR_SIMD")) before_ = before;
    set(value);
  }
  SimdChoice(const SimdChoice&) = delete;
  SimdChoice& operator=(const SimdChoice&) = delete;
  ~SimdChoice() { set(before_ ? before_->c_str() : nullptr); }

 private:
  static void set(const char* value) {
    value != nullptr ? ::setenv("WEIR_SIMD", value, 1) : ::unsetenv("WEIR_SIMD");
    chosen_match_kernels.store(nullptr);
  }
  std::optional<std::string> before_;
};

}  // namespace

TEST_SUITE("streams/match_mask") {
  TEST_CASE("first_match_block: one byte, up to 700 bytes: every processor's agrees") {
    const weir::testing::GuardedBytes memory;
    weir::SimRandom random(1);
    for (std::size_t size = 0; size <= 700; ++size) {
      for (const std::uint32_t rarity : {4U, 64U, 1000U}) {
        check_between_guards(memory, letters(random, size, rarity), 'x');
      }
    }
    CHECK(available_match_kernels().size() >= 1);
  }

  TEST_CASE("first_match_block: pairs with gaps of 1 to 70: every processor's agrees") {
    const weir::testing::GuardedBytes memory;
    weir::SimRandom random(2);
    for (std::size_t size = 0; size <= 260; ++size) {
      for (const std::uint32_t gap : {1U, 2U, 3U, 7U, 15U, 16U, 31U, 32U, 63U, 64U, 70U}) {
        if (gap > size) continue;
        const std::string text = letters(random, size, size % 2 == 0 ? 3 : 12);
        check_between_guards(memory, text, BytePair{'x', 'y', gap});
        check_between_guards(memory, text, BytePair{'x', 'x', gap});
      }
    }
    CHECK(available_match_kernels().size() >= 1);
  }

  TEST_CASE("first_match_block: all alignments and lengths, one match at every place") {
    const weir::testing::GuardedBytes memory;
    for (std::size_t size = 1; size <= 130; ++size) {
      for (std::size_t place = 0; place < size; ++place) {
        std::string text(size, '.');
        text[place] = '\xff';
        check_between_guards(memory, text, '\xff');
      }
    }
    CHECK(memory.size() >= 130);
  }

  TEST_CASE("first_match_block: every byte is found, and no other one taken for it") {
    std::string all;
    for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
    for (const MatchKernels* kernels : available_match_kernels()) {
      for (std::size_t i = 0; i < all.size(); ++i) {
        const MatchBlock found = block_of(*kernels, all, all[i]);
        REQUIRE(found == MatchBlock{i - i % 64, std::uint64_t{1} << i % 64});
        const std::string_view few = std::string_view(all).substr(i - i % 8, 8);
        REQUIRE(block_of(*kernels, few, all[i]) == MatchBlock{0, std::uint64_t{1} << i % 8});
      }
    }
  }

  TEST_CASE("first_match_block: without a match the answer is the count and no bit") {
    const std::string text(200, 'a');
    CHECK(first_match_block(text.data(), 200, 'x') == MatchBlock{200, 0});
    CHECK(first_match_block(text.data(), 199, BytePair{'a', 'x'}) == MatchBlock{199, 0});
    CHECK(first_match_block(nullptr, 0, 'x') == MatchBlock{0, 0});
  }

  TEST_CASE("first_match_block: a bit for each match in 64 bytes") {
    std::string text(64, '.');
    text[0] = text[9] = text[63] = '\n';
    const std::uint64_t expected = 1 | 1U << 9 | std::uint64_t{1} << 63;
    CHECK(first_match_block(text.data(), 64, '\n').mask == expected);
    CHECK(first_match_block(text.data(), 64, '\r').mask == 0);
  }

  TEST_CASE("first_match_block: a bit for each start of a pair, the 65th byte included") {
    std::string text(65, '.');
    text.replace(5, 2, "\r\n");
    text.replace(63, 2, "\r\n");
    const std::uint64_t expected = 1U << 5 | std::uint64_t{1} << 63;
    CHECK(first_match_block(text.data(), 64, BytePair{'\r', '\n'}).mask == expected);
  }

  TEST_CASE("first_match_block: of a few bytes no more than they are") {
    const std::string_view text = "a\r\nb\r\n";
    CHECK(first_match_block(text.data(), 6, '\n').mask == (1U << 2 | 1U << 5));
    CHECK(first_match_block(text.data(), 5, '\n').mask == 1U << 2);
    CHECK(first_match_block(text.data(), 0, 'a').mask == 0);
    CHECK(first_match_block(text.data(), 5, BytePair{'\r', '\n'}).mask == (1U << 1 | 1U << 4));
    CHECK(first_match_block(text.data(), 4, BytePair{'\r', '\n'}).mask == 1U << 1);
    CHECK(first_match_block(text.data(), 0, BytePair{'\r', '\n'}).mask == 0);
  }

  TEST_CASE("select_match_kernels: the best of this processor, if nobody says otherwise") {
    CHECK(&select_match_kernels("") == available_match_kernels().front());
    CHECK(available_match_kernels().back()->name == std::string_view("scalar"));
  }

  TEST_CASE("select_match_kernels: an unknown name is a ValueError that says what is allowed") {
    std::string text = "WEIR_SIMD is \"mmx\"; allowed here: ";
    for (const MatchKernels* kernels : available_match_kernels()) {
      text += (kernels == available_match_kernels().front() ? "" : ", ");
      text += kernels->name;
    }
    CHECK_THROWS_WITH_AS(select_match_kernels("mmx"), text.c_str(), weir::ValueError);
  }

  TEST_CASE("match_kernels: WEIR_SIMD names the implementation, once") {
    for (const MatchKernels* kernels : available_match_kernels()) {
      const SimdChoice choice(kernels->name);
      REQUIRE(&weir::detail::match_kernels() == kernels);
      ::setenv("WEIR_SIMD", "mmx", 1);
      REQUIRE(&weir::detail::match_kernels() == kernels);
    }
  }

  TEST_CASE("match_kernels: a wrong WEIR_SIMD is an error each time, until it is mended") {
    const SimdChoice choice("mmx");
    CHECK_THROWS_AS(weir::detail::match_kernels(), weir::ValueError);
    CHECK_THROWS_AS(weir::detail::match_kernels(), weir::ValueError);
    ::setenv("WEIR_SIMD", "", 1);
    CHECK(&weir::detail::match_kernels() == available_match_kernels().front());
  }

  TEST_CASE_FIXTURE(weir::test::ReaderLoop,
                    "StreamReader: a wrong WEIR_SIMD is told to its maker") {
    const SimdChoice choice("mmx");
    CHECK_THROWS_AS(weir::StreamReader{loop}, weir::ValueError);
  }
}

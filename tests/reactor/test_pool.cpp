// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <malloc.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include <weir/reactor/pool.hpp>

using namespace weir::detail;

// These hold for both builds of the pool: with free lists, and with plain malloc under sanitizers.

namespace {

struct Block {
  void* at;
  std::size_t bytes;
};

Block filled(std::size_t bytes, int value) {
  void* const at = pool_allocate(bytes);
  std::memset(at, value, bytes);
  return {at, bytes};
}

bool holds(const Block& block, int value) {
  const auto* const bytes = static_cast<const unsigned char*>(block.at);
  for (std::size_t i = 0; i < block.bytes; ++i) {
    if (bytes[i] != value) return false;
  }
  return true;
}

}  // namespace

TEST_SUITE_BEGIN("reactor/pool");

TEST_CASE("pool_allocate: a block of every size can be used to its last byte") {
  std::vector<Block> blocks;
  for (std::size_t bytes = 0; bytes <= pool_max_bytes + 100; ++bytes) {
    blocks.push_back(filled(bytes, static_cast<int>(bytes % 256)));
  }
  bool intact = true;
  for (const Block& block : blocks) {
    intact = intact && holds(block, static_cast<int>(block.bytes % 256));
    pool_free(block.at, block.bytes);
  }
  CHECK(intact);
}

TEST_CASE("pool_allocate: blocks are aligned for anything") {
  bool aligned = true;
  for (std::size_t bytes = 1; bytes <= 200; ++bytes) {
    void* const block = pool_allocate(bytes);
    aligned = aligned && reinterpret_cast<std::uintptr_t>(block) % alignof(std::max_align_t) == 0;
    pool_free(block, bytes);
  }
  CHECK(aligned);
}

TEST_CASE("pool_allocate: no byte belongs to two blocks, through 100 000 random calls") {
  std::mt19937 random(5);
  std::vector<std::pair<Block, int>> live;
  int damaged = 0;
  for (int step = 0; step < 100'000; ++step) {
    if (live.size() < 20 || (live.size() < 200 && random() % 2 == 0)) {
      const int value = static_cast<int>(random() % 256);
      live.emplace_back(filled(random() % 300, value), value);
    } else {
      std::swap(live[random() % live.size()], live.back());
      const auto [block, value] = live.back();
      live.pop_back();
      if (!holds(block, value)) ++damaged;
      pool_free(block.at, block.bytes);
    }
  }
  for (const auto& [block, value] : live) pool_free(block.at, block.bytes);
  CHECK(damaged == 0);
}

TEST_CASE("pool_free: keeps no more than its share of a burst") {
  constexpr std::size_t burst = 16 * pool_cached_bytes;
  const std::size_t before = mallinfo2().uordblks;
  std::vector<void*> blocks;
  for (std::size_t bytes = 0; bytes < burst; bytes += 512) blocks.push_back(pool_allocate(512));
  for (void* block : blocks) pool_free(block, 512);
  blocks = {};
  CHECK(mallinfo2().uordblks <= before + 2 * pool_cached_bytes);
}

TEST_CASE("pool_free: a block may go on another thread, and serve there" * doctest::timeout(10)) {
  std::vector<Block> blocks;
  for (int i = 0; i < 100; ++i) blocks.push_back(filled(100, i));
  bool intact = true;
  std::thread([&] {
    for (int i = 0; i < 100; ++i) {
      const Block& block = blocks[static_cast<std::size_t>(i)];
      intact = intact && holds(block, i);
      pool_free(block.at, block.bytes);
    }
    for (int i = 0; i < 100; ++i) {
      const Block block = filled(100, i);
      intact = intact && holds(block, i);
      pool_free(block.at, block.bytes);
    }
  }).join();
  CHECK(intact);
}

TEST_CASE("pool_free: the destructors of a thread that ends leave nothing behind" *
          doctest::timeout(10)) {
  std::vector<void*> blocks;
  const std::size_t before = mallinfo2().uordblks;
  for (int i = 0; i < 200; ++i) blocks.push_back(pool_allocate(4096));
  struct Last {
    ~Last() {
      for (void* block : *its_blocks) pool_free(block, 4096);
      its_blocks->clear();
    }
    std::vector<void*>* its_blocks = nullptr;
  };
  std::thread([&] {
    thread_local Last last;  // Made before the pool is used, so destroyed after its lists are gone.
    last.its_blocks = &blocks;
    pool_free(pool_allocate(200), 200);
  }).join();
  CHECK(blocks.empty());
  CHECK(mallinfo2().uordblks <= before + 100 * 1024);
}

TEST_SUITE_END();

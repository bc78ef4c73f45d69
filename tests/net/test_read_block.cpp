// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstddef>

#include <weir/net/read_block.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>

using weir::EventLoop;
using weir::FakeKernel;
using weir::detail::ReadBlock;

namespace {

struct Rig {
  ~Rig() { loop.close(); }
  FakeKernel kernel;
  EventLoop loop{kernel};
};

}  // namespace

TEST_SUITE_BEGIN("net/read_block");

// CPython: selector_events.py max_size
TEST_CASE_FIXTURE(Rig, "ReadBlock: has room for what asyncio reads at once") {
  CHECK(loop.service<ReadBlock>().room().size() == 262144);
}

TEST_CASE_FIXTURE(Rig, "ReadBlock: a loop has one, two loops have two") {
  CHECK(&loop.service<ReadBlock>() == &loop.service<ReadBlock>());
  EventLoop other(kernel);
  CHECK(&other.service<ReadBlock>() != &loop.service<ReadBlock>());
  other.close();
}

TEST_CASE_FIXTURE(Rig, "holds: knows its own bytes, to the last one") {
  ReadBlock& block = loop.service<ReadBlock>();
  const char* const first = block.room().data();
  CHECK(block.holds(first));
  CHECK(block.holds(first + ReadBlock::bytes - 1));
  CHECK_FALSE(block.holds(first + ReadBlock::bytes));
  const char elsewhere = 'x';
  CHECK_FALSE(block.holds(&elsewhere));
  CHECK_FALSE(block.holds(nullptr));
}

TEST_SUITE_END();

// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <malloc.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <random>
#include <string>
#include <string_view>

#include <weir/net/write_buffer.hpp>
#include <weir/reactor/poison.hpp>

using weir::detail::poisons;
using weir::detail::WriteBuffer;

TEST_SUITE_BEGIN("net/write_buffer");

TEST_CASE("append: what goes in at the back comes out at the front") {
  WriteBuffer buffer;
  buffer.append("hello ");
  buffer.append("world");
  CHECK(buffer.bytes() == "hello world");
  CHECK(buffer.size() == 11);
  buffer.consume(6);
  CHECK(buffer.bytes() == "world");
  buffer.consume(5);
  CHECK(buffer.empty());
}

TEST_CASE("append: nothing is added by an empty view, also one without an address") {
  WriteBuffer buffer;
  buffer.append(std::string_view());
  CHECK(buffer.empty());
  buffer.append("x");
  buffer.append(std::string_view());
  buffer.append("");
  CHECK(buffer.bytes() == "x");
}

TEST_CASE("append: 100000 random appends and consumes are what a string would do") {
  std::mt19937 random(1);  // The same numbers in every run.
  WriteBuffer buffer;
  std::string model;
  char next = 'a';
  int wrong = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::size_t step = random() % (i % 1000 < 10 ? 20'000 : 300);
    if (random() % 2 == 0) {
      const std::string more(step, next);
      next = next == 'z' ? 'a' : static_cast<char>(next + 1);
      buffer.append(more);
      model += more;
    } else {
      const std::size_t bytes = std::min(step * 2, model.size());
      buffer.consume(bytes);
      model.erase(0, bytes);
    }
    if (buffer.size() != model.size()) ++wrong;
    if (i % 100 == 0 && buffer.bytes() != model) ++wrong;
  }
  CHECK(wrong == 0);
  CHECK(buffer.bytes() == model);
}

TEST_CASE("clear: gives everything back, and the buffer can be filled again") {
  WriteBuffer buffer;
  buffer.append(std::string(100'000, 'x'));
  buffer.clear();
  CHECK(buffer.empty());
  CHECK(buffer.bytes().data() == nullptr);
  buffer.append("again");
  CHECK(buffer.bytes() == "again");
}

TEST_CASE("consume: the last byte gives the memory back") {
  WriteBuffer buffer;
  buffer.append("xy");
  buffer.consume(1);
  CHECK(buffer.bytes().data() != nullptr);
  buffer.consume(1);
  CHECK(buffer.bytes().data() == nullptr);
}

// ---- The thread's block. Under AddressSanitizer there is none: each buffer has its own.

TEST_CASE("WriteBuffer: those that are filled and emptied in turn have one block") {
  WriteBuffer one;
  one.append("1");
  const void* const block = one.bytes().data();
  one.consume(1);
  WriteBuffer other;
  other.append("2");
  CHECK((other.bytes().data() == block || poisons));
}

TEST_CASE("WriteBuffer: what an event gathers by default never moves") {
  WriteBuffer buffer;
  buffer.append("x");
  const void* const block = buffer.bytes().data();
  while (buffer.size() < WriteBuffer::shared_bytes) buffer.append("x");
  CHECK((buffer.bytes().data() == block || poisons));
}

TEST_CASE("WriteBuffer: what the thread's block is too small for gets no more than it needs") {
  WriteBuffer().append("x");  // Now there is one.
  const auto in_use = [] {
    const struct mallinfo2 info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  const std::string much(WriteBuffer::shared_bytes + 10'000, 'x');
  const std::size_t before = in_use();
  WriteBuffer slow;
  slow.append(much);
  CHECK((in_use() - before < much.size() + 10'000 || poisons));
}

TEST_CASE("WriteBuffer: two that are filled at a time do not disturb each other") {
  WriteBuffer one;
  WriteBuffer other;
  one.append("1");
  other.append("2");
  one.append("3");
  other.append("4");
  CHECK(one.bytes() == "13");
  CHECK(other.bytes() == "24");
}

TEST_CASE("settle: what is left moves away, and the next buffer has the block") {
  WriteBuffer slow;
  slow.append("gone, left");
  const void* const block = slow.bytes().data();
  slow.consume(6);
  slow.settle();
  CHECK(slow.bytes() == "left");
  WriteBuffer next;
  next.append("x");
  CHECK((next.bytes().data() == block || poisons));
  slow.append(", and more");
  CHECK(slow.bytes() == "left, and more");
}

// cpython#146507: a queue of chunks whose size was asked for with every write, and added up anew.
TEST_CASE("B42: what is appended moves a few times at most, however much waits") {
  struct Mover {
    /// Moved bytes are those that were there before, when the block is another one.
    void append(WriteBuffer& buffer, std::string_view more) {
      const char* before = buffer.bytes().data();
      const std::size_t size = buffer.size();
      buffer.append(more);
      if (size != 0 && buffer.bytes().data() != before) moved += size;
      appended += more.size();
    }
    std::size_t moved = 0;
    std::size_t appended = 0;
  };
  const std::string piece(16, 'x');
  SUBCASE("while nothing is sent") {
    WriteBuffer buffer;
    Mover mover;
    for (int i = 0; i < 20'000; ++i) mover.append(buffer, piece);
    CHECK(mover.moved <= 2 * mover.appended);
  }
  SUBCASE("while as much is sent as is written, and a lot waits") {
    WriteBuffer buffer;
    Mover mover;
    for (int i = 0; i < 1'000; ++i) mover.append(buffer, piece);
    for (int i = 0; i < 20'000; ++i) {
      buffer.consume(piece.size());
      mover.append(buffer, piece);
    }
    CHECK(mover.moved <= 2 * mover.appended);
  }
}

// libevent CVE-2014-6272: a sum of sizes that was too large came out small.
TEST_CASE("B51: bytes that no memory can hold change nothing") {
  WriteBuffer buffer;
  buffer.append("kept");
  // Views that claim more than there can be; nothing of them is read. Volatile: compilers see
  // through it.
  const volatile std::size_t claims[] = {PTRDIFF_MAX, SIZE_MAX - 4, SIZE_MAX - 3, SIZE_MAX};
  for (const std::size_t claimed : claims) {
    CAPTURE(claimed);
    CHECK_THROWS_AS(buffer.append(std::string_view("x", claimed)), std::bad_alloc);
    CHECK(buffer.bytes() == "kept");
  }
}

TEST_SUITE_END();

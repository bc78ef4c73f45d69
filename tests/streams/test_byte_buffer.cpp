// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <weir/streams/byte_buffer.hpp>

using weir::detail::ByteBuffer;

TEST_SUITE("streams/byte_buffer") {
  TEST_CASE("ByteBuffer: what is appended comes out in order") {
    ByteBuffer buffer;
    buffer.append("abc");
    buffer.append("def");
    CHECK(buffer.view() == "abcdef");
    buffer.consume(4);
    CHECK(buffer.view() == "ef");
    buffer.append("g");
    CHECK(buffer.view() == "efg");
  }

  TEST_CASE("ByteBuffer: a new one holds no memory") {
    const ByteBuffer buffer;
    CHECK(buffer.empty());
    CHECK_FALSE(buffer.wasteful());
    CHECK(buffer.view().empty());
  }

  TEST_CASE("position: counts what was consumed, from whatever memory") {
    ByteBuffer buffer;
    buffer.append("abc");
    buffer.consume(2);
    buffer.settle();
    buffer.append(std::string(1000, 'x'));
    CHECK(buffer.position() == 2);
    buffer.consume(1001);
    buffer.borrow("yz");
    buffer.consume(1);
    CHECK(buffer.position() == 1004);
  }

  TEST_CASE("borrow: the bytes stay where they are") {
    ByteBuffer buffer;
    const std::string lent = "lent bytes";
    buffer.borrow(lent);
    CHECK(buffer.data() == lent.data());
    buffer.consume(5);
    CHECK(buffer.data() == lent.data() + 5);
    CHECK(buffer.borrowed());
  }

  TEST_CASE("settle: what is unread moves out of the lent block, what was read does not") {
    ByteBuffer buffer;
    std::string lent = "lent bytes";
    buffer.borrow(lent);
    buffer.consume(5);
    buffer.settle();
    lent.assign(lent.size(), '#');
    CHECK(buffer.view() == "bytes");
    CHECK_FALSE(buffer.borrowed());
  }

  TEST_CASE("settle: with all read there is nothing to move, and no memory to take") {
    ByteBuffer buffer;
    buffer.borrow("lent");
    buffer.consume(4);
    buffer.settle();
    CHECK(buffer.empty());
    CHECK_FALSE(buffer.wasteful());
  }

  TEST_CASE("append: to a borrowed block leaves the block alone") {
    ByteBuffer buffer;
    const std::string lent = "lent";
    buffer.borrow(lent);
    buffer.append(" and own");
    CHECK(lent == "lent");
    CHECK(buffer.view() == "lent and own");
    CHECK_FALSE(buffer.borrowed());
  }

  TEST_CASE("borrow: with memory of its own at hand it still uses the lent block") {
    ByteBuffer buffer;
    buffer.append("own");
    buffer.consume(3);
    const std::string lent = "lent";
    buffer.borrow(lent);
    CHECK(buffer.data() == lent.data());
    buffer.consume(4);
    buffer.settle();
    CHECK(buffer.wasteful());
    buffer.append("again");
    CHECK(buffer.view() == "again");
  }

  TEST_CASE("prepend: puts bytes back, and the position with them") {
    ByteBuffer buffer;
    buffer.append("abcdef");
    buffer.consume(4);
    buffer.prepend("cd");
    CHECK(buffer.view() == "cdef");
    CHECK(buffer.position() == 2);
    buffer.prepend("");
    CHECK(buffer.view() == "cdef");
  }

  TEST_CASE("prepend: before a lent block moves what is left of it") {
    ByteBuffer buffer;
    std::string lent = "cdef";
    buffer.append("ab");
    buffer.consume(2);
    buffer.borrow(lent);
    buffer.consume(1);
    buffer.prepend("abc");
    lent.assign(lent.size(), '#');
    CHECK(buffer.view() == "abcdef");
    CHECK_FALSE(buffer.borrowed());
  }

  TEST_CASE("trim: gives memory back when nothing is unread, and only then") {
    ByteBuffer buffer;
    buffer.append("a");
    buffer.trim();
    CHECK(buffer.view() == "a");
    buffer.consume(1);
    CHECK(buffer.wasteful());
    buffer.trim();
    CHECK_FALSE(buffer.wasteful());
    buffer.append("b");
    CHECK(buffer.view() == "b");
  }

  TEST_CASE("consume: what was consumed stays readable until the next append") {
    ByteBuffer buffer;
    buffer.append("line\nrest");
    const std::string_view line = buffer.view().substr(0, 5);
    buffer.consume(9);
    CHECK(line == "line\n");
  }

  TEST_CASE("B51: an append of more than any memory is bad_alloc, and nothing has changed") {
    ByteBuffer buffer;
    buffer.append("abc");
    buffer.consume(1);
    const std::string_view too_much("x", static_cast<std::size_t>(PTRDIFF_MAX) / 2);
    CHECK_THROWS_AS(buffer.append(too_much), std::bad_alloc);
    CHECK(buffer.view() == "bc");
    CHECK(buffer.position() == 1);
  }

  TEST_CASE("ByteBuffer: any sequence of calls leaves what a string would hold") {
    std::mt19937 dice(5);
    for (int round = 0; round < 200; ++round) {
      ByteBuffer buffer;
      std::string model;
      std::uint64_t consumed = 0;
      std::unique_ptr<std::string> lent;
      for (int step = 0; step < 100; ++step) {
        const std::string bytes(dice() % 200, static_cast<char>('a' + step % 26));
        switch (dice() % 6) {
          case 0:
          case 1:
            if (bytes.empty()) break;
            buffer.append(bytes);
            model += bytes;
            break;
          case 2:
            if (!model.empty() || bytes.empty()) break;
            lent = std::make_unique<std::string>(bytes);
            buffer.borrow(*lent);
            model = bytes;
            break;
          case 3:
            buffer.settle();
            lent.reset();
            buffer.trim();
            break;
          default: {
            const std::size_t some = dice() % (model.size() + 1);
            buffer.consume(some);
            model.erase(0, some);
            consumed += some;
          }
        }
        REQUIRE(buffer.view() == model);
        REQUIRE(buffer.position() == consumed);
      }
      buffer.settle();
    }
  }
}

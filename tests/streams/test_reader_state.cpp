// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <weir/net/read_block.hpp>

#include <tests/streams/reader_model.hpp>
#include <tests/streams/stream_fixture.hpp>

using weir::StreamReader;
using weir::Task;
using weir::detail::ReadBlock;
using weir::test::quoted;
using weir::test::ReadCall;
using weir::test::ReaderLoop;
using weir::test::ReaderModel;
using weir::test::said;

namespace {

class Dice {
 public:
  explicit Dice(std::uint32_t seed) : engine_(seed) {}
  /// 0 to count - 1. The same on every platform, which std::uniform_int_distribution is not.
  std::size_t roll(std::size_t count) { return engine_() % count; }
  bool one_in(std::size_t count) { return roll(count) == 0; }
  std::string bytes(std::string_view alphabet, std::size_t most) {
    std::string text;
    for (std::size_t left = roll(most + 1); left > 0; --left) {
      text += alphabet[roll(alphabet.size())];
    }
    return text;
  }

 private:
  std::mt19937 engine_;
};

/// A few bytes that often make a separator, a line or the beginning of one.
constexpr std::string_view alphabet = std::string_view("ab\n\r\0", 5);

std::string separator(Dice& dice) {
  if (dice.one_in(40)) return "";
  if (dice.one_in(40)) return "1:a";  // Reads like the name of the set that holds "a" alone.
  std::string made = dice.bytes(alphabet, 3);
  if (made.empty()) made = "a";
  return dice.one_in(20) ? made + made + made + "abababab" : made;
}

ReadCall random_call(Dice& dice) {
  switch (dice.roll(7)) {
    case 0: return weir::test::read(static_cast<std::ptrdiff_t>(dice.roll(8)) - 1);
    case 1: return weir::test::readexactly(static_cast<std::ptrdiff_t>(dice.roll(16)) - 1);
    case 2:
    case 3: return weir::test::readuntil(separator(dice));
    case 4: {
      std::vector<std::string> separators;
      for (std::size_t left = dice.one_in(30) ? 0 : 1 + dice.roll(4); left > 0; --left) {
        separators.push_back(separator(dice));
      }
      return weir::test::readuntil_any(separators);
    }
    default: return weir::test::readline();
  }
}

/// Who owns the bytes that are fed.
enum class Bytes { copied, lent, in_the_read_block };

/// A reader and the model of it: does the same to both, and compares after every step.
class Both {
 public:
  Both(std::uint32_t seed, Bytes bytes)
      : dice_(seed),
        bytes_(bytes),
        limit_(1 + dice_.roll(8)),
        reader_(test_.make_reader(static_cast<std::ptrdiff_t>(limit_))),
        model_(limit_) {}

  /// What was done until the first difference, and the difference; nothing if there is none.
  std::string run(int steps) {
    for (; steps > 0 && differences_.empty(); --steps) {
      step();
      compare();
    }
    for (std::size_t i = 0; i < tasks_.size() && differences_.empty(); ++i) {
      cancel(i);
      compare();
    }
    for (int left = 3; left > 0 && differences_.empty(); --left) {
      pass();
      compare();
    }
    return differences_.empty() ? "" : log_ + differences_;
  }

 private:
  void step() {
    switch (dice_.roll(10)) {
      case 0:
      case 1:
      case 2: return feed(dice_.bytes(alphabet, 9));
      case 3:
      case 4: return start(random_call(dice_));
      case 5: return tasks_.empty() ? pass() : cancel(dice_.roll(tasks_.size()));
      case 6: return dice_.one_in(12) ? end() : pass();
      default: return pass();
    }
  }

  void feed(const std::string& bytes) {
    log_ += "feed " + quoted(bytes) + "\n";
    std::string refused = "no";
    try {
      feed_as(dice_.one_in(4) ? Bytes::copied : bytes_, bytes);
    } catch (const weir::AssertionError& error) {
      refused = error.what();
    }
    same("feed", refused, model_.feed(bytes) ? "no" : "feed_data after feed_eof");
  }
  void feed_as(Bytes how, const std::string& bytes) {
    if (how == Bytes::copied) return reader_.feed_data(bytes);
    if (how == Bytes::lent) {
      lent_.push_back(std::make_unique<std::string>(bytes));
      return reader_.state().feed_borrowed(*lent_.back());
    }
    if (in_the_block_) pass();  // One recv() an event.
    in_the_block_ = true;
    ReadBlock& block = test_.loop.service<ReadBlock>();
    char* const room = block.room().data();
    std::copy(bytes.begin(), bytes.end(), room);
    reader_.state().feed_borrowed({room, bytes.size()}, &block);
  }
  void start(const ReadCall& call) {
    log_ +=
        "start " + std::to_string(static_cast<int>(call.kind)) + " " + std::to_string(call.bytes);
    for (const std::string& one : call.separators) log_ += " " + quoted(one);
    log_ += "\n";
    tasks_.push_back(test_.start(reader_, call));
    model_.start(call);
  }
  void cancel(std::size_t number) {
    log_ += "cancel " + std::to_string(number) + "\n";
    tasks_[number].cancel();
    model_.cancel(*model_.calls()[number]);
  }
  void end() {
    if (dice_.one_in(2)) {
      log_ += "eof\n";
      reader_.feed_eof();
      model_.feed_eof();
    } else {
      log_ += "exception\n";
      reader_.set_exception(weir::ValueError("boom"));
      model_.set_exception();
    }
  }
  void pass() {
    log_ += "pass\n";
    test_.pass();
    model_.pass();
    // What was lent is given back, and used for something else.
    for (const auto& block : lent_) block->assign(block->size(), '#');
    lent_.clear();
    char* const room = test_.loop.service<ReadBlock>().room().data();
    std::fill(room - 100, room + 100, '#');
    in_the_block_ = false;
  }

  void same(std::string_view what, const std::string& is, const std::string& should_be) {
    if (is == should_be) return;
    differences_ += std::string(what) + " is " + is + " and should be " + should_be + "\n";
  }
  void compare() {
    same("the buffer", quoted(reader_.state().buffered()), quoted(model_.buffer()));
    same("paused", reader_.state().paused() ? "yes" : "no", model_.paused() ? "yes" : "no");
    same("at_eof", reader_.at_eof() ? "yes" : "no", model_.at_eof() ? "yes" : "no");
    same("the flow", test_.transport.flow, model_.flow());
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
      same("call " + std::to_string(i), said(tasks_[i]), model_.calls()[i]->outcome);
    }
  }

  Dice dice_;
  Bytes bytes_;
  std::size_t limit_;
  ReaderLoop test_;
  StreamReader reader_;
  ReaderModel model_;
  std::vector<Task<std::string>> tasks_;
  std::vector<std::unique_ptr<std::string>> lent_;
  bool in_the_block_ = false;
  std::string log_;
  std::string differences_;
};

void compare_scripts(std::uint32_t first_seed, std::uint32_t count, Bytes bytes) {
  for (std::uint32_t seed = first_seed; seed < first_seed + count; ++seed) {
    Both both(seed, bytes);
    INFO("seed ", seed);
    REQUIRE(both.run(40) == "");
  }
}

}  // namespace

// The reader against a small model of asyncio's, which knows no memo, no borrowed block and no node
// that waits. A failure prints the script.
TEST_SUITE("streams/reader_state") {
  TEST_CASE("ReaderState: agrees with the model over 3000 random scripts of copied chunks") {
    compare_scripts(1, 3000, Bytes::copied);
  }

  TEST_CASE("ReaderState: agrees with the model over 3000 random scripts of lent chunks") {
    compare_scripts(100'001, 3000, Bytes::lent);
  }

  TEST_CASE("ReaderState: agrees with the model over 3000 random scripts in the read block") {
    compare_scripts(200'001, 3000, Bytes::in_the_read_block);
  }
}

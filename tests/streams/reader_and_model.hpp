// Internal: used by the tests and the fuzzer of StreamReader.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <weir/net/read_block.hpp>
#include <weir/reactor/error.hpp>

#include <tests/streams/reader_model.hpp>
#include <tests/streams/stream_fixture.hpp>

namespace weir::test {

/// A few bytes that often make a separator, a line or the beginning of one.
inline constexpr std::string_view reader_alphabet = std::string_view("ab\n\r\0", 5);

template <class Dice>
std::string random_separator(Dice& dice) {
  if (dice.one_in(40)) return "";
  if (dice.one_in(40)) return "1:a";  // Reads like the name of the set that holds "a" alone.
  std::string made = dice.bytes(reader_alphabet, 3);
  if (made.empty()) made = "a";
  return dice.one_in(20) ? made + made + made + "abababab" : made;
}

/// `habit`: the separator of most calls, as programs have one.
template <class Dice>
ReadCall random_call(Dice& dice, const std::string& habit) {
  switch (dice.roll(7)) {
    case 0: return read(static_cast<std::ptrdiff_t>(dice.roll(8)) - 1);
    case 1: return readexactly(static_cast<std::ptrdiff_t>(dice.roll(16)) - 1);
    case 2:
    case 3: return readuntil(dice.one_in(3) ? random_separator(dice) : habit);
    case 4: {
      std::vector<std::string> separators;
      for (std::size_t left = dice.one_in(30) ? 0 : 1 + dice.roll(4); left > 0; --left) {
        separators.push_back(random_separator(dice));
      }
      return readuntil_any(separators);
    }
    default: return readline();
  }
}

/// Who owns the bytes that are fed.
enum class Fed { copied, lent, in_the_read_block };

/// A reader and the model of it: does the same to both, and compares after every step. What is done
/// the dice say: roll(count) gives 0 to count - 1, one_in(count) is true for one of count, and
/// bytes(alphabet, most) makes a text.
template <class Dice>
class ReaderAndModel {
 public:
  ReaderAndModel(Dice& dice, Fed fed)
      : dice_(dice),
        fed_(fed),
        habit_(random_separator(dice)),
        limit_(1 + dice_.roll(8)),
        reader_(test_.make_reader(static_cast<std::ptrdiff_t>(limit_))),
        model_(limit_) {}

  /// One operation. False once the two differ.
  bool step() {
    perform();
    compare();
    return differences_.empty();
  }
  /// Cancels what is left. Returns what was done until the first difference, and the difference;
  /// nothing if there is none.
  std::string finish() {
    for (std::size_t i = 0; i < tasks_.size() && differences_.empty(); ++i) {
      cancel(i);
      compare();
    }
    for (int left = 3; left > 0 && differences_.empty(); --left) {
      pass();
      compare();
    }
    for (const ExceptionContext& report : test_.take_reports()) {
      differences_ += to_string(report) + "\n";
    }
    return differences_.empty() ? "" : log_ + differences_;
  }

 private:
  void perform() {
    switch (dice_.roll(10)) {
      case 0:
      case 1:
      case 2: {
        const bool dense = !habit_.empty() && dice_.one_in(2);
        return feed(dice_.bytes(dense ? std::string_view(habit_) : reader_alphabet, 9));
      }
      case 3:
      case 4: return start(random_call(dice_, habit_));
      case 5: return tasks_.empty() ? pass() : cancel(dice_.roll(tasks_.size()));
      case 6: return dice_.one_in(12) ? end() : pass();
      default: return pass();
    }
  }

  void feed(const std::string& bytes) {
    log_ += "feed " + quoted(bytes) + "\n";
    std::string refused = "no";
    try {
      feed_as(dice_.one_in(4) ? Fed::copied : fed_, bytes);
    } catch (const AssertionError& error) {
      refused = error.what();
    }
    same("feed", refused, model_.feed(bytes) ? "no" : "feed_data after feed_eof");
  }
  void feed_as(Fed how, const std::string& bytes) {
    if (how == Fed::copied) return reader_.feed_data(bytes);
    if (how == Fed::lent) {
      lent_.push_back(std::make_unique<std::string>(bytes));
      return reader_.state().feed_borrowed(*lent_.back());
    }
    if (in_the_block_) pass();  // One recv() an event.
    in_the_block_ = true;
    detail::ReadBlock& block = test_.loop.service<detail::ReadBlock>();
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
      reader_.set_exception(ValueError("boom"));
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
    char* const room = test_.loop.service<detail::ReadBlock>().room().data();
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

  Dice& dice_;
  Fed fed_;
  std::string habit_;
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

}  // namespace weir::test

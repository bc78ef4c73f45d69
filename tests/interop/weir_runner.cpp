// SPDX-License-Identifier: MIT
//
// Performs the scripts of README.md with weir's StreamReader: batches of them from standard input,
// each ended by a line "done"; as many lines go to standard output.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/net/transport.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/streams/errors.hpp>
#include <weir/streams/separators.hpp>
#include <weir/streams/stream_reader.hpp>

namespace {

using weir::StreamReader;
using weir::Task;

std::string output;  // Of the batch. Written when it has been read: the other end reads only then.

[[noreturn]] void fail(const std::string& text) {
  std::cerr << "weir_runner: " << text << "\n";
  std::exit(2);
}

// ---- The language: tests/interop/language.py is its twin

/// The bytes of a word: \n is a newline, "" is nothing, x*3 is xxx.
std::string unescaped(std::string_view text) {
  const std::size_t star = text.find('*');
  const std::string_view word = text.substr(0, star);
  std::string once;
  for (std::size_t i = 0; word != "\"\"" && i < word.size(); ++i) {
    const bool newline = word.substr(i, 2) == "\\n";
    once += newline ? '\n' : word[i];
    if (newline) ++i;
  }
  if (star == std::string_view::npos) return once;
  std::string bytes;
  for (int times = std::stoi(std::string(text.substr(star + 1))); times > 0; --times) bytes += once;
  return bytes;
}

/// Python's zlib.adler32().
std::uint32_t adler32(std::string_view bytes) {
  constexpr std::uint32_t modulus = 65521;
  constexpr std::size_t no_overflow_bytes = 5552;
  std::uint32_t sum = 1;
  std::uint32_t sum_of_sums = 0;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), no_overflow_bytes))) {
    for (const char byte : bytes.substr(0, no_overflow_bytes)) {
      sum += static_cast<unsigned char>(byte);
      sum_of_sums += sum;
    }
    sum %= modulus;
    sum_of_sums %= modulus;
  }
  return (sum_of_sums << 16) | sum;
}

/// Bytes as a trace has them.
std::string shown(std::string_view bytes) {
  constexpr std::size_t long_bytes = 40;
  if (bytes.size() > long_bytes)
    return std::to_string(bytes.size()) + " bytes, adler32 " + std::to_string(adler32(bytes));
  std::string text = "'";
  for (const char byte : bytes) {
    if (byte == '\n') {
      text += "\\n";
    } else {
      text += byte;
    }
  }
  return text + "'";
}

std::string said(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const weir::IncompleteReadError& incomplete) {
    return weir::describe(error) + " partial=" + shown(incomplete.partial) + " expected=" +
           (incomplete.expected ? std::to_string(*incomplete.expected) : std::string("None"));
  } catch (const weir::LimitOverrunError& overrun) {
    return weir::describe(error) + " consumed=" + std::to_string(overrun.consumed);
  } catch (...) {
    return weir::describe(error);
  }
}

std::string said(const Task<std::string>& task) {
  if (task.cancelled()) return "CancelledError";
  if (const std::exception_ptr error = task.exception()) return said(error);
  return shown(task.result());
}

struct Operation {
  explicit Operation(std::string_view line) {
    if (line.ends_with(" &")) {
      at_once = true;
      line.remove_suffix(2);
    }
    const std::size_t blank = line.find(' ');
    kind = line.substr(0, blank);
    if (blank != std::string_view::npos) word = line.substr(blank + 1);
  }
  std::string_view kind;
  std::string_view word;
  bool at_once = false;  // The next operation follows without a pass between.
};

// ---- Performing

/// Writes down what is asked of it.
class FlowTransport final : public weir::Transport {
 public:
  void pause_reading() override { flow += 'P'; }
  void resume_reading() override { flow += 'R'; }
  bool is_reading() const override { return flow.empty() || flow.back() == 'R'; }
  void write(std::string_view) override {}
  void writelines(std::span<const std::string_view>) override {}
  void write_eof() override {}
  bool can_write_eof() const override { return false; }
  void set_gather(bool) override {}
  void set_write_buffer_limits(std::optional<std::ptrdiff_t>,
                               std::optional<std::ptrdiff_t>) override {}
  weir::WriteBufferLimits get_write_buffer_limits() const override { return {0, 0}; }
  std::size_t get_write_buffer_size() const override { return 0; }
  void close() override {}
  void abort() override {}
  bool is_closing() const override { return false; }
  void set_protocol(std::shared_ptr<weir::BaseProtocol>) override {}
  std::shared_ptr<weir::BaseProtocol> get_protocol() const override { return nullptr; }
  weir::ExtraInfo get_extra_info(std::string_view) override { return weir::ExtraInfo(); }
  std::string repr() const override { return "<T>"; }

  std::string flow;
};

/// "Every byte is searched once": what was looked at against what there was to look at, for as long
/// as all searches are for the same separator, or the same set.
///
/// A new account is opened when another separator is searched for, and then only if no read is
/// pending: which of two that wait looks next is not known here. A read(-1) that is given back
/// makes old bytes new; no account runs over one.
class Account {
 public:
  void search(const StreamReader& reader, std::string_view word, bool busy) {
    if (word == key_) return;
    open_ = !busy;
    key_ = word;
    separators_ = 1 + static_cast<std::uint64_t>(std::count(word.begin(), word.end(), '|'));
    scanned_before_ = reader.bytes_scanned();
    received_ = reader.buffered_bytes();
  }
  void received(std::size_t bytes) { received_ += bytes; }
  void close() {
    open_ = false;
    key_.clear();
  }
  /// What is wrong, or nothing.
  std::string complaint(const StreamReader& reader) const {
    const std::uint64_t scanned = reader.bytes_scanned() - scanned_before_;
    if (!open_ || scanned <= separators_ * received_) return {};
    return " | searched " + std::to_string(scanned) + " of " + std::to_string(received_) + " bytes";
  }

 private:
  std::string key_;
  bool open_ = false;
  std::uint64_t separators_ = 1;
  std::uint64_t scanned_before_ = 0;
  std::uint64_t received_ = 0;
};

class Script {
 public:
  Script(weir::EventLoop& loop, std::string_view header)
      : loop_(loop),
        reader_(loop, std::stol(std::string(header.substr(header.find(' ') + 1)))),
        lent_(header.ends_with(" lent")) {
    reader_.set_transport(transport_);
  }
  Script(const Script&) = delete;
  Script& operator=(const Script&) = delete;
  ~Script() {
    for (const std::size_t number : pending_) tasks_[number].cancel();
    settle();
  }

  void perform(std::string_view text) {
    const Operation operation(text);
    std::string raised;
    try {
      perform(operation);
    } catch (...) {
      raised = " | raised " + said(std::current_exception());
    }
    if (!operation.at_once) settle();
    write_line(raised);
  }

  void write_line(const std::string& raised = {}) {
    std::string news;
    std::vector<std::size_t> waiting;
    for (const std::size_t number : pending_) {
      if (tasks_[number].done()) {
        news += " | " + std::to_string(number) + ": " + said(tasks_[number]);
      } else {
        waiting.push_back(number);
      }
    }
    pending_ = std::move(waiting);
    std::string line = shown(reader_.state().buffered());
    if (reader_.state().paused()) line += " paused";
    if (reader_.at_eof()) line += " at_eof";
    line += " flow=" + transport_.flow + " waiting=";
    for (std::size_t i = 0; i < pending_.size(); ++i)
      line += (i == 0 ? "" : ",") + std::to_string(pending_[i]);
    output += line + raised + news + account_.complaint(reader_) + '\n';
  }

 private:
  void perform(const Operation& operation) {
    const std::string_view kind = operation.kind;
    if (kind == "feed") return feed(unescaped(operation.word));
    if (kind == "eof") return reader_.feed_eof();
    if (kind == "exception") return store(operation.word);
    if (kind == "cancel") return cancel(operation.word);
    if (kind == "read") return start_read(std::stol(std::string(operation.word)));
    if (kind == "readuntil") return start_search(operation.word);
    if (kind == "readline") {
      account_.search(reader_, "\\n", !pending_.empty());
      return start(reader_.readline());
    }
    if (kind == "readexactly")
      return start(reader_.readexactly(std::stol(std::string(operation.word))));
    fail("no operation called " + std::string(kind));
  }

  void feed(const std::string& bytes) {
    if (!lent_) {
      reader_.feed_data(bytes);
    } else {
      blocks_.push_back(std::make_unique<std::string>(bytes));
      reader_.state().feed_borrowed(*blocks_.back());
    }
    account_.received(bytes.size());
  }
  void store(std::string_view which) {
    if (which == "incomplete") {
      reader_.set_exception(weir::IncompleteReadError("pp", std::nullopt));
    } else {
      reader_.set_exception(weir::ValueError("boom"));
    }
  }
  void cancel(std::string_view which) {
    if (pending_.empty()) return;
    tasks_[which == "last" ? pending_.back() : pending_.front()].cancel();
  }
  void start_read(std::ptrdiff_t n) {
    if (n < 0) account_.close();
    start(reader_.read(n));
  }
  void start_search(std::string_view word) {
    account_.search(reader_, word, !pending_.empty());
    if (word == "()") return start(reader_.readuntil(weir::Separators()));
    const std::size_t bar = word.find('|');
    if (bar == std::string_view::npos) return start(reader_.readuntil(unescaped(word)));
    const std::string first = unescaped(word.substr(0, bar));
    std::string_view others = word.substr(bar + 1);
    const std::size_t second_bar = others.find('|');
    const std::string second = unescaped(others.substr(0, second_bar));
    if (second_bar == std::string_view::npos)
      return start(reader_.readuntil(weir::Separators(first, second)));
    const std::string third = unescaped(others.substr(second_bar + 1));
    start(reader_.readuntil(weir::Separators(first, second, third)));
  }
  template <class Read>
  void start(const Read& read) {
    pending_.push_back(tasks_.size());
    tasks_.push_back(loop_.create_task(read));
  }

  void settle() {
    do {
      loop_.stop();
      loop_.run_forever();
    } while (!loop_.ready().empty());
    // The lenders take their blocks back; nobody may have kept a pointer.
    for (const auto& block : blocks_) block->assign(block->size(), '#');
    blocks_.clear();
  }

  weir::EventLoop& loop_;
  FlowTransport transport_;
  StreamReader reader_;
  bool lent_;
  std::vector<Task<std::string>> tasks_;
  std::vector<std::size_t> pending_;  // Numbers of tasks.
  std::vector<std::unique_ptr<std::string>> blocks_;
  Account account_;
};

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  weir::FakeKernel kernel;
  weir::EventLoop loop(kernel);
  loop.set_exception_handler([](weir::EventLoop&, const weir::ExceptionContext& report) {
    fail("the loop reports: " + weir::to_string(report));
  });
  std::optional<Script> script;
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line == "done") {
      script.reset();
      std::cout << output << "done" << std::endl;
      output.clear();
    } else if (line.starts_with("limit ")) {
      script.reset();
      script.emplace(loop, line);
      script->write_line();
    } else {
      if (!script) fail("a script begins with its limit");
      script->perform(line);
    }
  }
  script.reset();
  loop.close();
  return 0;
}

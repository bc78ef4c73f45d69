// Internal: used by the tests of streams.
// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/net/transport.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/reactor/task/timeouts.hpp>
#include <weir/streams/errors.hpp>
#include <weir/streams/separators.hpp>
#include <weir/streams/stream_reader.hpp>

#include <tests/support/task_fixture.hpp>

namespace weir::test {

/// A transport that writes down what is asked of it, and does nothing.
class MockTransport final : public Transport {
 public:
  void pause_reading() override {
    if (pausing) pausing();
    flow += 'P';
  }
  void resume_reading() override {
    if (resuming) resuming();
    flow += 'R';
  }
  bool is_reading() const override { return flow.empty() || flow.back() == 'R'; }
  void write(std::string_view data) override { written += data; }
  void writelines(std::span<const std::string_view> pieces) override {
    for (const std::string_view piece : pieces) written += "[" + std::string(piece) + "]";
  }
  void write_eof() override { written += "EOF"; }
  bool can_write_eof() const override { return takes_eof; }
  void set_gather(bool) override {}
  void set_write_buffer_limits(std::optional<std::ptrdiff_t>,
                               std::optional<std::ptrdiff_t>) override {}
  WriteBufferLimits get_write_buffer_limits() const override { return {0, 0}; }
  std::size_t get_write_buffer_size() const override { return 0; }
  void close() override {
    closing = true;
    ++closes;
  }
  void abort() override {
    closing = true;
    ++aborts;
  }
  bool is_closing() const override { return closing; }
  void set_protocol(std::shared_ptr<BaseProtocol> its) override { protocol = std::move(its); }
  std::shared_ptr<BaseProtocol> get_protocol() const override { return protocol; }
  ExtraInfo get_extra_info(std::string_view name) override {
    asked += name;
    return ExtraInfo();
  }
  std::string repr() const override { return "<T>"; }

  std::function<void()> pausing;   // What pause_reading() does first; it may throw.
  std::function<void()> resuming;  // Likewise.
  std::shared_ptr<BaseProtocol> protocol;
  std::string flow;     // P for every pause, R for every resume.
  std::string written;  // What was written, in order.
  std::string asked;    // Names given to get_extra_info().
  int closes = 0;
  int aborts = 0;
  bool closing = false;
  bool takes_eof = true;
};

/// One call of a reader, as data.
struct ReadCall {
  enum class Kind { read, readexactly, readuntil, readuntil_any, readline, next_line };
  Kind kind;
  std::ptrdiff_t bytes = 0;
  std::vector<std::string> separators = {};
};

inline ReadCall read(std::ptrdiff_t n) { return {ReadCall::Kind::read, n}; }
inline ReadCall readexactly(std::ptrdiff_t n) { return {ReadCall::Kind::readexactly, n}; }
inline ReadCall readuntil(std::string separator) {
  return {ReadCall::Kind::readuntil, 0, {std::move(separator)}};
}
inline ReadCall readuntil_any(std::vector<std::string> separators) {
  return {ReadCall::Kind::readuntil_any, 0, std::move(separators)};
}
inline ReadCall readline() { return {ReadCall::Kind::readline}; }

/// The set, made at run time; it points into `all`.
inline Separators separators_of(const std::vector<std::string>& all) {
  switch (all.size()) {
    case 0: return Separators();
    case 1: return Separators(Separator(all[0]));
    case 2: return Separators(all[0], all[1]);
    case 3: return Separators(all[0], all[1], all[2]);
    default: return Separators(all[0], all[1], all[2], all[3]);
  }
}

/// Makes the call from a coroutine that holds the reader, as a client handler does.
inline Coro<std::string> make_call(StreamReader reader, ReadCall call) {
  std::string answer;
  switch (call.kind) {
    case ReadCall::Kind::read: answer = co_await reader.read(call.bytes); break;
    case ReadCall::Kind::readexactly: answer = co_await reader.readexactly(call.bytes); break;
    case ReadCall::Kind::readuntil: answer = co_await reader.readuntil(call.separators[0]); break;
    case ReadCall::Kind::readuntil_any:
      answer = co_await reader.readuntil(separators_of(call.separators));
      break;
    case ReadCall::Kind::readline: answer = co_await reader.readline(); break;
    case ReadCall::Kind::next_line: {
      const std::optional<std::string> line = co_await reader.next_line();
      answer = line ? *line : "nothing";
    }
  }
  co_return answer;
}

/// Takes what a call that is to throw would return.
template <class T>
void unused(T&&) {}

/// The bytes between quotes, what cannot be printed as \x01.
inline std::string quoted(std::string_view bytes) {
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
      text += std::string("\\x") + digits[code >> 4] + digits[code & 15];
    }
  }
  return text + "\"";
}

/// An exception with its exact type, its text and its fields, as the tables of the tests write it.
inline std::string said(const std::exception_ptr& error) {
  constexpr std::string_view found = "Separator is found, but chunk is longer than limit";
  constexpr std::string_view not_found = "Separator is not found, and chunk exceed the limit";
  const auto kind_of = [&](const char* text) {
    return text == found ? "found" : text == not_found ? "notfound" : text;
  };
  try {
    std::rethrow_exception(error);
  } catch (const LimitOverrunError& overrun) {
    return std::string("LOE-") + kind_of(overrun.what()) + "(" + std::to_string(overrun.consumed) +
           ")";
  } catch (const IncompleteReadError& incomplete) {
    const std::string expected =
        incomplete.expected ? std::to_string(*incomplete.expected) : std::string("undefined");
    const std::string text = std::to_string(incomplete.partial.size()) +
                             " bytes read on a total of " + expected + " expected bytes";
    return "IRE(" + quoted(incomplete.partial) + ", " + expected + ")" +
           (text == incomplete.what() ? "" : incomplete.what());
  } catch (const ValueError& wrong) {
    return std::string("ValueError: ") + kind_of(wrong.what());
  } catch (...) {
    return describe(error);
  }
}

inline std::string said(std::string_view answer) { return quoted(answer); }
inline std::string said(const std::string& answer) { return quoted(answer); }
inline std::string said(const std::optional<std::string>& answer) {
  return answer ? quoted(*answer) : "nothing";
}

/// What came of a task: an answer between quotes, an exception, CancelledError or PENDING.
template <class T>
std::string said(const Task<T>& task) {
  if (!task.done()) return "PENDING";
  if (task.cancelled()) return "CancelledError";
  if (const std::exception_ptr error = task.exception()) return said(error);
  if constexpr (std::is_void_v<T>) {
    return "done";
  } else {
    return said(task.result());
  }
}

/// For TEST_CASE_FIXTURE: a loop in memory, a mock transport, and a reader that pauses it.
class ReaderLoop : public TestLoop {
 public:
  StreamReader make_reader(std::ptrdiff_t limit = default_limit_bytes) {
    const StreamReader reader(loop, limit);
    reader.set_transport(transport);
    return reader;
  }
  Task<std::string> start(const StreamReader& reader, ReadCall call) {
    return loop.create_task(make_call(reader, std::move(call)));
  }
  /// Makes the call, and lets it get as far as it can.
  Task<std::string> run(const StreamReader& reader, ReadCall call) {
    Task<std::string> task = start(reader, std::move(call));
    settle();
    return task;
  }
  void feed(const StreamReader& reader, std::string_view data) {
    reader.feed_data(data);
    settle();
  }

  MockTransport transport;
};

}  // namespace weir::test

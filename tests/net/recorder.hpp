// Internal: used by the tests of net.
// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <weir/net/protocol.hpp>
#include <weir/net/testing/call_grammar.hpp>
#include <weir/net/transport.hpp>
#include <weir/reactor/error.hpp>

namespace weir::test {

/// What protocols that write down what they hear have in common. They hold their transport to the
/// contract: an illegal order of calls fails the test.
class RecorderBase {
 public:
  /// Goes on where `before` is, whatever its kind.
  void take_over_from(const RecorderBase& before) {
    grammar_.take_over_from(before.grammar_);
    keep_open = before.keep_open;
    transport = before.transport;
  }
  bool lost() const noexcept { return grammar_.lost(); }

  std::string trace;     // "made data(abc) eof lost() "; more than 16 bytes are data[17]
  std::string received;  // All of it.
  std::exception_ptr error;
  bool keep_open = false;                         // What eof_received answers.
  std::shared_ptr<Transport> transport;           // From connection_made on.
  std::function<void(const std::string&)> hears;  // Every word of the trace, as it comes.

 protected:
  RecorderBase() = default;
  ~RecorderBase() = default;

  void tell(const std::string& word) {
    trace += word + " ";
    if (hears) hears(word);
  }
  void take(std::string_view data) {
    received += data;
    tell(data.size() <= 16 ? "data(" + std::string(data) + ")"
                           : "data[" + std::to_string(data.size()) + "]");
  }

  weir::testing::CallGrammar grammar_{[](const std::string& complaint) { FAIL_CHECK(complaint); }};
};

class Recorder : public Protocol, public RecorderBase {
 public:
  Recorder() = default;
  /// One that takes over a connection that was made for another protocol.
  static std::shared_ptr<Recorder> adopting() {
    auto made = std::make_shared<Recorder>();
    made->grammar_.adopt();
    return made;
  }
  static std::shared_ptr<Recorder> successor(const RecorderBase& before) {
    auto next = std::make_shared<Recorder>();
    next->take_over_from(before);
    return next;
  }

  void connection_made(const std::shared_ptr<Transport>& its) override {
    const auto running = grammar_.connection_made();
    transport = its;
    tell("made");
    if (on_made) on_made();
  }
  void data_received(std::string_view data) override {
    const auto running = grammar_.data_received(data.size());
    take(data);
    if (on_data) on_data();
  }
  bool eof_received() override {
    const auto running = grammar_.eof_received();
    tell("eof");
    if (on_eof) on_eof();
    return keep_open;
  }
  void pause_writing() override {
    const auto running = grammar_.pause_writing();
    tell("pause");
    if (on_pause) on_pause();
  }
  void resume_writing() override {
    const auto running = grammar_.resume_writing();
    tell("resume");
    if (on_resume) on_resume();
  }
  void connection_lost(const std::exception_ptr& its) override {
    const auto running = grammar_.connection_lost();
    error = its;
    tell("lost(" + message_of(its) + ")");
    if (on_lost) on_lost();
  }

  std::string repr() const override { return "<Recorder>"; }
  /// Does nothing from now on but write down.
  void calm_down() {
    on_made = on_data = on_eof = on_pause = on_resume = on_lost = nullptr;
    hears = nullptr;
  }

  std::function<void()> on_made, on_data, on_eof, on_pause, on_resume, on_lost;
};

/// The same, with memory of its own to receive into.
class BufferedRecorder : public BufferedProtocol, public RecorderBase {
 public:
  static std::shared_ptr<BufferedRecorder> successor(const RecorderBase& before) {
    auto next = std::make_shared<BufferedRecorder>();
    next->take_over_from(before);
    return next;
  }

  void connection_made(const std::shared_ptr<Transport>& its) override {
    const auto running = grammar_.connection_made();
    transport = its;
    tell("made");
  }
  std::span<char> get_buffer(std::ptrdiff_t sizehint) override {
    const auto running = grammar_.get_buffer();
    CHECK(sizehint == -1);
    ++buffers;
    if (on_buffer) on_buffer();
    grammar_.got_buffer(room.size());
    return room;
  }
  void buffer_updated(std::size_t bytes) override {
    const auto running = grammar_.buffer_updated(bytes);
    take({room.data(), bytes});
    if (on_data) on_data();
  }
  bool eof_received() override {
    const auto running = grammar_.eof_received();
    tell("eof");
    if (on_eof) on_eof();
    return keep_open;
  }
  void pause_writing() override {
    const auto running = grammar_.pause_writing();
    tell("pause");
  }
  void resume_writing() override {
    const auto running = grammar_.resume_writing();
    tell("resume");
  }
  void connection_lost(const std::exception_ptr& its) override {
    const auto running = grammar_.connection_lost();
    error = its;
    tell("lost(" + message_of(its) + ")");
  }

  std::string room = std::string(16, '?');  // Where the bytes go.
  int buffers = 0;                          // How often one was asked for.
  std::function<void()> on_buffer, on_data, on_eof;
};

}  // namespace weir::test

// Internal: used by the tests of net.
// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <weir/net/protocol.hpp>
#include <weir/net/transport.hpp>
#include <weir/reactor/error.hpp>

namespace weir::test {

/// A protocol that writes down what it hears, and holds its transport to the contract:
/// connection_made first and once, connection_lost last and once, nothing empty, nothing after the
/// end of the stream, pauses and resumes in turn, and no callback inside another one but
/// pause_writing.
class Recorder : public Protocol {
 public:
  /// `adopted`: takes over a connection that was made for another protocol.
  explicit Recorder(bool adopted = false) : made_(adopted) {}
  /// Goes on where `before` is.
  static std::shared_ptr<Recorder> successor(const Recorder& before) {
    auto next = std::make_shared<Recorder>(before.made_);
    next->ended_ = before.ended_;
    next->paused_ = before.paused_;
    next->lost_ = before.lost_;
    next->keep_open = before.keep_open;
    next->transport = before.transport;
    return next;
  }

  void connection_made(const std::shared_ptr<Transport>& its) override {
    const Scope scope(*this);
    expect(!made_, "connection_made: a second time");
    made_ = true;
    transport = its;
    tell("made");
    if (on_made) on_made();
  }
  void data_received(std::string_view data) override {
    const Scope scope(*this);
    expect(made_ && !ended_ && !lost_, "data_received: at a wrong time");
    expect(!data.empty(), "data_received: nothing");
    received += data;
    tell(data.size() <= 16 ? "data(" + std::string(data) + ")"
                           : "data[" + std::to_string(data.size()) + "]");
    if (on_data) on_data();
  }
  bool eof_received() override {
    const Scope scope(*this);
    expect(made_ && !ended_ && !lost_, "eof_received: at a wrong time");
    ended_ = true;
    tell("eof");
    if (on_eof) on_eof();
    return keep_open;
  }
  void pause_writing() override {
    expect(made_ && !paused_ && !lost_, "pause_writing: at a wrong time");
    paused_ = true;
    tell("pause");
    if (on_pause) on_pause();
  }
  void resume_writing() override {
    const Scope scope(*this);
    expect(made_ && paused_ && !lost_, "resume_writing: at a wrong time");
    paused_ = false;
    tell("resume");
    if (on_resume) on_resume();
  }
  void connection_lost(const std::exception_ptr& its) override {
    const Scope scope(*this);
    expect(made_ && !lost_, "connection_lost: at a wrong time");
    lost_ = true;
    error = its;
    tell("lost(" + message_of(its) + ")");
    if (on_lost) on_lost();
  }

  bool lost() const noexcept { return lost_; }
  /// Does nothing from now on but write down.
  void calm_down() {
    on_made = on_data = on_eof = on_pause = on_resume = on_lost = nullptr;
    hears = nullptr;
  }

  std::string trace;     // "made data(abc) eof lost() "; more than 16 bytes are data[17]
  std::string received;  // All of it.
  std::exception_ptr error;
  bool keep_open = false;                // What eof_received answers.
  std::shared_ptr<Transport> transport;  // From connection_made on.
  std::function<void()> on_made, on_data, on_eof, on_pause, on_resume, on_lost;
  std::function<void(const std::string&)> hears;  // Every word of the trace, as it comes.

 private:
  struct Scope {
    explicit Scope(Recorder& its) : recorder(its) {
      recorder.expect(recorder.depth_++ == 0, "a callback inside another one");
    }
    ~Scope() { --recorder.depth_; }
    Recorder& recorder;
  };
  void expect(bool holds, const char* complaint) const {
    if (!holds) FAIL_CHECK(complaint, ", after: ", trace);
  }
  void tell(const std::string& word) {
    trace += word + " ";
    if (hears) hears(word);
  }

  int depth_ = 0;
  bool made_;
  bool ended_ = false;
  bool paused_ = false;
  bool lost_ = false;
};

}  // namespace weir::test

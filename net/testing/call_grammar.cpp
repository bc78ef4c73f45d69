// SPDX-License-Identifier: MIT
#include <weir/net/testing/call_grammar.hpp>

namespace weir::testing {
namespace {
constexpr std::size_t max_text_bytes = 2000;
}  // namespace

CallGrammar::Running CallGrammar::connection_made() {
  constexpr const char* call = "connection_made";
  expect(!lost_, call, " after connection_lost");
  expect(!made_, call, " a second time");
  expect(depth_ == 0, call, " inside another callback");
  made_ = true;
  note(call);
  return Running(depth_);
}

CallGrammar::Running CallGrammar::data_received(std::size_t bytes) {
  constexpr const char* call = "data_received";
  incoming(call);
  expect(bytes != 0, call, " of no bytes");
  note(call);
  return Running(depth_);
}

CallGrammar::Running CallGrammar::get_buffer() {
  constexpr const char* call = "get_buffer";
  incoming(call);
  room_.reset();
  note(call);
  return Running(depth_);
}

CallGrammar::Running CallGrammar::buffer_updated(std::size_t bytes) {
  constexpr const char* call = "buffer_updated";
  incoming(call);
  expect(room_.has_value(), call, " without get_buffer");
  expect(bytes != 0, call, " of no bytes");
  expect(!room_ || bytes <= *room_, call, " of more bytes than there was room for");
  room_.reset();
  note(call);
  return Running(depth_);
}

CallGrammar::Running CallGrammar::eof_received() {
  constexpr const char* call = "eof_received";
  incoming(call);
  ended_ = true;
  note(call);
  return Running(depth_);
}

/// The one that comes inside others: write() calls it.
CallGrammar::Running CallGrammar::pause_writing() {
  constexpr const char* call = "pause_writing";
  between(call);
  expect(!paused_, call, " while writing is paused");
  paused_ = true;
  note(call);
  return Running(depth_);
}

CallGrammar::Running CallGrammar::resume_writing() {
  constexpr const char* call = "resume_writing";
  between(call);
  expect(paused_, call, " while writing is not paused");
  expect(depth_ == 0, call, " inside another callback");
  paused_ = false;
  note(call);
  return Running(depth_);
}

CallGrammar::Running CallGrammar::connection_lost() {
  constexpr const char* call = "connection_lost";
  expect(made_, call, " before connection_made");
  expect(!lost_, call, " a second time");
  expect(depth_ == 0, call, " inside another callback");
  lost_ = true;
  note(call);
  return Running(depth_);
}

void CallGrammar::adopt() {
  made_ = true;
  calls_ += "(taken over) ";
}

void CallGrammar::take_over_from(const CallGrammar& before) {
  calls_ = before.calls_ + "(taken over) ";
  last_call_.clear();
  room_.reset();
  made_ = before.made_;
  ended_ = before.ended_;
  paused_ = before.paused_;
  lost_ = before.lost_;
}

void CallGrammar::check() const {
  if (violation_) throw GrammarError(*violation_);
  if (made_ && !lost_) throw GrammarError("connection_lost has not come; calls so far: " + calls_);
}

void CallGrammar::between(const char* call) {
  expect(made_, call, " before connection_made");
  expect(!lost_, call, " after connection_lost");
}

void CallGrammar::incoming(const char* call) {
  between(call);
  expect(!ended_, call, " after eof_received");
  expect(depth_ == 0, call, " inside another callback");
}

void CallGrammar::expect(bool holds, const char* call, const char* complaint) {
  if (holds) return;
  const std::string text = std::string(call) + complaint + "; calls so far: " + calls_;
  if (!violation_) violation_ = text;
  if (complain_) complain_(text);
}

/// A long connection is a short text: repeated calls are counted, and the oldest are forgotten.
void CallGrammar::note(const char* call) {
  if (last_call_ == call) {
    if (++repeats_ > 2) calls_.resize(calls_.rfind('*'));
    if (repeats_ == 2) calls_.pop_back();
    calls_ += "*" + std::to_string(repeats_) + " ";
    return;
  }
  if (calls_.size() > max_text_bytes) calls_.replace(0, calls_.find(' ', calls_.size() / 2), "…");
  last_call_ = call;
  repeats_ = 1;
  calls_ += last_call_ + " ";
}

}  // namespace weir::testing

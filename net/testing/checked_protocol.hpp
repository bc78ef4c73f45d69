// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <weir/net/protocol.hpp>
#include <weir/net/testing/call_grammar.hpp>
#include <weir/reactor/export.hpp>

namespace WEIR_API weir {
namespace testing {

/// A protocol that hands every call on to another one, and watches the order of the calls.
///
/// Shape     auto checked = std::make_shared<CheckedProtocol>(mine);   // give it to the transport
///           …                                                         // run
///           checked->grammar().check();                               // throws GrammarError
/// Errors    What the protocol throws goes on to the transport. An illegal call is handed on, too:
///           what breaks then is what would have broken.
/// Lifetime  Keeps the protocol alive.
class CheckedProtocol final : public Protocol {
 public:
  explicit CheckedProtocol(std::shared_ptr<Protocol> inner, CallGrammar::Complaint complain = {})
      : inner_(std::move(inner)), grammar_(std::move(complain)) {}

  CallGrammar& grammar() noexcept { return grammar_; }

  void connection_made(const std::shared_ptr<Transport>& transport) override {
    const auto running = grammar_.connection_made();
    inner_->connection_made(transport);
  }
  void data_received(std::string_view data) override {
    const auto running = grammar_.data_received(data.size());
    inner_->data_received(data);
  }
  bool eof_received() override {
    const auto running = grammar_.eof_received();
    return inner_->eof_received();
  }
  void pause_writing() override {
    const auto running = grammar_.pause_writing();
    inner_->pause_writing();
  }
  void resume_writing() override {
    const auto running = grammar_.resume_writing();
    inner_->resume_writing();
  }
  void connection_lost(const std::exception_ptr& error) override {
    const auto running = grammar_.connection_lost();
    inner_->connection_lost(error);
  }
  std::string repr() const override { return inner_->repr(); }

 private:
  std::shared_ptr<Protocol> inner_;
  CallGrammar grammar_;
};

/// The same for a BufferedProtocol.
class CheckedBufferedProtocol final : public BufferedProtocol {
 public:
  explicit CheckedBufferedProtocol(std::shared_ptr<BufferedProtocol> inner,
                                   CallGrammar::Complaint complain = {})
      : inner_(std::move(inner)), grammar_(std::move(complain)) {}

  CallGrammar& grammar() noexcept { return grammar_; }

  void connection_made(const std::shared_ptr<Transport>& transport) override {
    const auto running = grammar_.connection_made();
    inner_->connection_made(transport);
  }
  std::span<char> get_buffer(std::ptrdiff_t sizehint) override {
    const auto running = grammar_.get_buffer();
    const std::span<char> room = inner_->get_buffer(sizehint);
    grammar_.got_buffer(room.size());
    return room;
  }
  void buffer_updated(std::size_t bytes) override {
    const auto running = grammar_.buffer_updated(bytes);
    inner_->buffer_updated(bytes);
  }
  bool eof_received() override {
    const auto running = grammar_.eof_received();
    return inner_->eof_received();
  }
  void pause_writing() override {
    const auto running = grammar_.pause_writing();
    inner_->pause_writing();
  }
  void resume_writing() override {
    const auto running = grammar_.resume_writing();
    inner_->resume_writing();
  }
  void connection_lost(const std::exception_ptr& error) override {
    const auto running = grammar_.connection_lost();
    inner_->connection_lost(error);
  }
  std::string repr() const override { return inner_->repr(); }

 private:
  std::shared_ptr<BufferedProtocol> inner_;
  CallGrammar grammar_;
};

}  // namespace testing
}  // namespace weir

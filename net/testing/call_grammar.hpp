// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {
namespace testing {

/// What check() of a CallGrammar throws.
class GrammarError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// The order in which a transport may call a protocol, as a machine to test with. Tell it each call
/// when it begins; it complains of those that must not come there.
///
/// Shape     connection_made, then data_received* (or get_buffer, buffer_updated of 1 byte or more
///           and no more than there was room), then eof_received at most once, then
///           connection_lost: the first and the last exactly once. pause_writing and resume_writing
///           in turn, anywhere between these two. No call inside another one, but pause_writing:
///           write() makes that one.
///           CheckedProtocol (checked_protocol.hpp) tells it of every call that a protocol gets.
/// Errors    GrammarError from check(). Nothing else throws, unless the complaint does.
/// Threads   Any one.
class CallGrammar {
 public:
  /// Is told of every illegal call, as "data_received after connection_lost; calls so far:
  /// connection_made connection_lost".
  using Complaint = std::function<void(const std::string&)>;

  /// Until it is destroyed, a callback runs.
  class Running {
   public:
    explicit Running(int& depth) noexcept : depth_(depth) { ++depth_; }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running() { --depth_; }

   private:
    int& depth_;
  };

  explicit CallGrammar(Complaint complain = {}) : complain_(std::move(complain)) {}

  [[nodiscard]] Running connection_made();
  [[nodiscard]] Running data_received(std::size_t bytes);
  [[nodiscard]] Running get_buffer();
  /// What get_buffer returned.
  void got_buffer(std::size_t bytes) noexcept { room_ = bytes; }
  [[nodiscard]] Running buffer_updated(std::size_t bytes);
  [[nodiscard]] Running eof_received();
  [[nodiscard]] Running pause_writing();
  [[nodiscard]] Running resume_writing();
  [[nodiscard]] Running connection_lost();

  /// For a protocol that set_protocol() gives a connection to: connection_made went to another one,
  /// and will not come.
  void adopt();
  /// As adopt(), and whatever else `before` has heard counts, too.
  void take_over_from(const CallGrammar& before);

  bool made() const noexcept { return made_; }
  bool lost() const noexcept { return lost_; }
  /// The first complaint, or nothing.
  const std::optional<std::string>& violation() const noexcept { return violation_; }
  /// That there was no complaint, and that connection_lost has followed connection_made.
  void check() const;

 private:
  void expect(bool holds, const char* call, const char* complaint);
  void between(const char* call);
  void incoming(const char* call);
  void note(const char* call);

  Complaint complain_;
  std::optional<std::string> violation_;
  std::string calls_;  // "connection_made data_received*3 "
  std::string last_call_;
  std::size_t repeats_ = 0;
  std::optional<std::size_t> room_;  // What the last get_buffer gave, until it is used.
  int depth_ = 0;
  bool made_ = false;
  bool ended_ = false;
  bool paused_ = false;
  bool lost_ = false;
};

}  // namespace testing
}  // namespace weir

// Internal: used by the simulations.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <weir/net/protocol.hpp>
#include <weir/net/testing/call_grammar.hpp>
#include <weir/net/transport.hpp>
#include <weir/reactor/handle.hpp>
#include <weir/reactor/sim/sim_stream.hpp>
#include <weir/streams/flow_control_mixin.hpp>
#include <weir/streams/stream_reader.hpp>

#include <tests/sim/script.hpp>

namespace weir::sim {

class World;

/// What callbacks and handlers throw on purpose.
struct Planted : std::runtime_error {
  Planted() : std::runtime_error("planted") {}
};

/// One end of a connection: does what its side of the script says, and knows what must be true.
///
/// The model of each direction is a byte sequence (content.hpp), how much of it was written and how
/// much has been received, whether it was ended, and how. What the kernel knows (SimStream) is the
/// truth in between.
class End {
 public:
  End(World& world, const Side& side, std::string name);
  End(const End&) = delete;
  End& operator=(const End&) = delete;

  // ---- What the library says: the callbacks of a protocol
  void made(const std::shared_ptr<Transport>& transport);
  void got(std::string_view data);
  bool ended();
  void paused();
  void resumed();
  void lost(const std::exception_ptr& error);
  /// A protocol that has handed its connection over is called again.
  void called_after_handing_over();

  /// A stream has been made over a connection.
  void adopt_stream(const StreamReader& reader, const std::shared_ptr<Transport>& transport);

  // ---- What it does
  void perform(const Step& step);
  void write(Transport& transport, std::size_t bytes, bool pieces);
  void write_eof(Transport& transport);
  void note_close() noexcept { closed_ = true; }
  void note_abort(bool aborts = true) noexcept { aborted_ = aborts; }
  /// Whoever was connecting it has been cancelled: if it comes to be, it is closed again.
  void note_cancel() noexcept { cancelled_ = true; }
  /// Of a stream: `bytes` were read, the next ones of the peer's.
  void consumed(std::string_view bytes);
  /// Of a stream: bytes were thrown away, as many as are missing now.
  void resynchronise() noexcept;
  /// Of a stream: the reader says that the peer's stream has ended.
  void stream_ended();
  /// Whether this error may come to this stream's reads and drains.
  bool explains(const std::exception_ptr& error) const;

  // ---- At the end
  /// Nothing happens any more: is anybody waiting for what is there?
  void check_quiet();
  /// Lets the others finish: reads on, and ends its stream.
  void release(bool ends_stream);
  void abort();
  void check_over();

  World& world() noexcept { return world_; }
  const Side& side() const noexcept { return side_; }
  const std::string& name() const noexcept { return name_; }
  std::uint32_t face() const noexcept { return face_; }
  bool aborted() const noexcept { return aborted_; }
  bool connected() const noexcept { return stream_.has_value(); }
  /// Ended in order, as far as this end is concerned: everything written must come out.
  bool orderly() const;
  std::uint64_t written() const noexcept { return written_; }
  std::size_t limit() const;
  std::size_t available() const;
  std::string upcoming(std::size_t bytes) const;
  weir::testing::CallGrammar& grammar() noexcept { return grammar_; }
  bool is_lost() const;

  /// What a stream waits for, while it waits.
  std::optional<Step> waiting;

 private:
  const SimStream& truth() const;
  const SimStream& peer_truth() const;
  void fire(When when);
  void set_marks(Transport& transport);
  void check_sizes(Transport& transport);
  void check_read_wait(const Step& step);
  void check_loss(const std::exception_ptr& error);
  void complain(const std::string& what);
  std::exception_ptr lost_error() const;

  World& world_;
  const Side& side_;
  std::string name_;
  weir::testing::CallGrammar grammar_;
  std::optional<std::uint64_t> stream_;
  int fd_ = -1;
  std::shared_ptr<Transport> held_;  // Until it lets go.
  std::weak_ptr<Transport> transport_;
  std::shared_ptr<FlowControlMixin> mixin_;  // Of a stream.
  std::optional<StreamReader> reader_;       // Of a stream.
  std::vector<bool> done_;                   // By step.
  std::vector<TimerHandle> timers_;
  std::uint64_t written_ = 0;
  std::uint64_t received_ = 0;  // By a stream: consumed.
  std::exception_ptr lost_error_;
  std::uint32_t face_ = 0;  // How often it was handed over.
  bool eof_written_ = false;
  bool closed_ = false;
  bool aborted_ = false;
  bool cancelled_ = false;
  bool broken_ = false;  // By throwing where that ends the connection.
  bool reading_paused_ = false;
  bool writing_paused_ = false;
  std::optional<std::size_t> buffered_at_new_marks_;
  bool resuming_ = false;
  bool end_seen_ = false;
  bool lost_ = false;
};

/// The protocol of an end. Handing over makes another one.
class Face final : public Protocol {
 public:
  explicit Face(End& end) : end_(end), number_(end.face()) {}
  void connection_made(const std::shared_ptr<Transport>& transport) override {
    const auto running = end_.grammar().connection_made();
    end_.made(transport);
  }
  void data_received(std::string_view data) override {
    if (number_ != end_.face()) return end_.called_after_handing_over();
    const auto running = end_.grammar().data_received(data.size());
    end_.got(data);
  }
  bool eof_received() override {
    if (number_ != end_.face()) end_.called_after_handing_over();
    const auto running = end_.grammar().eof_received();
    return end_.ended();
  }
  void pause_writing() override {
    if (number_ != end_.face()) end_.called_after_handing_over();
    const auto running = end_.grammar().pause_writing();
    end_.paused();
  }
  void resume_writing() override {
    if (number_ != end_.face()) end_.called_after_handing_over();
    const auto running = end_.grammar().resume_writing();
    end_.resumed();
  }
  void connection_lost(const std::exception_ptr& error) override {
    if (number_ != end_.face()) end_.called_after_handing_over();
    const auto running = end_.grammar().connection_lost();
    end_.lost(error);
  }

 private:
  End& end_;
  const std::uint32_t number_;
};

/// The same with a buffer of its own.
class BufferedFace final : public BufferedProtocol {
 public:
  explicit BufferedFace(End& end) : end_(end), number_(end.face()) {}
  void connection_made(const std::shared_ptr<Transport>& transport) override {
    const auto running = end_.grammar().connection_made();
    end_.made(transport);
  }
  std::span<char> get_buffer(std::ptrdiff_t) override {
    const auto running = end_.grammar().get_buffer();
    end_.grammar().got_buffer(sizeof buffer_);
    return buffer_;
  }
  void buffer_updated(std::size_t bytes) override {
    if (number_ != end_.face()) return end_.called_after_handing_over();
    const auto running = end_.grammar().buffer_updated(bytes);
    end_.got({buffer_, bytes});
  }
  bool eof_received() override {
    const auto running = end_.grammar().eof_received();
    return end_.ended();
  }
  void pause_writing() override {
    const auto running = end_.grammar().pause_writing();
    end_.paused();
  }
  void resume_writing() override {
    const auto running = end_.grammar().resume_writing();
    end_.resumed();
  }
  void connection_lost(const std::exception_ptr& error) override {
    const auto running = end_.grammar().connection_lost();
    end_.lost(error);
  }

 private:
  End& end_;
  const std::uint32_t number_;
  char buffer_[300];
};

std::shared_ptr<BaseProtocol> make_face(End& end);

}  // namespace weir::sim

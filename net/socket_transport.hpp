// Internal: used by connect and server; users see Transport.
// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <weir/net/flow_control.hpp>
#include <weir/net/protocol.hpp>
#include <weir/net/read_block.hpp>
#include <weir/net/socket.hpp>
#include <weir/net/transport.hpp>
#include <weir/net/write_buffer.hpp>
#include <weir/reactor/callback.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/run_note.hpp>
#include <weir/reactor/task/future.hpp>

namespace weir::detail {

/// Who wants to know that a transport has ended: its server.
class TransportOwner {
 public:
  TransportOwner() = default;
  TransportOwner(const TransportOwner&) = delete;
  TransportOwner& operator=(const TransportOwner&) = delete;
  virtual void transport_lost() = 0;

 protected:
  virtual ~TransportOwner() = default;
};

// What the loop runs of a transport. Bases, so that none needs a pointer back: there may be very
// many transports.
struct TransportReader : Runnable {
  using Runnable::Runnable;
};
struct TransportWriter : Runnable {
  using Runnable::Runnable;
};
/// In the loop's flushes while something is gathered, for which the event's end is waited; in its
/// ready queue when connection_lost is posted: a connection must be able to end without memory.
struct TransportTurn : Queueable {
  using Queueable::Queueable;
};

/// A Transport over one connected stream socket.
///
/// The state goes one way: open → flushing (close() with bytes left) → ending (connection_lost is
/// posted) → ended. abort() and errors go from either of the first two straight to ending.
/// connection_lost is posted in one place.
class SocketTransport final : public Transport,
                              private TransportReader,
                              private TransportWriter,
                              private TransportTurn {
  struct Private {};

 public:
  /// Makes the transport and schedules, in this order: connection_made, the start of reading,
  /// `connected`.
  ///
  /// Errors    RuntimeError  the loop is closed. ValueError  there is no protocol. The socket is
  ///           then closed. A poller that refuses it ends the connection after connection_made.
  static std::shared_ptr<SocketTransport> start(EventLoop& loop, Socket socket,
                                                std::shared_ptr<BaseProtocol> protocol,
                                                Endpoint peer, TransportOwner* owner,
                                                Callback connected);
  /// For start().
  SocketTransport(Private, EventLoop& loop, Socket socket, std::shared_ptr<BaseProtocol> protocol,
                  Endpoint peer, TransportOwner* owner);
  ~SocketTransport() override;

  void pause_reading() override;
  void resume_reading() override;
  bool is_reading() const override;
  void write(std::string_view data) override;
  void writelines(std::span<const std::string_view> pieces) override;
  void write_eof() override;
  bool can_write_eof() const override { return true; }
  void set_gather(bool enabled) override;
  void set_write_buffer_limits(std::optional<std::ptrdiff_t> high,
                               std::optional<std::ptrdiff_t> low) override;
  WriteBufferLimits get_write_buffer_limits() const override { return flow_.limits(); }
  std::size_t get_write_buffer_size() const override { return buffer_.size(); }
  void close() override;
  void abort() override;
  bool is_closing() const override { return mode_.state != State::open; }
  bool lost_data() const override { return lost_data_; }
  void set_protocol(std::shared_ptr<BaseProtocol> protocol) override;
  std::shared_ptr<BaseProtocol> get_protocol() const override { return protocol_; }
  ExtraInfo get_extra_info(std::string_view name) override;
  std::string repr() const override;

  /// Closes or aborts those of a loop that belong to `owner`, in the order of their descriptors.
  static void end_all_of(EventLoop& loop, const TransportOwner& owner, bool abort);

  // ---- For sendfile()

  /// Lends the sending side: until it is given back, all writes are refused, and nothing is
  /// received. Pausing and resuming take effect after that.
  ///
  /// Errors    RuntimeError  it is lent already, or write_eof() was called.
  void begin_sendfile();
  void end_sendfile();
  /// Everything written has been taken by the kernel. Fails when the connection ends.
  Future<> drained();
  /// The same, and the poller says that there is room for more.
  Future<> writable();
  /// Kernel::sendfile() to the socket.
  IoResult send_from(int file, std::int64_t offset, std::size_t bytes);
  /// write(), for the one that the sending side is lent to.
  void send_block(std::string_view block);

 private:
  enum class State : std::uint8_t { open, flushing, ending, ended };
  /// A writable socket is waited for when the kernel's buffer is full (blocked).
  enum class WriteSide : std::uint8_t { open, lent, eof_asked, eof_sent };
  /// What stands in the way of a write that is just gathered: nothing, when all four are 0.
  struct Mode {
    State state = State::open;
    WriteSide write_side = WriteSide::open;
    bool immediate = false;  // set_gather(false)
    bool blocked = false;    // Waiting for the socket to become writable.
  };
  /// Why a write was refused, by the function that was called.
  struct Refusals {
    const char* after_eof;
    const char* lent;
  };

  void make_connection();
  void start_reading();
  void adopt(std::shared_ptr<BaseProtocol> protocol);
  void read_ready();
  void read_into(BufferedProtocol& protocol);
  void received_nothing(IoResult got);
  void read_eof();
  void watch_reading();
  void write_ready();
  EventLoop& loop() const noexcept { return *loop_token_->loop; }
  Protocol& streaming() const noexcept { return static_cast<Protocol&>(*protocol_); }
  BufferedProtocol& buffered() const noexcept { return static_cast<BufferedProtocol&>(*protocol_); }
  /// One comparison instead of four.
  bool nothing_in_the_way() const noexcept { return std::bit_cast<std::uint32_t>(mode_) == 0; }
  bool has_ended() const noexcept { return mode_.state >= State::ending; }
  bool gathers(std::size_t bytes) const noexcept;
  void enqueue(std::span<const std::string_view> pieces, const Refusals& refusals);
  void send_now(std::span<const std::string_view> pieces);
  void event_drained();
  // Hidden: so g++ may inline it in its file, though it compiles for a shared object (-fPIC).
  [[gnu::visibility("hidden")]] bool send_gathered();
  IoResult send(std::string_view bytes);
  bool sent_some(IoResult sent);
  void drained_unusually();
  void finish_flush();
  void end_wait();
  std::exception_ptr why_closed() const noexcept;
  void send_eof();
  void wait_until_writable();
  void after_enqueue();
  void drop_write();
  void call_flow(bool pause);
  void callback_failed(const std::exception_ptr& error, const char* message);
  void fatal_error(const std::exception_ptr& error, const char* message);
  void end(const std::exception_ptr& error) noexcept;
  void unqueue() noexcept;
  void lose();
  void report(const char* message, const std::exception_ptr& error) noexcept;
  static const RunnableKind read_kind;
  static const RunnableKind write_kind;
  static const RunnableKind turn_kind;
  TransportReader& reader_node() noexcept { return *this; }
  TransportWriter& writer_node() noexcept { return *this; }
  TransportTurn& turn() noexcept { return *this; }
  template <class Node>
  static SocketTransport& of(Runnable& node) noexcept {
    return static_cast<SocketTransport&>(static_cast<Node&>(node));
  }
  template <class Node, void (SocketTransport::*ready)()>
  static constexpr RunnableKind kind_of() {
    return {[](Runnable& node) { (of<Node>(node).*ready)(); },
            [](const Runnable& node) {
              return static_cast<const SocketTransport&>(static_cast<const Node&>(node)).repr();
            },
            nullptr, [](Runnable& node, RunNote& note) { note.fd = of<Node>(node).socket_.fd(); }};
  }

  // 184 bytes: there may be very many transports, so none has links of its own but for its turn.
  Ref<LoopToken> loop_token_;  // Not asked for the loop once ended, but for logging.
  ReadBlock& block_;
  Socket socket_;
  std::shared_ptr<BaseProtocol> protocol_;
  TransportOwner* owner_;  // It stays until its last transport is lost.
  // The loop's hold, until connection_lost has returned: a turn of its own, so that whatever else
  // the loop runs of a transport may call the user and still be there afterwards.
  std::shared_ptr<SocketTransport> self_;
  WriteBuffer buffer_;
  Ref<FutureState<void>> waiter_;  // What drained() or writable() gave out.
  Endpoint sockname_;
  Endpoint peername_;
  std::exception_ptr lost_error_;           // What ended the connection, if it was an error.
  [[no_unique_address]] FlowControl flow_;  // What follows stands in its last bytes.
  Mode mode_;
  // asyncio's _conn_lost: 1 at the end, one more for each of the first dropped writes.
  std::uint8_t lost_writes_ = 0;
  bool streaming_ : 1 = false;  // protocol_ is a Protocol; else a BufferedProtocol.
  bool reading_paused_ : 1 = false;
  bool reading_started_ : 1 = false;
  bool end_of_stream_ : 1 = false;
  bool lost_data_ : 1 = false;
};

}  // namespace weir::detail

// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include <weir/net/address.hpp>
#include <weir/net/protocol.hpp>
#include <weir/net/socket.hpp>
#include <weir/reactor/export.hpp>

namespace WEIR_API weir {

/// A transport's socket, for looking at and for options: nothing that would send, receive or close.
/// After the transport has closed, fd() is -1 and every call is EBADF.
class TransportSocket {
 public:
  TransportSocket() = default;
  explicit TransportSocket(std::shared_ptr<Socket> socket) noexcept : socket_(std::move(socket)) {}

  int fd() const noexcept { return socket_ ? socket_->fd() : -1; }
  Endpoint getsockname() const { return fd() < 0 ? Endpoint() : socket_->local_endpoint(); }
  Endpoint getpeername() const { return fd() < 0 ? Endpoint() : socket_->remote_endpoint(); }
  int setsockopt(int level, int option, int value) const {
    return fd() < 0 ? EBADF : socket_->set_option(level, option, value);
  }
  IoResult getsockopt(int level, int option) const {
    return fd() < 0 ? IoResult{0, EBADF} : socket_->get_option(level, option);
  }
  int shutdown(int how) const { return fd() < 0 ? EBADF : socket_->shutdown(how); }

 private:
  std::shared_ptr<Socket> socket_;
};

/// What get_extra_info() gives: nothing, an address or a socket.
///
/// Shape     if (auto peer = transport->get_extra_info("peername").endpoint()) use(peer->host());
class ExtraInfo {
 public:
  ExtraInfo() = default;
  explicit ExtraInfo(Endpoint endpoint) : value_(std::move(endpoint)) {}
  explicit ExtraInfo(TransportSocket socket) : value_(std::move(socket)) {}

  explicit operator bool() const noexcept { return value_.index() != 0; }
  std::optional<Endpoint> endpoint() const {
    const auto* found = std::get_if<Endpoint>(&value_);
    return found != nullptr ? std::optional(*found) : std::nullopt;
  }
  std::optional<TransportSocket> socket() const {
    const auto* found = std::get_if<TransportSocket>(&value_);
    return found != nullptr ? std::optional(*found) : std::nullopt;
  }

 private:
  std::variant<std::monostate, Endpoint, TransportSocket> value_;
};

/// The marks between which writing is paused and resumed, in bytes.
struct WriteBufferLimits {
  std::size_t low;
  std::size_t high;
};

/// One end of a byte stream, as the loop drives it. Calls protocols; is called by them, and by
/// streams.
///
/// Shape     Open until close(), abort() or an error; then closing, until connection_lost has been
///           called.
/// Errors    Calls on a transport that is closing are no-ops, as asyncio has it, unless said
///           otherwise.
/// Threads   The loop's thread.
/// Lifetime  Held by the loop until connection_lost has returned; a shared_ptr kept longer is
///           inert.
/// Source    CPython 3.13 transports.py, selector_events.py _SelectorSocketTransport.
class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  // ---- Reading

  /// No data_received until resume_reading(); the peer is slowed down. Idempotent.
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  /// Neither paused, nor closing, nor at the end of the stream, nor sending a file.
  virtual bool is_reading() const = 0;

  // ---- Writing

  /// Sends `data`, now or when the socket takes it. Never blocks, and never fails because the
  /// connection is lost: what is written after that is dropped, and the fifth time logged, once a
  /// connection ("socket.send() raised exception. Writes to ('10.0.0.1', 80) are dropped:
  /// BrokenPipeError: [Errno 32] Broken pipe").
  ///
  /// Errors    RuntimeError "Cannot call write() after write_eof()", "unable to write; sendfile is
  /// in
  ///           progress".
  /// Lifetime  `data` is copied or sent before write() returns.
  /// Cost      On an open window a compare and a copy: small writes of one event leave in one
  ///           system call when that event has been served. 16 KiB and more, or what passes the
  ///           high-water mark, is sent at once.
  virtual void write(std::string_view data) = 0;
  /// write() of all pieces, in order, without joining them.
  ///
  /// Errors    RuntimeError "Cannot call writelines() after write_eof()", "unable to writelines;
  ///           sendfile is in progress".
  virtual void writelines(std::span<const std::string_view> pieces) = 0;
  void writelines(std::initializer_list<std::string_view> pieces) {
    writelines(std::span<const std::string_view>(pieces.begin(), pieces.size()));
  }
  /// Ends the sending side once everything written has been sent. No-op when closing, or the second
  /// time.
  ///
  /// Errors    OSError  the shutdown fails now (ENOTCONN: the peer has reset the connection).
  ///           RuntimeError "unable to write_eof; sendfile is in progress".
  virtual void write_eof() = 0;
  virtual bool can_write_eof() const = 0;

  /// Small writes wait for the end of the event (true, the default) or are sent at once, as asyncio
  /// does.
  virtual void set_gather(bool enabled) = 0;

  /// Neither: 16 KiB and 64 KiB. Only high: low is a quarter. Only low: high is four times that.
  ///
  /// Errors    ValueError "high (1) must be >= low (2) must be >= 0"; the old marks stay.
  virtual void set_write_buffer_limits(std::optional<std::ptrdiff_t> high = {},
                                       std::optional<std::ptrdiff_t> low = {}) = 0;
  virtual WriteBufferLimits get_write_buffer_limits() const = 0;
  /// Bytes accepted and not yet taken by the kernel, those that are being gathered included. O(1).
  virtual std::size_t get_write_buffer_size() const = 0;

  // ---- Ending

  /// Stops reading, sends what was written, then ends: connection_lost(null). Idempotent.
  ///
  /// TCP resets a connection that is closed with input unread, and the peer may then lose the end
  /// of what was written. Where it still sends, say write_eof(), and close() at its end.
  virtual void close() = 0;
  /// Ends now: what was written and the socket has not taken is thrown away. connection_lost(null).
  virtual void abort() = 0;
  /// True from close(), abort() or the first error on, for ever.
  virtual bool is_closing() const = 0;
  /// Whether the connection has ended with bytes that had been written, and that the system had not
  /// taken. What is written after the end does not count. False where a transport cannot tell.
  virtual bool lost_data() const { return false; }

  // ---- About it

  /// The next callback goes to `protocol`, a Protocol or a BufferedProtocol, whichever the old one
  /// was. The old one hears nothing more. No-op once the connection is lost.
  ///
  /// Errors    ValueError "a protocol was expected, got None", "a Protocol or a BufferedProtocol
  /// was
  ///           expected, got …".
  virtual void set_protocol(std::shared_ptr<BaseProtocol> protocol) = 0;
  /// Null once the connection is lost.
  virtual std::shared_ptr<BaseProtocol> get_protocol() const = 0;

  /// "socket", "sockname", "peername". They stay available after the end. An unknown name gives
  /// nothing.
  virtual ExtraInfo get_extra_info(std::string_view name) = 0;

  /// For reports: <SocketTransport fd=7 peer=('127.0.0.1', 40000)>.
  virtual std::string repr() const = 0;
};

}  // namespace weir

// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {

class Transport;

/// What a transport calls. Derive from Protocol or BufferedProtocol, and override what you need;
/// the defaults do nothing.
///
/// Shape     connection_made, then (pause_writing, resume_writing)*, then connection_lost: each of
///           the outer two once,
///           in this order, whatever happens.
/// Errors    connection_made throws: reported, the connection goes on. pause_writing or
///           resume_writing throws: reported, the connection goes on. connection_lost throws:
///           reported, the connection is cleaned up all the same.
/// Threads   The loop's thread. No callback runs inside a call that the protocol makes on its
///           transport, with one exception, asyncio's: pause_writing.
/// Lifetime  The transport keeps its protocol alive until connection_lost has returned.
/// Source    CPython protocols.py BaseProtocol.
class BaseProtocol {
 public:
  BaseProtocol() = default;
  BaseProtocol(const BaseProtocol&) = delete;
  BaseProtocol& operator=(const BaseProtocol&) = delete;
  virtual ~BaseProtocol() = default;

  /// The connection is there. Data comes after this has returned.
  virtual void connection_made(const std::shared_ptr<Transport>& transport);

  /// The connection is gone: the last call. Null after a close(), an abort(), or an end of the
  /// stream that was answered by closing; else the first thing that went wrong (an OSError, or what
  /// a callback of this protocol threw).
  virtual void connection_lost(const std::exception_ptr& error);

  /// More than the high-water mark is waiting to be sent: stop writing. Called inside the write()
  /// that passed the mark, once, until resume_writing.
  ///
  /// Units     Called when the size is above the high mark, not at it.
  virtual void pause_writing();

  /// The low-water mark has been reached: write again. Strictly alternates with pause_writing.
  ///
  /// Units     Called when the size is at the low mark or below.
  virtual void resume_writing();

  /// What logs and reports call this protocol: <Protocol>, unless overridden.
  virtual std::string repr() const;
};

/// A protocol for byte streams.
///
/// Shape     made, data_received*, eof_received at most once, lost.
/// Source    CPython protocols.py Protocol; what a throwing callback does: selector_events.py.
class Protocol : public BaseProtocol {
 public:
  /// Some bytes arrived: one or more, cut anywhere.
  ///
  /// Errors    An exception is fatal: reported ("Fatal error: protocol.data_received() call
  ///           failed."; an OSError is not), and handed to connection_lost.
  /// Lifetime  `data` is valid during the call.
  virtual void data_received(std::string_view data);

  /// The peer will send nothing more. Return true to keep the connection open for writing; the
  /// transport then stops reading for good. Return false and it closes itself.
  ///
  /// Errors    As data_received: "Fatal error: protocol.eof_received() call failed."
  virtual bool eof_received();
};

/// A protocol for byte streams that says where the bytes go: the transport receives straight into
/// its memory.
///
/// Shape     made, (get_buffer, buffer_updated)*, eof_received at most once, lost. A get_buffer may
///           be followed by another one: there was nothing to receive after all.
/// Errors    What a callback throws is fatal, reported and handed to connection_lost, as a
///           Protocol's: "Fatal error: protocol.get_buffer() call failed.", "Fatal error:
///           protocol.buffer_updated() call failed.", "Fatal error: protocol.eof_received() call
///           failed."
/// Source    CPython protocols.py BufferedProtocol.
class BufferedProtocol : public BaseProtocol {
 public:
  /// Where the next bytes go. A get_buffer that pauses reading, closes the transport or hands it to
  /// another protocol receives nothing: the bytes stay in the kernel, and it may return no buffer.
  ///
  /// Shape     sizehint: how many bytes are expected; -1, all that transports say today, is
  ///           "unknown". Any size but 0 will do.
  /// Errors    Else an empty buffer is fatal: RuntimeError "get_buffer() returned an empty buffer".
  /// Lifetime  The memory stays yours, and must be there until buffer_updated or the next
  ///           get_buffer.
  virtual std::span<char> get_buffer(std::ptrdiff_t sizehint) = 0;

  /// The first `bytes` of the buffer, one or more, have been filled.
  virtual void buffer_updated(std::size_t bytes) = 0;

  /// As Protocol::eof_received.
  virtual bool eof_received();
};

}  // namespace weir

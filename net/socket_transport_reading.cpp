// SPDX-License-Identifier: MIT
#include <weir/net/socket_transport.hpp>

#include <memory>
#include <utility>

#include <weir/reactor/error.hpp>
#include <weir/reactor/trace/tracer.hpp>

// The transport's reading half: from a readable socket to the protocol. socket_transport.cpp has
// the rest.

namespace weir::detail {

/// Its kind is asked once, here, and not with every event.
void SocketTransport::adopt(std::shared_ptr<BaseProtocol> protocol) {
  BaseProtocol* its = dynamic_cast<Protocol*>(protocol.get());
  streaming_ = its != nullptr;
  if (!streaming_) its = dynamic_cast<BufferedProtocol*>(protocol.get());
  // Of an object that is both, the base that is one: streaming() and buffered() cast it down.
  protocol_ = std::shared_ptr<BaseProtocol>(std::move(protocol), its);
}

void SocketTransport::make_connection() {
  if (mode_.state == State::ended) return;
  const std::shared_ptr<BaseProtocol> protocol =
      protocol_;  // It may hand over to another one in its own callback.
  protocol->connection_made(self_);
}

void SocketTransport::start_reading() {
  reading_started_ = true;
  // connection_made may have closed or paused us; what it wrote may be waiting for the socket.
  if (has_ended()) return;
  Runnable* reader = is_reading() ? &reader_node() : nullptr;
  Runnable* writer = mode_.blocked ? &writer_node() : nullptr;
  if (const int error = loop().io().open(socket_.fd(), reader, writer); error != 0) {
    fatal_error(make_os_error(error), "Fatal error: the poller refuses the socket");
  }
}

// BYTE 3/7: fd is readable; recv() brings the bytes into the process.
// Next: StreamReaderProtocol::data_received (streams/stream_reader_protocol.cpp)
void SocketTransport::read_ready() {
  if (mode_.state != State::open) return;
  if (!streaming_) return read_into(buffered());
  const std::span<char> room = block_.room();
  // Once per event: a busy peer must not starve the others.
  const IoResult got = socket_.recv(room);
  if (!got.ok() || got.value == 0) return received_nothing(got);
  try {
    streaming().data_received({room.data(), static_cast<std::size_t>(got.value)});
  } catch (const KeyboardInterrupt&) {  // Never about this connection: it goes through, out of
                                        // run_forever().
    throw;
  } catch (...) {
    callback_failed(std::current_exception(), "Fatal error: protocol.data_received() call failed.");
  }
  block_.expire_when_drained();
}

/// The same without the loop's block: the protocol says where the bytes go.
void SocketTransport::read_into(BufferedProtocol& protocol) {
  std::span<char> room;
  try {
    room = protocol.get_buffer(-1);
    // Paused, closed, or handed over: what comes next is not for this buffer, and stays where it
    // is.
    if (!is_reading() || protocol_.get() != &protocol) return;
    if (room.empty()) throw RuntimeError("get_buffer() returned an empty buffer");
  } catch (const KeyboardInterrupt&) {
    throw;
  } catch (...) {
    return callback_failed(std::current_exception(),
                           "Fatal error: protocol.get_buffer() call failed.");
  }
  const IoResult got = socket_.recv(room);
  if (!got.ok() || got.value == 0) return received_nothing(got);
  try {
    protocol.buffer_updated(static_cast<std::size_t>(got.value));
  } catch (const KeyboardInterrupt&) {
    throw;
  } catch (...) {
    callback_failed(std::current_exception(),
                    "Fatal error: protocol.buffer_updated() call failed.");
  }
}

/// The end of the stream, an error, or an event without anything to read.
void SocketTransport::received_nothing(IoResult got) {
  if (got.would_block()) return;
  if (got.ok()) return read_eof();
  fatal_error(make_os_error(got.error), "Fatal read error on socket transport");
}

void SocketTransport::read_eof() {
  // Sticky, and the watch ends here: a level-triggered poller would report the end for ever.
  end_of_stream_ = true;
  watch_reading();
  bool keep_open = false;
  try {
    keep_open = streaming_ ? streaming().eof_received() : buffered().eof_received();
  } catch (const KeyboardInterrupt&) {
    throw;
  } catch (...) {
    return callback_failed(std::current_exception(),
                           "Fatal error: protocol.eof_received() call failed.");
  }
  if (!keep_open) close();
}

void SocketTransport::pause_reading() {
  if (mode_.state != State::open || reading_paused_) return;
  reading_paused_ = true;
  if (Tracer* its = loop().tracer()) its->happened(TraceEvent::pause_reading, socket_.fd());
  watch_reading();
}

void SocketTransport::resume_reading() {
  if (mode_.state != State::open || !reading_paused_) return;
  reading_paused_ = false;
  if (Tracer* its = loop().tracer()) its->happened(TraceEvent::resume_reading, socket_.fd());
  watch_reading();
}

/// Has the poller watch for what can be received just if it is wanted now.
void SocketTransport::watch_reading() {
  if (mode_.state != State::open || !reading_started_) return;
  loop().io().set_reader(socket_.fd(), is_reading() ? &reader_node() : nullptr);
}

bool SocketTransport::is_reading() const {
  return mode_.state == State::open && !reading_paused_ && !end_of_stream_ &&
         mode_.write_side != WriteSide::lent;
}

/// Who reads from a descriptor owns it, and is found by that.
void SocketTransport::end_all_of(EventLoop& loop, const TransportOwner& owner, bool abort) {
  loop.io().for_each_owner([&owner, abort](Runnable& its) {
    if (its.kind != &read_kind) return;  // A listener.
    auto& transport = of<TransportReader>(its);
    if (transport.owner_ != &owner) return;
    const std::shared_ptr<SocketTransport> keep = transport.self_;
    abort ? transport.abort() : transport.close();
  });
}

}  // namespace weir::detail

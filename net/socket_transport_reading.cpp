// SPDX-License-Identifier: MIT
#include <weir/net/socket_transport.hpp>

#include <weir/reactor/error.hpp>

// The transport's reading half: from a readable socket to the protocol. socket_transport.cpp has
// the rest.

namespace weir::detail {

// BYTE 3/7: fd is readable; recv() brings the bytes into the process.
// Next: StreamReaderProtocol::data_received (streams/stream_reader_protocol.cpp)
void SocketTransport::read_ready() {
  if (state_ != State::open) return;
  const std::shared_ptr<SocketTransport> keep = self_;
  // It may hand over to another one in its own callback.
  const std::shared_ptr<BaseProtocol> protocol = protocol_;
  if (streaming_ == nullptr) return read_into(*buffered_);
  const std::span<char> room = block_.room();
  // Once per event: a busy peer must not starve the others.
  const IoResult got = socket_.recv(room);
  if (!received(got)) return;
  try {
    streaming_->data_received({room.data(), static_cast<std::size_t>(got.value)});
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
    if (!is_reading() || buffered_ != &protocol) return;
    if (room.empty()) throw RuntimeError("get_buffer() returned an empty buffer");
  } catch (const KeyboardInterrupt&) {
    throw;
  } catch (...) {
    return callback_failed(std::current_exception(),
                           "Fatal error: protocol.get_buffer() call failed.");
  }
  const IoResult got = socket_.recv(room);
  if (!received(got)) return;
  try {
    protocol.buffer_updated(static_cast<std::size_t>(got.value));
  } catch (const KeyboardInterrupt&) {
    throw;
  } catch (...) {
    callback_failed(std::current_exception(),
                    "Fatal error: protocol.buffer_updated() call failed.");
  }
}

/// True if there are bytes to hand over; all else is dealt with.
bool SocketTransport::received(const IoResult& got) {
  if (got.would_block()) return false;
  if (!got.ok()) {
    fatal_error(make_os_error(got.error), "Fatal read error on socket transport");
  } else if (got.value == 0) {
    read_eof();
  }
  return got.ok() && got.value != 0;
}

void SocketTransport::read_eof() {
  // Sticky, and the watch ends here: a level-triggered poller would report the end for ever.
  end_of_stream_ = true;
  watch_reading();
  bool keep_open = false;
  try {
    keep_open = streaming_ != nullptr ? streaming_->eof_received() : buffered_->eof_received();
  } catch (const KeyboardInterrupt&) {
    throw;
  } catch (...) {
    return callback_failed(std::current_exception(),
                           "Fatal error: protocol.eof_received() call failed.");
  }
  if (!keep_open) close();
}

void SocketTransport::pause_reading() {
  if (state_ != State::open || reading_paused_) return;
  reading_paused_ = true;
  watch_reading();
}

void SocketTransport::resume_reading() {
  if (state_ != State::open || !reading_paused_) return;
  reading_paused_ = false;
  watch_reading();
}

/// Has the poller watch for what can be received just if it is wanted now.
void SocketTransport::watch_reading() {
  if (state_ != State::open || !reading_started_) return;
  loop_.io().set_reader(socket_.fd(), is_reading() ? &reader_node() : nullptr);
}

bool SocketTransport::is_reading() const {
  return state_ == State::open && !reading_paused_ && !end_of_stream_ &&
         write_side_ != WriteSide::lent;
}

}  // namespace weir::detail

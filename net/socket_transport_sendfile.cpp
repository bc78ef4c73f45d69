// SPDX-License-Identifier: MIT
#include <weir/net/socket_transport.hpp>

#include <utility>

#include <weir/reactor/error.hpp>
#include <weir/reactor/no_alloc.hpp>

// The sending side while a sendfile() has it. socket_transport.cpp has the rest.

namespace weir::detail {

void SocketTransport::begin_sendfile() {
  switch (mode_.write_side) {
    case WriteSide::open: break;
    case WriteSide::lent: throw RuntimeError("unable to sendfile; sendfile is in progress");
    default: throw RuntimeError("Cannot call sendfile() after write_eof()");
  }
  mode_.write_side = WriteSide::lent;
  watch_reading();
}

void SocketTransport::end_sendfile() {
  waiter_ = {};
  mode_.write_side = WriteSide::open;
  watch_reading();  // A writer's watch ends by itself, when there is room.
}

Future<> SocketTransport::drained() {
  send_gathered();  // May end the connection.
  loop().check_closed();
  waiter_ = Ref<FutureState<void>>(new PlainFutureState<void>(loop()));
  const Future<> waiter(waiter_.get());
  if (buffer_.empty() && !mode_.blocked) end_wait();  // That is so, too, when it has ended.
  return waiter;
}

Future<> SocketTransport::writable() {
  if (mode_.state == State::open) wait_until_writable();
  return drained();
}

/// Whoever waits may go on, or hears how the connection ended.
void SocketTransport::end_wait() {
  if (!waiter_) return;
  const Future<> waiter(std::exchange(waiter_, {}).get());
  if (waiter.done()) return;  // Cancelled.
  if (mode_.state == State::open) return waiter.set_result();
  waiter.set_exception(why_closed());
}

/// What ended the connection; a close() or an abort() is no error, and has a text of its own.
std::exception_ptr SocketTransport::why_closed() const noexcept {
  if (lost_error_) return lost_error_;
  const MayAllocScope a_text;
  return exception_of([] { return ConnectionError("Connection is closed by peer"); });
}

IoResult SocketTransport::send_from(int file, std::int64_t offset, std::size_t bytes) {
  if (mode_.state != State::open) std::rethrow_exception(why_closed());
  return loop().kernel().sendfile(socket_.fd(), file, offset, bytes);
}

void SocketTransport::send_block(std::string_view block) {
  if (mode_.state != State::open) std::rethrow_exception(why_closed());
  send_now(std::span(&block, 1));
}

}  // namespace weir::detail

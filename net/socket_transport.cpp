// SPDX-License-Identifier: MIT
#include <weir/net/socket_transport.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <new>
#include <source_location>
#include <utility>

#include <weir/reactor/error.hpp>
#include <weir/reactor/handle.hpp>
#include <weir/reactor/no_alloc.hpp>
#include <weir/reactor/report.hpp>
#include <weir/reactor/trace/tracer.hpp>

namespace weir::detail {
namespace {

// From this size on a write is sent at once: copying it costs about what a system call does.
constexpr std::size_t direct_write_bytes = 16 * 1024;

// asyncio constants.py LOG_THRESHOLD_FOR_CONNLOST_WRITES
constexpr std::uint8_t lost_writes_before_log = 5;

// Pieces of one system call; what a writelines() has beyond that is copied.
constexpr std::size_t max_pieces = 64;

/// std::bad_alloc if there cannot be so many: a sum that wraps around would pass for a small one.
std::size_t total_size(std::span<const std::string_view> pieces) {
  std::size_t total = 0;
  for (const std::string_view piece : pieces) {
    if (piece.size() > SIZE_MAX - total) throw std::bad_alloc();
    total += piece.size();
  }
  return total;
}

void check_protocol(const std::shared_ptr<BaseProtocol>& protocol) {
  if (!protocol) throw ValueError("a protocol was expected, got None");
  const BaseProtocol* its = protocol.get();
  if (dynamic_cast<const Protocol*>(its) == nullptr &&
      dynamic_cast<const BufferedProtocol*>(its) == nullptr) {
    throw ValueError("a Protocol or a BufferedProtocol was expected, got " + its->repr());
  }
}

iovec to_iovec(std::string_view piece) { return {const_cast<char*>(piece.data()), piece.size()}; }

}  // namespace

// The reader is known to the loop as the owner of the descriptor, so it ends when the loop does.
const RunnableKind SocketTransport::read_kind = [] {
  RunnableKind kind = kind_of<TransportReader, &SocketTransport::read_ready>();
  kind.abort = [](Runnable& node) { of<TransportReader>(node).abort(); };
  kind.drop = [](Runnable& node) { of<TransportReader>(node).lose(); };
  return kind;
}();
const RunnableKind SocketTransport::write_kind =
    kind_of<TransportWriter, &SocketTransport::write_ready>();
const RunnableKind SocketTransport::turn_kind =
    kind_of<TransportTurn, &SocketTransport::event_drained>();

// ---- From the socket to connection_made

// NOLINTNEXTLINE(readability-function-size): the parameters of start(), and who may call it.
SocketTransport::SocketTransport(Private, EventLoop& loop, Socket socket,
                                 std::shared_ptr<BaseProtocol> protocol, Endpoint peer,
                                 TransportOwner* owner)
    : TransportReader(read_kind),
      TransportWriter(write_kind),
      TransportTurn(turn_kind),
      loop_token_(loop.token()),
      block_(loop.service<ReadBlock>()),
      socket_(std::move(socket)),
      owner_(owner),
      sockname_(socket_.local_endpoint()),
      peername_(peer.family() == AF_UNSPEC ? socket_.remote_endpoint() : std::move(peer)) {
  adopt(std::move(protocol));
}

SocketTransport::~SocketTransport() = default;

// NOLINTNEXTLINE(readability-function-size): what a connection is made of, each once.
std::shared_ptr<SocketTransport> SocketTransport::start(EventLoop& loop, Socket socket,
                                                        std::shared_ptr<BaseProtocol> protocol,
                                                        Endpoint peer, TransportOwner* owner,
                                                        Callback connected) {
  loop.check_closed();
  check_protocol(protocol);
  // What still watches the socket would hear nothing more, and could not be removed either.
  loop.remove_reader(socket.fd());
  loop.remove_writer(socket.fd());
  const auto transport = std::make_shared<SocketTransport>(
      Private(), loop, std::move(socket), std::move(protocol), std::move(peer), owner);
  Socket& its = transport->socket_;
  const bool is_tcp = (its.family() == AF_INET || its.family() == AF_INET6) &&
                      its.type() == SOCK_STREAM && its.protocol() == IPPROTO_TCP;
  // Answers are small and wait for nothing: Nagle would hold them back. A socket that refuses still
  // works.
  if (is_tcp) static_cast<void>(its.set_option(IPPROTO_TCP, TCP_NODELAY, 1));
  const auto soon = [&loop](Callback callback) {
    return HandleNode::make(loop, once_handle, std::move(callback),
                            std::source_location::current());
  };
  Ref<HandleNode> made = soon([transport] { transport->make_connection(); });
  Ref<HandleNode> reads = soon([transport] { transport->start_reading(); });
  Ref<HandleNode> told = connected ? soon(std::move(connected)) : Ref<HandleNode>();
  loop.io().set_owner(its.fd(), &transport->reader_node());
  // From here on nothing throws: a connection is made as a whole, or not.
  transport->self_ = transport;
  loop.schedule(std::move(made));
  loop.schedule(std::move(reads));
  if (told) loop.schedule(std::move(told));
  return transport;
}

// ---- Writing

/// Whether that many bytes are just put to the others of this event: nothing is due then.
inline bool SocketTransport::gathers(std::size_t bytes) const noexcept {
  return nothing_in_the_way() && bytes - 1 < direct_write_bytes - 1 &&  // Some, and not too many.
         !flow_.over(buffer_.size() + bytes) &&
         loop().is_running();  // Else there is no pass whose end would send it.
}

// SEND 2/5: the bytes are gathered with others of this event, or go to the kernel at once.
// Next: SocketTransport::event_drained (net/socket_transport.cpp)
void SocketTransport::write(std::string_view data) {
  if (gathers(data.size())) [[likely]] {
    loop().flush_when_drained(turn());
    return buffer_.append(data);  // Last: so that this, too, calls nothing that returns.
  }
  // A copy: a parameter whose address is taken is not kept in registers, above either.
  const std::string_view piece = data;
  enqueue(std::span(&piece, 1),
          {"Cannot call write() after write_eof()", "unable to write; sendfile is in progress"});
}

void SocketTransport::writelines(std::span<const std::string_view> pieces) {
  enqueue(pieces, {"Cannot call writelines() after write_eof()",
                   "unable to writelines; sendfile is in progress"});
}

/// The one way in, for every kind of write: so that no kind can forget the high-water mark.
void SocketTransport::enqueue(std::span<const std::string_view> pieces, const Refusals& refusals) {
  if (mode_.write_side != WriteSide::open) [[unlikely]]
    throw RuntimeError(mode_.write_side == WriteSide::lent ? refusals.lent : refusals.after_eof);
  const std::size_t total = total_size(pieces);
  if (total == 0) return;
  if (has_ended()) [[unlikely]]
    return drop_write();
  if (!mode_.blocked && !gathers(total)) return send_now(pieces);
  buffer_.reserve(total);  // All of it or nothing, if there is no memory.
  for (const std::string_view piece : pieces) buffer_.append(piece);
  if (!mode_.blocked) return loop().flush_when_drained(turn());
  after_enqueue();
}

void SocketTransport::drop_write() {
  // Once: whoever does not look whether the connection is there writes a thousand times more.
  if (lost_writes_ > lost_writes_before_log) return;
  if (lost_writes_++ != lost_writes_before_log || loop_token_->loop == nullptr) return;
  loop().log_text(LogLevel::warning, "socket.send() raised exception.", [this] {
    const std::string cause = lost_error_ ? describe(lost_error_) : "it was closed";
    return "socket.send() raised exception. Writes to " + peername_.repr() +
           " are dropped: " + cause;
  });
}

/// What was gathered and `pieces`, in one system call; what the kernel does not take waits.
void SocketTransport::send_now(std::span<const std::string_view> pieces) {
  std::array<iovec, max_pieces> vectors;
  std::size_t count = 0;
  if (!buffer_.empty()) vectors[count++] = to_iovec(buffer_.bytes());
  for (const std::string_view piece : pieces) {
    if (count == max_pieces) break;
    if (!piece.empty()) vectors[count++] = to_iovec(piece);
  }
  const IoResult sent = socket_.send(std::span(vectors).first(count));
  if (!sent.ok() && !sent.would_block()) {
    return fatal_error(make_os_error(sent.error), "Fatal write error on socket transport");
  }
  std::size_t taken = sent.ok() ? static_cast<std::size_t>(sent.value) : 0;
  const std::size_t of_gathered = std::min(taken, buffer_.size());
  taken -= of_gathered;
  if (of_gathered != 0) buffer_.consume(of_gathered);
  try {
    for (const std::string_view piece : pieces) {
      const std::size_t of_piece = std::min(taken, piece.size());
      taken -= of_piece;
      if (of_piece < piece.size()) buffer_.append(piece.substr(of_piece));
    }
  } catch (const std::bad_alloc&) {  // A part is on its way: going on would leave a hole behind it.
    return fatal_error(std::current_exception(), "Fatal write error on socket transport");
  }
  if (!buffer_.empty()) {
    wait_until_writable();
    buffer_.settle();
  }
  after_enqueue();
}

// SEND 3/5: the event has been drained: everything it gathered leaves in one send().
// Next: SocketTransport::wait_until_writable (net/socket_transport.cpp)
void SocketTransport::event_drained() {
  const std::string_view gathered = buffer_.bytes();
  if (!nothing_in_the_way() || gathered.empty()) [[unlikely]]
    return drained_unusually();
  const IoResult sent = send(gathered);
  if (static_cast<std::size_t>(sent.value) == gathered.size()) [[likely]]
    return buffer_.clear();
  if (sent_some(sent)) buffer_.settle();
}

void SocketTransport::drained_unusually() {
  if (has_ended()) return lose();  // This turn was in the ready queue.
  if (!send_gathered()) return;
  if (!buffer_.empty()) return buffer_.settle();
  finish_flush();
}

bool SocketTransport::send_gathered() {
  if (buffer_.empty() || mode_.blocked || has_ended()) return true;
  return sent_some(send(buffer_.bytes()));
}

inline IoResult SocketTransport::send(std::string_view bytes) {
  const iovec all = to_iovec(bytes);
  return socket_.send(std::span(&all, 1));
}

/// Of what was gathered: all, some or nothing. False if that ends the connection.
bool SocketTransport::sent_some(IoResult sent) {
  if (!sent.ok() && !sent.would_block()) {
    fatal_error(make_os_error(sent.error), "Fatal write error on socket transport");
    return false;
  }
  if (sent.ok()) buffer_.consume(static_cast<std::size_t>(sent.value));
  if (!buffer_.empty()) wait_until_writable();
  return true;
}

// SEND 4/5: the kernel's buffer is full: the rest stays in ours, and the poller says when there is
// room again.
// Next: SocketTransport::write_ready (net/socket_transport.cpp)
void SocketTransport::wait_until_writable() {
  mode_.blocked = true;
  if (reading_started_) loop().io().set_writer(socket_.fd(), &writer_node());
}

void SocketTransport::after_enqueue() {
  if (has_ended()) return;
  if (flow_.should_pause(buffer_.size())) call_flow(true);
}

// SEND 5/5: there is room: more of the buffer leaves, and every drain() that waits may go on.
void SocketTransport::write_ready() {
  if (has_ended()) return;
  if (!buffer_.empty()) {  // Else a sendfile() waits for room.
    const IoResult sent = send(buffer_.bytes());
    if (sent.would_block()) return;
    if (!sent.ok())
      return fatal_error(make_os_error(sent.error), "Fatal write error on socket transport");
    buffer_.consume(static_cast<std::size_t>(sent.value));
  }
  if (buffer_.empty()) {
    mode_.blocked = false;
    loop().io().set_writer(socket_.fd(), nullptr);
  }
  if (flow_.should_resume(buffer_.size())) {
    call_flow(false);  // May write, close or abort.
  }
  if (buffer_.empty()) finish_flush();
}

void SocketTransport::finish_flush() {
  if (mode_.state == State::flushing) return end(nullptr);
  if (mode_.write_side == WriteSide::lent) return end_wait();
  if (mode_.state != State::open || mode_.write_side != WriteSide::eof_asked) return;
  try {
    send_eof();
  } catch (const OSError&) {
    fatal_error(std::current_exception(), "Fatal write error on socket transport");
  }
}

void SocketTransport::write_eof() {
  if (mode_.state != State::open) return;
  if (mode_.write_side == WriteSide::lent)
    throw RuntimeError("unable to write_eof; sendfile is in progress");
  if (mode_.write_side != WriteSide::open) return;
  mode_.write_side = WriteSide::eof_asked;
  if (send_gathered() && buffer_.empty()) send_eof();
}

void SocketTransport::send_eof() {
  mode_.write_side = WriteSide::eof_sent;
  if (const int error = socket_.shutdown(SHUT_WR); error != 0) throw_os_error(error);
}

void SocketTransport::set_gather(bool enabled) {
  mode_.immediate = !enabled;
  if (!enabled) send_gathered();
}

void SocketTransport::set_write_buffer_limits(std::optional<std::ptrdiff_t> high,
                                              std::optional<std::ptrdiff_t> low) {
  flow_.set_limits(high, low);
  if (flow_.over(buffer_.size())) send_gathered();
  after_enqueue();
}

// ---- Ending

void SocketTransport::close() {
  if (mode_.state != State::open) return;
  const NoAllocScope closing;
  const std::shared_ptr<SocketTransport> keep = self_;
  if (!send_gathered()) return;
  if (buffer_.empty()) return end(nullptr);
  mode_.state = State::flushing;
  loop().io().set_reader(socket_.fd(), nullptr);
}

void SocketTransport::abort() {
  const NoAllocScope closing;
  if (send_gathered()) end(nullptr);
}

/// What the callback had written before it threw is sent, as asyncio would have done by then.
void SocketTransport::callback_failed(const std::exception_ptr& error, const char* message) {
  send_gathered();
  fatal_error(error, message);
}

void SocketTransport::fatal_error(const std::exception_ptr& error, const char* message) {
  if (!is_a<OSError>(error)) {
    report(message, error);
  } else if (loop().get_debug()) {
    loop().log_text(LogLevel::debug, message,
                    [&] { return repr() + ": " + message + " (" + describe(error) + ")"; });
  }
  end(error);
}

/// The one way out. Whatever ends a connection, connection_lost is posted here, and only once.
void SocketTransport::end(const std::exception_ptr& error) noexcept {
  if (has_ended()) return;
  const NoAllocScope closing;
  unqueue();
  mode_.state = State::ending;
  lost_writes_ = 1;
  lost_error_ = error;
  lost_data_ = !buffer_.empty();
  buffer_.clear();
  mode_.blocked = false;
  end_wait();
  loop().io().set_reader(socket_.fd(), nullptr);
  loop().io().set_writer(socket_.fd(), nullptr);
  loop().ready().push(turn());
}

/// From the queue that it is in: that of the flushes until the end, then that of the ready ones.
void SocketTransport::unqueue() noexcept {
  if (TransportTurn::position == 0) return;
  (has_ended() ? loop().ready() : loop().flushes()).remove(turn());
}

void SocketTransport::lose() {
  if (mode_.state == State::ended) return;
  const NoAllocScope closing;
  const std::shared_ptr<SocketTransport> keep = self_;
  std::exception_ptr interrupt;
  unqueue();
  mode_.state = State::ended;
  try {
    const MayAllocScope users;
    protocol_->connection_lost(lost_error_);
  } catch (const KeyboardInterrupt&) {
    interrupt = std::current_exception();
  } catch (...) {
    report("Exception in callback SocketTransport.connection_lost(...)", std::current_exception());
  }
  loop().io().forget(socket_.fd());  // Before the close: a dup of it would stay registered.
  socket_.close();
  {
    const MayAllocScope users;  // The protocol's destructor.
    protocol_ = nullptr;
  }
  self_ = nullptr;
  if (TransportOwner* const owner = std::exchange(owner_, nullptr)) owner->transport_lost();
  if (interrupt) std::rethrow_exception(interrupt);
}

// ---- About it

void SocketTransport::set_protocol(std::shared_ptr<BaseProtocol> protocol) {
  check_protocol(protocol);
  if (mode_.state == State::ended) return;  // Nobody would let go of it again.
  // The one before may be who calls: it goes when its callback has returned.
  loop().call_soon([before = protocol_] {});
  send_gathered();
  adopt(std::move(protocol));
}

ExtraInfo SocketTransport::get_extra_info(std::string_view name) {
  if (name == "socket") {
    send_gathered();  // Whoever asks may send on it, or look at what was sent.
    if (!self_) return ExtraInfo(TransportSocket());  // It is closed.
    return ExtraInfo(TransportSocket(std::shared_ptr<Socket>(self_, &socket_)));
  }
  if (name == "sockname" && sockname_.family() != AF_UNSPEC) return ExtraInfo(sockname_);
  if (name == "peername" && peername_.family() != AF_UNSPEC) return ExtraInfo(peername_);
  return ExtraInfo();
}

std::string SocketTransport::repr() const {
  std::string text = "<SocketTransport";
  text += socket_.valid() ? " fd=" + std::to_string(socket_.fd()) : std::string(" closed");
  if (mode_.state == State::flushing || mode_.state == State::ending) text += " closing";
  return text + " peer=" + peername_.repr() + ">";
}

void SocketTransport::call_flow(bool pause) {
  if (Tracer* tracer = loop().tracer()) {
    tracer->happened(pause ? TraceEvent::pause_writing : TraceEvent::resume_writing, socket_.fd(),
                     static_cast<std::int64_t>(buffer_.size()));
  }
  const std::shared_ptr<BaseProtocol> protocol = protocol_;
  try {
    pause ? protocol->pause_writing() : protocol->resume_writing();
  } catch (const KeyboardInterrupt&) {
    throw;
  } catch (...) {
    report(pause ? "protocol.pause_writing() failed" : "protocol.resume_writing() failed",
           std::current_exception());
  }
}

void SocketTransport::report(const char* message, const std::exception_ptr& error) noexcept {
  loop().report(message, error, [this](ExceptionContext context) {
    return std::move(context).with("transport", repr()).with("protocol", protocol_->repr());
  });
}

}  // namespace weir::detail

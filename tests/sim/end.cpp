// SPDX-License-Identifier: MIT
#include <tests/sim/end.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <weir/reactor/error.hpp>

#include <tests/sim/content.hpp>
#include <tests/sim/world.hpp>

namespace weir::sim {
namespace {

/// errno of an OSError; nothing of anything else.
std::optional<int> errno_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const OSError& os) {
    return os.code().value();
  } catch (...) {
    return std::nullopt;
  }
}

bool is_planted(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Planted&) {
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace

std::shared_ptr<BaseProtocol> make_face(End& end) {
  if (end.side().style == Style::buffered) return std::make_shared<BufferedFace>(end);
  return std::make_shared<Face>(end);
}

End::End(World& world, const Side& side, std::string name)
    : world_(world),
      side_(side),
      name_(std::move(name)),
      grammar_([this](const std::string& what) { complain(what); }),
      done_(side.steps.size()) {}

void End::complain(const std::string& what) { world_.complain(name_ + ": " + what); }

const SimStream& End::truth() const { return world_.kernel.stream(*stream_); }
const SimStream& End::peer_truth() const { return world_.kernel.stream(*stream_ ^ 1U); }

// ---- What the library says

void End::made(const std::shared_ptr<Transport>& transport) {
  held_ = transport;
  transport_ = transport;
  fd_ = transport->get_extra_info("socket").socket()->fd();
  stream_ = world_.kernel.stream_of(fd_);
  if (!stream_) return complain("connection_made without a connection");
  world_.register_stream(*stream_, *this);
  world_.note(name_ + " is end " + std::to_string(*stream_));
  for (const Step& step : side_.steps) {
    if (step.when != When::after) continue;
    const TimePoint due = world_.kernel.now() + step.time;
    timers_.push_back(world_.loop.call_later(step.time, [this, &step, due] {
      if (world_.kernel.now() < due) complain("a timer is early");
      perform(step);
    }));
  }
  set_marks(*transport);
  fire(When::made);
}

void End::set_marks(Transport& transport) {
  if (side_.high != 0) transport.set_write_buffer_limits(static_cast<std::ptrdiff_t>(side_.high));
}

void End::got(std::string_view data) {
  if (reading_paused_) complain("data while reading is paused");
  if (closed_ || aborted_) complain("data after close()");
  if (data != content(*stream_ ^ 1U, received_, data.size()))
    complain("other bytes than were sent, after " + std::to_string(received_));
  received_ += data.size();
  if (received_ != truth().received)
    complain("got " + std::to_string(received_) + " bytes, the kernel gave " +
             std::to_string(truth().received));
  fire(When::data);
}

bool End::ended() {
  end_seen_ = true;
  world_.mark(Mark::ended);
  if (!truth().end_told) complain("an end that the peer has not sent");
  if (received_ != peer_truth().sent && !truth().reset) complain("the end came before the bytes");
  const End* peer = world_.peer_of(*stream_);
  if (peer != nullptr && peer->orderly() && received_ != peer->written())
    complain("the end after " + std::to_string(received_) + " bytes, though " + peer->name() +
             " wrote " + std::to_string(peer->written()));
  fire(When::eof);
  if (!side_.keeps_open) closed_ = true;
  return side_.keeps_open;
}

void End::paused() {
  world_.mark(Mark::paused);
  writing_paused_ = true;
  const auto transport = transport_.lock();
  if (transport && transport->get_write_buffer_size() <=
                       static_cast<std::size_t>(transport->get_write_buffer_limits().high))
    complain("pause_writing though the buffer is not above the high-water mark");
  fire(When::paused);
}

void End::resumed() {
  world_.mark(Mark::resumed);
  writing_paused_ = false;
  const auto transport = transport_.lock();
  if (transport && transport->get_write_buffer_size() >
                       static_cast<std::size_t>(transport->get_write_buffer_limits().low))
    complain("resume_writing though the buffer is above the low-water mark");
  resuming_ = true;  // Even when it is closing and all is sent, more is taken now.
  struct Reset {
    bool& flag;
    ~Reset() { flag = false; }
  } const reset{resuming_};
  fire(When::resumed);
}

void End::lost(const std::exception_ptr& error) {
  lost_ = true;
  lost_error_ = error;
  world_.note(name_ + " is lost: " + (error ? describe(error) : "clean"));
  check_loss(error);
  if (truth().closed) complain("connection_lost after the descriptor was closed");
  fire(When::lost);
  held_ = nullptr;
}

void End::check_loss(const std::exception_ptr& error) {
  world_.mark(error ? Mark::lost_by_error : Mark::lost_clean);
  if (!error) {
    if (!closed_ && !aborted_ && !end_seen_ && !cancelled_) complain("lost without a reason");
    if (orderly() && written_ != truth().sent)
      complain("closed in order, but of " + std::to_string(written_) + " bytes " +
               std::to_string(truth().sent) + " were sent");
    return;
  }
  if (is_planted(error)) {
    if (!broken_) complain("lost by an error that was not thrown here");
    return;
  }
  const std::optional<int> number = errno_of(error);
  const bool shutdown_failed = number == ENOTCONN && truth().reset;
  if (!number || (*number != truth().error_told && !shutdown_failed))
    complain("lost by " + describe(error) + ", but the kernel said " +
             std::to_string(truth().error_told));
}

void End::called_after_handing_over() { complain("a protocol is called after set_protocol()"); }

bool End::orderly() const {
  if (aborted_ || broken_ || !stream_) return false;
  return truth().error_told == 0 && !lost_error();
}

bool End::is_lost() const { return mixin_ ? mixin_->is_lost() : lost_; }

std::exception_ptr End::lost_error() const { return mixin_ ? mixin_->lost_error() : lost_error_; }

// ---- What it does

void End::fire(When when) {
  for (std::size_t i = 0; i < side_.steps.size(); ++i) {
    if (done_[i] || side_.steps[i].when != when) continue;
    done_[i] = true;
    return perform(side_.steps[i]);
  }
}

void End::perform(const Step& step) {
  if (step.what == Do::raise) {
    // In these two it ends the connection, if that is not ending already.
    broken_ = broken_ || step.when == When::data || step.when == When::eof;
    world_.note_raise();
    throw Planted();
  }
  const std::shared_ptr<Transport> transport = transport_.lock();
  if (transport == nullptr || (held_ == nullptr && !lost_)) return;
  switch (step.what) {
    case Do::write: write(*transport, step.amount, false); break;
    case Do::writelines: write(*transport, step.amount, true); break;
    case Do::write_eof: write_eof(*transport); break;
    case Do::close:
      closed_ = true;
      transport->close();
      break;
    case Do::abort:
      aborted_ = true;
      transport->abort();
      break;
    case Do::pause_reading:
      transport->pause_reading();
      reading_paused_ = !transport->is_closing();
      break;
    case Do::resume_reading:
      reading_paused_ = false;
      transport->resume_reading();
      break;
    case Do::set_limits:
      transport->set_write_buffer_limits(static_cast<std::ptrdiff_t>(step.amount));
      buffered_at_new_marks_ = transport->get_write_buffer_size();
      break;
    case Do::send_at_once: transport->set_gather(false); break;
    case Do::let_go: held_ = nullptr; break;
    case Do::hand_over:
      if (lost_) break;
      world_.mark(Mark::handed_over);
      ++face_;
      transport->set_protocol(make_face(*this));
      break;
    default: break;
  }
  check_sizes(*transport);
}

void End::write(Transport& transport, std::size_t bytes, bool pieces) {
  const std::string data = content(*stream_, written_, bytes);
  // Closing with nothing left to send: it has ended, and what is written is dropped.
  const bool dropped =
      transport.is_closing() && transport.get_write_buffer_size() == 0 && !resuming_;
  const bool refused = eof_written_;
  if (dropped) world_.mark(Mark::write_dropped);
  // Before the call, which may come back here by pause_writing().
  if (!dropped) written_ += bytes;
  try {
    if (pieces) {
      const std::string_view all = data;
      const std::size_t third = bytes / 3;
      transport.writelines({all.substr(0, third), {}, all.substr(third)});
    } else {
      transport.write(data);
    }
    if (refused && bytes != 0) complain("a write after write_eof() is taken");
  } catch (const RuntimeError&) {
    if (!refused) complain("a write is refused");
    if (!dropped) written_ -= bytes;
    world_.mark(Mark::write_after_eof);
  }
}

void End::write_eof(Transport& transport) {
  if (!transport.is_closing()) eof_written_ = true;
  try {
    transport.write_eof();
  } catch (const OSError& error) {  // The peer has reset the connection.
    if (error.code().value() != ENOTCONN || !truth().reset) complain(error.what());
  }
}

void End::check_sizes(Transport& transport) {
  if (transport.is_closing() || !stream_) return;
  const std::uint64_t expected = written_ - truth().sent;
  if (transport.get_write_buffer_size() != expected)
    complain("get_write_buffer_size() is " + std::to_string(transport.get_write_buffer_size()) +
             ", not " + std::to_string(expected));
}

// ---- At the end

void End::check_quiet() {
  if (!stream_ || is_lost()) {
    if (waiting) complain(to_string(waiting->what) + " waits, though the connection is lost");
    return;
  }
  const std::shared_ptr<Transport> transport = transport_.lock();
  if (transport == nullptr) return complain("the transport is gone, without connection_lost");
  const std::size_t size = transport->get_write_buffer_size();
  const bool writing_paused = mixin_ ? mixin_->writing_paused() : writing_paused_;
  const auto low = static_cast<std::size_t>(transport->get_write_buffer_limits().low);
  // New marks pause, but never resume, as in asyncio: that comes with the next bytes that leave.
  if (writing_paused && size <= low && size != buffered_at_new_marks_)
    complain("resume_writing does not come");
  if (size != 0 && world_.kernel.writable(fd_)) complain("the socket is writable, and it waits");
  if (size == 0 && transport->is_closing()) complain("connection_lost does not come");
  if (size == 0 && eof_written_ && !truth().end_sent && !truth().reset)
    complain("write_eof() is not sent");
  if (transport->is_reading() && world_.kernel.readable(fd_))
    complain("the socket is readable, and it waits");
  if (cancelled_ && !transport->is_closing()) complain("was cancelled, and is still open");
  if (waiting) check_read_wait(*waiting);
}

/// A stream waits: it must not, if it has what it waits for.
void End::check_read_wait(const Step& step) {
  const std::size_t there = available();
  const bool over = truth().end_told || reader_->exception() != nullptr;
  bool should = false;
  switch (step.what) {
    case Do::drain: should = !mixin_->writing_paused(); break;
    case Do::read: should = over || (there != 0 && step.amount != 0); break;
    case Do::readexactly: should = over || there >= step.amount; break;
    case Do::readuntil:
    case Do::readline:
      should = over || there > reader_->limit() || upcoming(there).find('\n') != std::string::npos;
      break;
    case Do::read_all: should = over; break;
    default: return;
  }
  if (should)
    complain(to_string(step.what) + " waits, though it has what it wants: " +
             std::to_string(there) + " bytes" + (over ? " and the end" : ""));
  if (step.what != Do::drain && !transport_.lock()->is_closing() && world_.kernel.readable(fd_))
    complain(to_string(step.what) + " waits, and what has come is not read");
}

void End::release(bool ends_stream) {
  const std::shared_ptr<Transport> transport = transport_.lock();
  if (transport == nullptr || !stream_ || is_lost()) return;
  world_.mark(Mark::released);
  reading_paused_ = false;
  if (side_.style != Style::stream) transport->resume_reading();
  if (ends_stream) write_eof(*transport);
}

void End::abort() {
  for (TimerHandle& timer : timers_) timer.cancel();
  const std::shared_ptr<Transport> transport = transport_.lock();
  if (transport == nullptr || !stream_ || is_lost()) return;
  aborted_ = true;
  transport->abort();
}

void End::check_over() {
  held_ = nullptr;
  if (!stream_) return;
  if (!is_lost()) return complain("connection_lost has not come");
  if (mixin_) return check_loss(mixin_->lost_error());
  try {
    grammar_.check();
  } catch (const weir::testing::GrammarError& error) {
    complain(error.what());
  }
}

// ---- Streams

void End::adopt_stream(const StreamReader& reader, const std::shared_ptr<Transport>& transport) {
  transport_ = transport;
  reader_ = reader;
  if (transport->get_protocol() == nullptr) return;  // Lost already, before anybody saw it.
  mixin_ = std::dynamic_pointer_cast<FlowControlMixin>(transport->get_protocol());
  fd_ = transport->get_extra_info("socket").socket()->fd();
  stream_ = world_.kernel.stream_of(fd_);
  if (!stream_) return complain("a stream without a connection");
  set_marks(*transport);
  world_.register_stream(*stream_, *this);
  world_.note(name_ + " is end " + std::to_string(*stream_));
}

std::size_t End::limit() const { return reader_->limit(); }

std::size_t End::available() const {
  return static_cast<std::size_t>(truth().received - received_);
}

std::string End::upcoming(std::size_t bytes) const {
  return content(*stream_ ^ 1U, received_, bytes);
}

void End::consumed(std::string_view bytes) {
  if (bytes != content(*stream_ ^ 1U, received_, bytes.size()))
    complain("read other bytes than were sent, after " + std::to_string(received_));
  received_ += bytes.size();
  if (received_ + reader_->buffered_bytes() != truth().received)
    complain("read " + std::to_string(received_) + " and buffered " +
             std::to_string(reader_->buffered_bytes()) + " bytes, the kernel gave " +
             std::to_string(truth().received));
}

void End::resynchronise() noexcept { received_ = truth().received - reader_->buffered_bytes(); }

void End::stream_ended() {
  world_.mark(Mark::ended);
  if (closed_ || aborted_) return;  // Its own doing: what comes is not read any more.
  if (!truth().end_told) return complain("a read met an end that the peer has not sent");
  if (received_ != peer_truth().sent && !truth().reset) complain("the end came before the bytes");
  const End* peer = world_.peer_of(*stream_);
  if (peer != nullptr && peer->orderly() && received_ != peer->written())
    complain("the end after " + std::to_string(received_) + " bytes, though " + peer->name() +
             " wrote " + std::to_string(peer->written()));
}

bool End::explains(const std::exception_ptr& error) const {
  const std::optional<int> number = errno_of(error);
  if (!number || !stream_) return false;
  if (*number != 0 && *number == truth().error_told) return true;
  if (*number == ENOTCONN && truth().reset) return true;
  return mixin_->is_lost() && message_of(error) == "Connection lost";
}

}  // namespace weir::sim

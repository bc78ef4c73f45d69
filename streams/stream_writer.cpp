// SPDX-License-Identifier: MIT
#include <weir/streams/stream_writer.hpp>

#include <algorithm>

#include <weir/reactor/error.hpp>

namespace weir {
namespace detail {

WriterState::WriterState(std::shared_ptr<Transport> its_transport,
                         std::shared_ptr<FlowControlMixin> its_protocol,
                         Ref<ReaderState> its_reader, EventLoop& loop)
    : Queueable(close_kind),
      transport(std::move(its_transport)),
      protocol(std::move(its_protocol)),
      reader(std::move(its_reader)),
      loop_token(loop.token()) {}

const RunnableKind WriterState::close_kind = {
    [](Runnable& runnable) {
      const std::unique_ptr<WriterState> self(static_cast<WriterState*>(&runnable));
      self->transport->close();
    },
    [](const Runnable& runnable) {
      return "<close of abandoned " + static_cast<const WriterState&>(runnable).transport->repr() +
             ">";
    },
    [](Runnable& runnable) { delete static_cast<WriterState*>(&runnable); },
};

void WriterState::destroy() noexcept {
  EventLoop* loop = loop_token->loop;
  if (loop == nullptr || loop->is_closed() || transport->is_closing()) {
    delete this;
  } else {  // Posted: the handle may go in the middle of a callback of this very transport.
    loop->ready().push(*this);
  }
}

// ---- Deadlines

WriterState::Deadline::Deadline(WriterState& writer, EventLoop& loop)
    : timer(loop, &writer, [](void* owner, TimePoint now) {
        return static_cast<WriterState*>(owner)->expire(now);
      }) {}

void WriterState::set_timeout(std::optional<Duration> timeout) {
  if ((!timeout && !deadline) || loop_token->loop == nullptr) return;
  if (!deadline) deadline = std::make_unique<Deadline>(*this, *loop_token->loop);
  deadline->timeout = timeout;
}

/// Wakes the drains that are due; the earliest deadline of the others. They are this writer's, or
/// another's of the same protocol, which has its own timer.
std::optional<TimePoint> WriterState::expire(TimePoint now) {
  std::optional<TimePoint> next;
  protocol->drain_waiters().for_each([&](const ListWait& member) {
    auto& wait = const_cast<DrainWait&>(static_cast<const DrainWait&>(member));
    if (&wait.writer != this || wait.due == TimePoint::max()) return;
    if (wait.due <= now) {
      wait.wake(make_timeout_error("drain", wait.allowed));
    } else {
      next = next ? std::min(*next, wait.due) : wait.due;
    }
  });
  return next;
}

const RunnableKind DrainWait::wake_kind = {
    [](Runnable& runnable) {
      auto& wait = static_cast<DrainWait&>(static_cast<ListWait&>(runnable));
      const bool yielded = std::exchange(wait.yielding, false);
      if (yielded && !wait.cancelled && wait.writer.must_wait()) return wait.join_list();
      wait.task->step();
    },
    describe_wait,
    nullptr,
    note_wait,
};

const Parked::Kind DrainWait::parked_kind = {
    [](Parked& parked, const std::string& message) {
      return ListWait::parked_kind.cancel(parked, message);
    },
    [](Parked& parked) noexcept {
      ListWait::parked_kind.forget(parked);
      delete &static_cast<DrainWait&>(static_cast<ListWait&>(parked));
    },
    nullptr,
    [](const Parked& parked) {
      const auto& wait = static_cast<const DrainWait&>(static_cast<const ListWait&>(parked));
      if (wait.position != 0) return std::string("its turn");
      const Transport& its = *wait.writer.transport;
      return "drain() of " + its.repr() + ": " + std::to_string(its.get_write_buffer_size()) +
             " bytes to send";
    },
};

DrainWait::DrainWait(WriterState& its_writer) noexcept
    : ListWait("drain()", wake_kind, parked_kind), writer(its_writer) {}

void DrainWait::park(PromiseBase& promise) {
  if (writer.transport->is_closing()) {
    // A loss that is due can happen meanwhile; without this pass, `write, drain` in a loop would
    // never notice it.
    yielding = true;
    current_task->future().loop().ready().push(*this);
  } else {
    join_list();
  }
  current_task->park(*this, promise);
}

void DrainWait::join_list() {
  if (writer.deadline && writer.deadline->timeout) {
    allowed = *writer.deadline->timeout;
    due = deadline_after(writer.deadline->timer.now(), allowed);
    writer.deadline->timer.due_by(due);
  }
  listed = true;
  writer.protocol->drain_waiters().push_back(*this);
}

}  // namespace detail

namespace {

void throw_if_lost(const FlowControlMixin& protocol) {
  if (!protocol.is_lost()) return;
  ConnectionResetError lost("Connection lost");
  lost.cause = protocol.lost_error();
  throw lost;
}

/// True if the connection ended well, whoever ended it.
Coro<bool> wait_for_end(WaitClosedError::Owning end, TimerHandle timer,
                        std::shared_ptr<Transport> transport) {
  const std::exception_ptr error = co_await end;
  timer.cancel();
  co_return !error && !transport->lost_data();
}

}  // namespace

/// It must wait, or has to throw.
bool Drain::look_closely() const {
  if (writer_->reader_failed()) writer_->reader->throw_stored();
  if (writer_->transport->is_closing() || writer_->must_wait()) return false;
  throw_if_lost(*writer_->protocol);
  return true;
}

/// It has waited.
void Drain::finish() {
  const std::unique_ptr<detail::DrainWait> ended(std::exchange(wait_, nullptr));
  ended->check();
  // Released: by room in the buffer, or by a clean end. Both are success.
  if (!ended->listed) throw_if_lost(*writer_->protocol);
}

// SEND 1/5: the coroutine writes its answer. Next: SocketTransport::write
// (net/socket_transport.cpp)
void StreamWriter::write(std::string_view data) const {
  if (state_->reader && state_->reader->keeps_time()) [[unlikely]]
    return write_and_note(data);
  state_->transport->write(data);
}

void StreamWriter::write_and_note(std::string_view data) const {
  state_->transport->write(data);
  state_->note_activity();
}

Coro<bool> StreamWriter::close_within(Delay delay) const {
  TimerHandle timer;
  if (EventLoop* loop = state_->loop_token->loop; loop != nullptr && !loop->is_closed()) {
    timer = loop->call_later(delay, [its = transport()] { its->abort(); });
  }
  try {
    Coro<bool> end = wait_for_end(wait_closed_error().owning(), timer, transport());
    close();  // Last: without memory to wait, nothing has happened.
    return end;
  } catch (...) {
    timer.cancel();
    throw;
  }
}

std::string StreamWriter::repr() const {
  std::string text = "<StreamWriter transport=" + state_->transport->repr();
  if (state_->reader) text += " reader=" + state_->reader->repr();
  return text + ">";
}

}  // namespace weir

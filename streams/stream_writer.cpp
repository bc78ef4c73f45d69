// SPDX-License-Identifier: MIT
#include <weir/streams/stream_writer.hpp>

#include <weir/reactor/error.hpp>

namespace weir {
namespace detail {

WriterState::WriterState(std::shared_ptr<Transport> its_transport,
                         std::shared_ptr<FlowControlMixin> its_protocol,
                         Ref<ReaderState> its_reader, EventLoop& loop)
    : transport(std::move(its_transport)),
      protocol(std::move(its_protocol)),
      reader(std::move(its_reader)),
      loop_token(loop.token()) {}

void WriterState::destroy() noexcept {
  EventLoop* loop = loop_token->loop;
  if (loop != nullptr && !loop->is_closed() && !transport->is_closing()) {
    // Posted: the handle may go in the middle of a callback of this very transport.
    try {
      loop->call_soon([abandoned = transport] { abandoned->close(); });
    } catch (const std::bad_alloc&) {
      transport->abort();
    }
  }
  delete this;
}

const RunnableKind DrainWait::wake_kind = {
    [](Runnable& runnable) {
      auto& wait = static_cast<DrainWait&>(static_cast<ListWait&>(runnable));
      const bool yielded = std::exchange(wait.yielding, false);
      if (yielded && !wait.cancelled && wait.must_wait()) return wait.join_list();
      wait.task->step();
    },
    describe_wait,
};

DrainWait::DrainWait(WriterState& its_writer) noexcept : ListWait(wake_kind), writer(its_writer) {}

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
  listed = true;
  writer.protocol->drain_waiters().push_back(*this);
}

}  // namespace detail

void Drain::await_resume() const {
  if (waited_) {
    wait_.check();
    if (wait_.listed)
      return;  // Released: by room in the buffer, or by a clean end. Both are success.
  } else if (writer_.reader && writer_.reader->exception()) {
    writer_.reader->throw_stored();
  }
  if (writer_.protocol->is_lost()) throw ConnectionResetError("Connection lost");
}

// SEND 1/5: the coroutine writes its answer. Next: SocketTransport::write
// (net/socket_transport.cpp)
void StreamWriter::write(std::string_view data) const { state_->transport->write(data); }

std::string StreamWriter::repr() const {
  std::string text = "<StreamWriter transport=" + state_->transport->repr();
  if (state_->reader) text += " reader=" + state_->reader->repr();
  return text + ">";
}

}  // namespace weir

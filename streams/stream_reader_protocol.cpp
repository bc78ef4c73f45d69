// SPDX-License-Identifier: MIT
#include <weir/streams/stream_reader_protocol.hpp>

#include <weir/reactor/error.hpp>
#include <weir/reactor/report.hpp>

namespace weir {
namespace {

void report_client_failure(EventLoop& loop, const Transport& transport,
                           const std::exception_ptr& error) {
  loop.report("Unhandled exception in client_connected_cb", error, [&](ExceptionContext context) {
    return std::move(context).with("transport", transport.repr());
  });
}

/// Hears what became of a client's task. Holds the callable, whose captures the coroutine may use.
struct ClientEnd final : detail::FutureWaiter {
  ClientEnd(std::shared_ptr<Transport> its_transport, ClientConnected its_callable) noexcept
      : FutureWaiter(end_kind),
        transport(std::move(its_transport)),
        callable(std::move(its_callable)) {}

  void task_ended() {
    if (future->status == detail::FutureBase::Status::cancelled) return transport->close();
    const std::exception_ptr error = future->fetch_exception();
    if (!error) return;
    if (!detail::is_a<KeyboardInterrupt>(error))
      report_client_failure(future->loop(), *transport, error);
    transport->close();
  }

  static const detail::RunnableKind end_kind;
  std::shared_ptr<Transport> transport;
  ClientConnected callable;
};

ClientEnd& end_of(detail::Runnable& runnable) {
  return static_cast<ClientEnd&>(static_cast<detail::FutureWaiter&>(runnable));
}

const detail::RunnableKind ClientEnd::end_kind = {
    [](detail::Runnable& runnable) {
      const std::unique_ptr<ClientEnd> self(&end_of(runnable));
      self->task_ended();
    },
    [](const detail::Runnable&) { return std::string("<end of a client>"); },
    [](detail::Runnable& runnable) { delete &end_of(runnable); },
};

}  // namespace

StreamReaderProtocol::StreamReaderProtocol(StreamReader reader, ClientConnected client_connected)
    : FlowControlMixin(&reader.state().loop()),
      reader_(std::move(reader)),
      client_connected_(std::move(client_connected)) {}

void StreamReaderProtocol::connection_made(const std::shared_ptr<Transport>& transport) {
  reader_.set_transport(*transport);
  read_block_ = &reader_.state().loop().service<detail::ReadBlock>();
  if (client_connected_) start_client(transport);
}

void StreamReaderProtocol::start_client(const std::shared_ptr<Transport>& transport) {
  EventLoop& loop = reader_.state().loop();
  try {
    StreamWriter writer(transport, shared_from_this(), reader_, &loop);
    std::optional<Coro<>> client = client_connected_(reader_, std::move(writer));
    if (!client) return;
    auto end = std::make_unique<ClientEnd>(transport, client_connected_);
    const Task<> task = loop.create_task(std::move(*client));
    task.state().add_waiter(*end.release());
  } catch (const KeyboardInterrupt&) {  // The program's, not the client's: it ends the loop.
    transport->close();
    throw;
  } catch (...) {
    report_client_failure(loop, *transport, std::current_exception());
    transport->close();
  }
}

// BYTE 4/7: the push side ends here; the pull side begins.
// Next: ReaderState::feed_borrowed (streams/reader_state.cpp)
void StreamReaderProtocol::data_received(std::string_view data) {
  // Bytes in the loop's receive block stay there until this event is drained: the reader may use
  // them in place.
  if (read_block_ != nullptr && read_block_->holds(data.data())) {
    reader_.state().feed_borrowed(data, read_block_);
  } else {
    reader_.state().feed(data);
  }
}

bool StreamReaderProtocol::eof_received() {
  reader_.feed_eof();
  return true;
}

void StreamReaderProtocol::connection_lost(const std::exception_ptr& error) {
  if (error) {
    reader_.set_exception(error);
  } else {
    reader_.feed_eof();
  }
  reader_.state().forget_transport();
  read_block_ = nullptr;
  FlowControlMixin::connection_lost(error);
}

std::string StreamReaderProtocol::repr() const {
  const Transport* transport = reader_.state().transport();
  return "<StreamReaderProtocol" +
         (transport != nullptr ? " transport=" + transport->repr() : std::string()) + ">";
}

}  // namespace weir

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

/// A client's task, which hears itself what became of it, and holds the callable, whose captures
/// the coroutine may use. A done callback would do; this is 80 bytes less for each connection.
struct ClientTask final : detail::TaskState<void> {
  static const detail::TaskKind kind_of_client;
  static const detail::RunnableKind end_kind;

  ClientTask(EventLoop& loop, Coro<> client, std::shared_ptr<Transport> its_transport,
             ClientConnected its_callable)
      : TaskState(loop, std::move(client), {}, kind_of_client),
        transport(std::move(its_transport)),
        callable(std::move(its_callable)) {}

  static void start(EventLoop& loop, Coro<> client, const std::shared_ptr<Transport>& transport,
                    const ClientConnected& callable) {
    detail::PromiseBase& outermost = *detail::CoroAccess::promise(client);
    detail::PromiseBase::claim(&outermost);
    const Task<> task(new ClientTask(loop, std::move(client), transport, callable));
    static_cast<ClientTask&>(task.state()).TaskBase::start(outermost);
  }
  /// Queues the end: the first of those who hear of it. The node of its steps is free by now.
  void queue_end() noexcept {
    Queueable::kind = &end_kind;
    add_ref();  // The queue's; run_end() or drop_end() gives it back.
    token->loop->ready().push(*this);
  }
  void end() {
    const detail::Ref<detail::FutureBase> keep(this);
    release();
    const std::shared_ptr<Transport> its_transport = std::move(transport);
    const ClientConnected its_callable = std::move(callable);
    if (status == Status::cancelled) return its_transport->close();
    const std::exception_ptr failure = fetch_exception();
    if (!failure) return;
    if (!detail::is_a<KeyboardInterrupt>(failure))
      report_client_failure(FutureBase::loop(), *its_transport, failure);
    its_transport->close();
  }

  std::shared_ptr<Transport> transport;
  ClientConnected callable;
};

ClientTask& client_of(detail::FutureBase& future) { return static_cast<ClientTask&>(future); }
ClientTask& client_of(detail::Runnable& runnable) {
  return static_cast<ClientTask&>(static_cast<detail::TaskBase&>(runnable));
}

const detail::RunnableKind ClientTask::end_kind = {
    [](detail::Runnable& runnable) { client_of(runnable).end(); },
    [](const detail::Runnable&) { return std::string("<end of a client>"); },
    [](detail::Runnable& runnable) { client_of(runnable).release(); },
};

constinit const detail::TaskKind ClientTask::kind_of_client = [] {
  detail::TaskKind of_client = kind_of_task;
  of_client.destroy = [](detail::FutureBase& future) noexcept { delete &client_of(future); };
  of_client.settled = [](detail::FutureBase& future) noexcept { client_of(future).queue_end(); };
  return of_client;
}();

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
    ClientTask::start(loop, std::move(*client), transport, client_connected_);
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

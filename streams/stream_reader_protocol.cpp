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
    if (client) loop.create_task(run_client(std::move(*client), client_connected_, transport));
  } catch (const KeyboardInterrupt&) {  // The program's, not the client's: it ends the loop.
    transport->close();
    throw;
  } catch (...) {
    report_client_failure(loop, *transport, std::current_exception());
    transport->close();
  }
}

/// What becomes of a client's coroutine. `keep` holds the callable, whose captures the coroutine
/// may use.
Coro<> StreamReaderProtocol::run_client(Coro<> client, ClientConnected keep,
                                        std::shared_ptr<Transport> transport) {
  const ClientConnected held = std::move(keep);
  try {
    co_await std::move(client);
  } catch (const CancelledError&) {
    transport->close();
    throw;
  } catch (const KeyboardInterrupt&) {
    transport->close();
    throw;
  } catch (...) {
    report_client_failure(get_running_loop(), *transport, std::current_exception());
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

// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <weir/net/read_block.hpp>
#include <weir/net/transport.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/streams/flow_control_mixin.hpp>
#include <weir/streams/stream_reader.hpp>
#include <weir/streams/stream_writer.hpp>

namespace WEIR_API weir {

/// What is called for every client: a coroutine function, or a plain one that returns nothing.
///
/// Shape     Coro<> serve(StreamReader reader, StreamWriter writer);   or a lambda of that form.
/// Lifetime  The callable is kept until the last of its coroutines has ended, so a lambda coroutine
///           may use what it captured. Name such a lambda before the co_await expression that it is
///           passed in: g++ 12 destroys capturing closures that are written inside one twice.
class ClientConnected {
 public:
  ClientConnected() = default;
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, ClientConnected> &&
             std::is_invocable_v<std::decay_t<F>&, StreamReader, StreamWriter>)
  ClientConnected(F&& callable)  // NOLINT: implicit, like std::function
      : call_(std::make_shared<Call>(
            [its = std::forward<F>(callable)](StreamReader r, StreamWriter w) mutable {
              return call(its, std::move(r), std::move(w));
            })) {}

  explicit operator bool() const noexcept { return call_ != nullptr; }
  /// The coroutine, or nothing if the callable was a plain function.
  std::optional<Coro<>> operator()(StreamReader reader, StreamWriter writer) const {
    return (*call_)(std::move(reader), std::move(writer));
  }

 private:
  using Call = std::function<std::optional<Coro<>>(StreamReader, StreamWriter)>;

  template <class F>
  static std::optional<Coro<>> call(F& callable, StreamReader reader, StreamWriter writer) {
    using Result = std::invoke_result_t<F&, StreamReader, StreamWriter>;
    static_assert(std::is_void_v<Result> || std::is_same_v<Result, Coro<>>,
                  "a client callback returns Coro<> (a coroutine) or nothing (a plain function)");
    if constexpr (std::is_void_v<Result>) {
      callable(std::move(reader), std::move(writer));
      return std::nullopt;
    } else {
      return callable(std::move(reader), std::move(writer));
    }
  }

  std::shared_ptr<Call> call_;
};

/// Turns a transport's callbacks into a reader's bytes: push becomes pull. open_connection() and
/// start_server() make these; usable by hand with create_connection().
///
/// Shape     auto made = co_await create_connection(factory, "127.0.0.1", 8888);   // a factory
///           that makes one
///           StreamWriter writer(made.transport, made.protocol, reader);
/// Errors    A client callback that throws, coroutine or plain, is reported ("Unhandled exception
///           in client_connected_cb") and its connection is closed; one that is cancelled only
///           closes it.
/// Threads   The loop's thread.
/// Lifetime  Owns the reader and the client's task. What ended the connection is never reported as
///           "not retrieved".
/// Source    CPython 3.13 streams.py StreamReaderProtocol.
class StreamReaderProtocol final : public FlowControlMixin,
                                   public std::enable_shared_from_this<StreamReaderProtocol> {
 public:
  explicit StreamReaderProtocol(StreamReader reader, ClientConnected client_connected = {});

  void connection_made(const std::shared_ptr<Transport>& transport) override;
  void data_received(std::string_view data) override;
  /// True: the connection stays open for writing.
  bool eof_received() override;
  void connection_lost(const std::exception_ptr& error) override;

  /// <StreamReaderProtocol transport=<SocketTransport fd=7 …>>, so that logs say which connection.
  std::string repr() const override;

  const StreamReader& reader() const noexcept { return reader_; }

 private:
  void start_client(const std::shared_ptr<Transport>& transport);

  StreamReader reader_;
  ClientConnected client_connected_;
  detail::ReadBlock* read_block_ = nullptr;
};

}  // namespace weir

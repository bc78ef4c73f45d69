// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <initializer_list>
#include <memory>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <weir/net/transport.hpp>
#include <weir/reactor/clock.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/pool.hpp>
#include <weir/reactor/ref.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/promise.hpp>
#include <weir/reactor/task/wait_list.hpp>
#include <weir/streams/flow_control_mixin.hpp>
#include <weir/streams/lazy_timer.hpp>
#include <weir/streams/stream_reader.hpp>

namespace WEIR_API weir {

namespace detail {

/// What StreamWriter handles share. The last one gone closes the transport: nobody is left who
/// could.
class WriterState final : public Queueable, public Counted<WriterState> {
 public:
  WriterState(std::shared_ptr<Transport> its_transport,
              std::shared_ptr<FlowControlMixin> its_protocol, Ref<ReaderState> its_reader,
              EventLoop& loop);
  void destroy() noexcept;
  void set_timeout(std::optional<Duration> timeout);
  void note_activity() const {
    if (reader) reader->note_activity();
  }

  bool reader_failed() const noexcept { return reader && reader->exception(); }
  /// Whether a drain() has nothing to wait for, and nothing to throw.
  bool flows() const noexcept {
    return protocol->flows() && !transport->is_closing() && !reader_failed();
  }
  /// Whether a drain() has to wait now.
  bool must_wait() const noexcept { return protocol->writing_paused() && !protocol->is_lost(); }

  /// How long a drain() may wait.
  struct Deadline {
    explicit Deadline(WriterState& writer, EventLoop& loop);
    LazyTimer timer;
    std::optional<Duration> timeout;
  };

  std::shared_ptr<Transport> transport;
  std::shared_ptr<FlowControlMixin> protocol;
  Ref<ReaderState> reader;  // May be none.
  Ref<LoopToken> loop_token;
  std::unique_ptr<Deadline> deadline;  // Only of writers that were given a time-out.

 private:
  static const RunnableKind close_kind;
  std::optional<TimePoint> expire(TimePoint now);
};

/// A task in drain(): first one pass if the transport is closing, then as long as writing is
/// paused. From the pool, for a drain() that has nothing to wait for, as nearly all, should cost a
/// coroutine's frame two pointers. Whoever ends the wait frees it: await_resume(), or forget.
struct DrainWait final : ListWait {
  explicit DrainWait(WriterState& its_writer) noexcept;
  static void* operator new(std::size_t bytes) { return pool_allocate(bytes); }
  static void operator delete(void* wait, std::size_t bytes) noexcept { pool_free(wait, bytes); }
  void park(PromiseBase& waiter);
  void join_list();

  WriterState& writer;
  bool yielding = false;
  bool listed = false;               // It waits, or waited, for resume_writing or connection_lost.
  TimePoint due = TimePoint::max();  // Then it has waited too long,
  Duration allowed{};                // namely for this time.

 private:
  static const RunnableKind wake_kind;
  static const Parked::Kind parked_kind;
};

}  // namespace detail

/// What drain() returns; await it in the same expression, or give it to wait_for() or outcome().
class [[nodiscard]] Drain {
 public:
  explicit Drain(detail::WriterState& writer) noexcept : writer_(&writer) {}

  bool await_ready() const { return writer_->flows() || look_closely(); }
  template <detail::WeirPromise P>
  void await_suspend(std::coroutine_handle<P> waiter,
                     std::source_location at = std::source_location::current()) {
    waiter.promise().awaits_at = at;
    auto wait = std::make_unique<detail::DrainWait>(*writer_);
    wait->park(waiter.promise());  // May throw: the loop is closed.
    wait_ = wait.release();
  }
  /// Throws what drain() throws.
  void await_resume() {
    if (wait_ != nullptr) [[unlikely]]
      finish();
  }

  class Owning;
  Owning owning() const;

 private:
  bool look_closely() const;
  void finish();

  detail::WriterState* writer_;
  detail::DrainWait* wait_ = nullptr;  // Set while it waits.
};
// g++ 12 destroys some temporaries of a co_await expression twice; this one has no destructor.
static_assert(std::is_trivially_destructible_v<Drain>);

/// A Drain that keeps its writer alive.
class [[nodiscard]] Drain::Owning {
 public:
  explicit Owning(detail::WriterState& writer) noexcept : writer_(&writer) {}
  Drain operator co_await() const noexcept { return Drain(*writer_); }

 private:
  detail::Ref<detail::WriterState> writer_;
};
inline Drain::Owning Drain::owning() const { return Owning(*writer_); }

namespace detail {

/// What wait_closed() returns: throws the error of the connection, or gives it.
template <bool throws>
class [[nodiscard]] ClosedWait {
 public:
  explicit ClosedWait(WriterState& writer) noexcept : writer_(writer) {}
  ClosedWait(const ClosedWait& other) noexcept : ClosedWait(other.writer_) {}
  ClosedWait& operator=(const ClosedWait&) = delete;
  ~ClosedWait() = default;

  bool await_ready() noexcept {
    waited_ = false;
    return writer_.protocol->is_lost();
  }
  template <WeirPromise P>
  void await_suspend(std::coroutine_handle<P> waiter,
                     std::source_location at = std::source_location::current()) {
    waiter.promise().awaits_at = at;
    waited_ = true;
    writer_.protocol->closed_waiters().push_back(wait_);
    current_task->park(wait_, waiter.promise());
  }
  auto await_resume() const {
    if (waited_) wait_.check_cancelled();
    const std::exception_ptr& error = waited_ ? wait_.error : writer_.protocol->lost_error();
    if constexpr (!throws) {
      return error;
    } else if (error) {
      std::rethrow_exception(error);
    }
  }

  class Owning;
  Owning owning() const { return Owning(writer_); }

 private:
  WriterState& writer_;
  ListWait wait_{"wait_closed()"};
  bool waited_ = false;
};

template <bool throws>
class [[nodiscard]] ClosedWait<throws>::Owning {
 public:
  explicit Owning(WriterState& writer) noexcept : writer_(&writer) {}
  ClosedWait operator co_await() const noexcept { return ClosedWait(*writer_); }

 private:
  Ref<WriterState> writer_;
};

}  // namespace detail

using WaitClosed = detail::ClosedWait<true>;
using WaitClosedError = detail::ClosedWait<false>;

/// The writing end of a stream. A handle: copies name the same connection; pass it by value.
///
/// Shape     writer.write("hello\n");  co_await writer.drain();  writer.close();  co_await
///           writer.wait_closed();
/// Errors    write() and writelines() never fail because the connection is lost: what is written
///           then is dropped. RuntimeError "Cannot call write() after write_eof()".
/// Threads   The loop's thread.
/// Lifetime  Keeps transport, protocol and reader alive. When the last handle goes and nobody has
///           closed, close() is posted: a client handler that just returns ends its connection.
/// Cost      write() is a compare and a copy; small writes of one event leave in one system call.
/// Source    CPython 3.13 streams.py StreamWriter.
class StreamWriter {
 public:
  /// By hand, after create_connection(). `reader` may be left out: drain() then does not look for
  /// its exception.
  StreamWriter(std::shared_ptr<Transport> transport, std::shared_ptr<FlowControlMixin> protocol,
               std::optional<StreamReader> reader = std::nullopt, EventLoop* loop = nullptr)
      : state_(new detail::WriterState(std::move(transport), std::move(protocol),
                                       reader ? detail::Ref<detail::ReaderState>(&reader->state())
                                              : detail::Ref<detail::ReaderState>(),
                                       loop != nullptr ? *loop : get_running_loop())) {}

  /// Accepts `data` for sending; never waits. Follow it with drain() when it may be much.
  void write(std::string_view data) const;
  /// write() of all pieces without joining them.
  void writelines(std::initializer_list<std::string_view> pieces) const {
    writelines(std::span<const std::string_view>(pieces.begin(), pieces.size()));
  }
  void writelines(std::span<const std::string_view> pieces) const {
    state_->transport->writelines(pieces);
    state_->note_activity();
  }

  /// Waits until the write buffer has fallen to the low-water mark, if it is above the high one;
  /// else does not wait, and does not give up a pass.
  ///
  /// Errors    The reader's stored exception. ConnectionResetError "Connection lost" once the
  ///           connection is gone; its .cause is what ended it, if that was an error.
  ///           CancelledError. TimeoutError: see set_write_timeout().
  /// Shape     When the transport is closing it gives up one pass first, so that a loss that is due
  ///           is seen.
  Drain drain() const noexcept { return Drain(*state_); }
  /// write() now, and drain() when awaited: a write that is held back when it goes too fast.
  ///
  /// Shape     co_await writer.write_all(page);
  /// Lifetime  `data` is copied or sent before write_all() returns.
  /// Errors    As write() and drain(). Cancelled or timed out, the bytes are on their way all the
  ///           same.
  Drain write_all(std::string_view data) const {
    write(data);
    return drain();
  }
  /// writelines() and drain().
  Drain write_all(std::span<const std::string_view> pieces) const {
    writelines(pieces);
    return drain();
  }
  /// How long a drain() may wait for room; nothing: for ever. Then it throws TimeoutError "drain()
  /// timed out after 5000 ms"; what was written stays on its way. For drains yet to come.
  ///
  /// Cost      One look at the clock for every drain that waits, and one timer per time-out.
  void set_write_timeout(std::optional<Delay> timeout) const {
    state_->set_timeout(timeout ? std::optional(timeout->value()) : std::nullopt);
  }

  /// Ends the sending side when everything is sent; reading goes on.
  void write_eof() const { state_->transport->write_eof(); }
  bool can_write_eof() const { return state_->transport->can_write_eof(); }

  /// Sends what was written, then ends the connection. Does not wait: see wait_closed().
  void close() const { state_->transport->close(); }
  bool is_closing() const { return state_->transport->is_closing(); }
  /// Waits until the connection is gone, whoever ends it.
  ///
  /// Errors    What ended the connection, if that was an error; every time.
  WaitClosed wait_closed() const noexcept { return WaitClosed(*state_); }
  /// The same, but gives the error instead of throwing it: null after a clean end.
  ///
  /// Errors    CancelledError alone.
  WaitClosedError wait_closed_error() const noexcept { return WaitClosedError(*state_); }
  /// close() now; if what was written is not sent when `delay` has passed, abort(). Nothing is
  /// thrown away before that. When awaited, waits until the connection is gone.
  ///
  /// Shape     const bool all_sent = co_await writer.close_within(5s);
  ///           True: the system took every byte. False: it was cut, or the connection had failed.
  /// Errors    CancelledError; the deadline stands all the same.
  Coro<bool> close_within(Delay delay) const;

  const std::shared_ptr<Transport>& transport() const noexcept { return state_->transport; }
  ExtraInfo get_extra_info(std::string_view name) const {
    return state_->transport->get_extra_info(name);
  }
  /// <StreamWriter transport=… reader=…>
  std::string repr() const;

 private:
  void write_and_note(std::string_view data) const;

  detail::Ref<detail::WriterState> state_;
};

}  // namespace weir

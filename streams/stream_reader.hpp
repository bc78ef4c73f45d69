// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

#include <weir/net/transport.hpp>
#include <weir/reactor/clock.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/ref.hpp>
#include <weir/streams/errors.hpp>
#include <weir/streams/read_awaitable.hpp>
#include <weir/streams/read_options.hpp>
#include <weir/streams/reader_state.hpp>
#include <weir/streams/record_ops.hpp>
#include <weir/streams/separators.hpp>

namespace weir {

inline constexpr std::ptrdiff_t default_limit_bytes = 64 * 1024;  // CPython streams.py

/// The reading end of a stream. A handle: copies name the same buffer; pass it by value.
///
/// Shape     std::string line = co_await reader.readline();
///           while (auto line = co_await reader.next_line()) use(*line);
/// Errors    The stored exception (a lost connection, set_exception()) is thrown by every read,
///           before anything that is buffered is served: the same object each time.
///           RuntimeError "read() called while another coroutine is already waiting for incoming
///           data". CancelledError: nothing is consumed. A read in wait_for() that times out leaves
///           its bytes for the next one.
/// Threads   The loop's thread. One read waits at a time.
/// Lifetime  Counted. The functions return awaitables that rest on the reader: co_await them in the
///           same expression, or give them to create_task(), wait_for() or outcome(), which keep
///           the reader alive.
/// Cost      What the buffer can answer neither suspends nor allocates, but for the std::string
///           that is the answer.
/// Source    CPython 3.13 streams.py StreamReader. Where it differs: docs/asyncio_map.md.
class StreamReader {
 public:
  /// Errors    ValueError "Limit cannot be <= 0", before anything else. RuntimeError "no running
  ///           event loop" (first form).
  explicit StreamReader(std::ptrdiff_t limit = default_limit_bytes)
      : StreamReader((detail::check_limit(limit), get_running_loop()), limit) {}
  explicit StreamReader(EventLoop& loop, std::ptrdiff_t limit = default_limit_bytes)
      : state_(new detail::ReaderState(loop, limit)) {}
  explicit StreamReader(detail::ReaderState& state) noexcept : state_(&state) {}

  // ---- Reading

  /// Reads up to `n` bytes; with -1 (any negative number), everything until the stream ends.
  ///
  /// Shape     Empty means the end of the stream, or n == 0.
  /// Units     Bytes. n may exceed the limit; read(-1) is not bounded by it.
  /// Errors    As all reads. Cancelled, read(-1) gives back what it had collected.
  ///           ReadCapError  read(-1) would collect more than set_read_cap() allows.
  auto read(std::ptrdiff_t n = -1) const noexcept {
    return detail::ReadAwaitable<detail::ReadOp>(*state_, {n});
  }

  /// Reads exactly `n` bytes. Not bounded by the limit.
  ///
  /// Errors    IncompleteReadError  the end came first; .partial has what was there, .expected is
  ///           n. ValueError "readexactly size can not be less than zero", before anything else.
  ///           ReadCapError  n is more than set_read_cap() allows.
  auto readexactly(std::ptrdiff_t n) const noexcept {
    return detail::ReadAwaitable<detail::ReadExactlyOp<detail::AsString>>(*state_, {n});
  }

  /// Reads until `separator` has been seen; returns everything up to and including it.
  ///
  /// Shape     separator: 1 byte or more. The result ends with it.
  /// Units     The limit counts the bytes before the separator.
  /// Errors    IncompleteReadError  the end came first; the buffer is emptied into .partial.
  ///           LimitOverrunError    the limit was passed; the buffer is left as it is, .consumed
  ///           says how far. ValueError "Separator should be at least one-byte string".
  /// Cost      O(bytes): of every chunk at most separator.size() - 1 bytes are looked at twice,
  ///           over wake-ups, cancellations and calls.
  auto readuntil(Separator separator = "\n") const noexcept {
    return detail::ReadAwaitable<detail::ReadUntilOp<detail::AsString>>(
        *state_, {separator.bytes(), {}, {}});
  }
  /// With a limit for this call alone.
  ///
  /// Errors    ValueError "Limit cannot be <= 0", at once.
  auto readuntil(Separator separator, const RecordOptions& options) const {
    return detail::ReadAwaitable<detail::ReadUntilOp<detail::AsString, detail::CallsLimit>>(
        *state_, {separator.bytes(), {limit_of(options)}, {}});
  }
  /// The same up to the first of several separators to end; of two that end together the shorter
  /// one counts.
  ///
  /// Errors    ValueError "Separator should contain at least one element".
  auto readuntil(const Separators& separators) const noexcept {
    return detail::ReadAwaitable<detail::ReadUntilAnyOp<detail::AsString>>(*state_,
                                                                           {separators, {}, {}});
  }
  auto readuntil(const Separators& separators, const RecordOptions& options) const {
    return detail::ReadAwaitable<detail::ReadUntilAnyOp<detail::AsString, detail::CallsLimit>>(
        *state_, {separators, {limit_of(options)}, {}});
  }

  /// Reads a line, its "\n" included. At the end of the stream: what is left, without one; then
  /// empty.
  ///
  /// Errors    ValueError  the line is longer than the limit. With its end in the buffer the line
  ///           is thrown away; without, the whole buffer is, and the rest of the line will come as
  ///           a line of its own.
  auto readline() const noexcept {
    return detail::ReadAwaitable<detail::ReadLineOp<detail::AsString>>(*state_, {});
  }
  auto readline(const RecordOptions& options) const {
    return detail::ReadAwaitable<detail::ReadLineOp<detail::AsString, detail::CallsLimit>>(
        *state_, {{limit_of(options)}, {}});
  }

  /// readline() for loops: nothing at the end of the stream.
  auto next_line() const noexcept {
    return detail::ReadAwaitable<detail::ReadLineOp<detail::AsOptional>>(*state_, {});
  }
  auto next_line(const RecordOptions& options) const {
    return detail::ReadAwaitable<detail::ReadLineOp<detail::AsOptional, detail::CallsLimit>>(
        *state_, {{limit_of(options)}, {}});
  }

  /// readuntil() and readline() without a copy.
  ///
  /// Lifetime  The view ends at the next call on the reader or the next suspension, whichever comes
  ///           first.
  /// Cost      No allocation.
  auto readuntil_view(Separator separator = "\n") const noexcept {
    return detail::ReadAwaitable<detail::ReadUntilOp<detail::AsView>>(*state_,
                                                                      {separator.bytes(), {}, {}});
  }
  auto readuntil_view(Separator separator, const RecordOptions& options) const {
    return detail::ReadAwaitable<detail::ReadUntilOp<detail::AsView, detail::CallsLimit>>(
        *state_, {separator.bytes(), {limit_of(options)}, {}});
  }
  auto readuntil_view(const Separators& separators) const noexcept {
    return detail::ReadAwaitable<detail::ReadUntilAnyOp<detail::AsView>>(*state_,
                                                                         {separators, {}, {}});
  }
  auto readuntil_view(const Separators& separators, const RecordOptions& options) const {
    return detail::ReadAwaitable<detail::ReadUntilAnyOp<detail::AsView, detail::CallsLimit>>(
        *state_, {separators, {limit_of(options)}, {}});
  }
  auto readline_view() const noexcept {
    return detail::ReadAwaitable<detail::ReadLineOp<detail::AsView>>(*state_, {});
  }
  auto readline_view(const RecordOptions& options) const {
    return detail::ReadAwaitable<detail::ReadLineOp<detail::AsView, detail::CallsLimit>>(
        *state_, {{limit_of(options)}, {}});
  }

  /// readuntil(), readline() and readexactly() into the caller's string: what it held is replaced,
  /// its memory is used again. The result is its new size.
  ///
  /// Shape     std::string line;   while (const auto n = co_await reader.readline_into(line)) {…}
  /// Errors    As of the form without `_into`; `into` is then as it was.
  /// Lifetime  `into` must outlive the read, in a task too.
  /// Cost      One copy; an allocation only where `into` has never been as long.
  auto readuntil_into(std::string& into, Separator separator = "\n") const noexcept {
    return detail::ReadAwaitable<detail::ReadUntilOp<detail::IntoString>>(
        *state_, {separator.bytes(), {}, {&into}});
  }
  auto readuntil_into(std::string& into, Separator separator, const RecordOptions& options) const {
    return detail::ReadAwaitable<detail::ReadUntilOp<detail::IntoString, detail::CallsLimit>>(
        *state_, {separator.bytes(), {limit_of(options)}, {&into}});
  }
  auto readuntil_into(std::string& into, const Separators& separators) const noexcept {
    return detail::ReadAwaitable<detail::ReadUntilAnyOp<detail::IntoString>>(
        *state_, {separators, {}, {&into}});
  }
  auto readuntil_into(std::string& into, const Separators& separators,
                      const RecordOptions& options) const {
    return detail::ReadAwaitable<detail::ReadUntilAnyOp<detail::IntoString, detail::CallsLimit>>(
        *state_, {separators, {limit_of(options)}, {&into}});
  }
  auto readline_into(std::string& into) const noexcept {
    return detail::ReadAwaitable<detail::ReadLineOp<detail::IntoString>>(*state_, {{}, {&into}});
  }
  auto readline_into(std::string& into, const RecordOptions& options) const {
    return detail::ReadAwaitable<detail::ReadLineOp<detail::IntoString, detail::CallsLimit>>(
        *state_, {{limit_of(options)}, {&into}});
  }
  auto readexactly_into(std::string& into, std::ptrdiff_t n) const noexcept {
    return detail::ReadAwaitable<detail::ReadExactlyOp<detail::IntoString>>(*state_, {n, {&into}});
  }

  // ---- Records that are too long, and looking ahead: what asyncio does not have

  /// Throws away everything up to and including the next `separator`; returns how many bytes that
  /// was. After a LimitOverrunError it leads to the next record.
  ///
  /// Errors    IncompleteReadError  the end came first; everything is gone, .discarded counts it.
  ///           ValueError "Separator should be at least one-byte string". Any error, and
  ///           cancellation, leave what was thrown away thrown away; the next call goes on there.
  /// Cost      Constant memory, however long the record. No byte is searched twice, not even those
  ///           that a readuntil() of the same separator has been through.
  auto discard_until(Separator separator = "\n") const noexcept {
    return detail::ReadAwaitable<detail::DiscardOp>(*state_, {separator.bytes()});
  }

  /// Reads a record in pieces: the whole of it, with .last set, if at most the limit precedes the
  /// separator; otherwise the next `limit` bytes, without.
  ///
  /// Shape     The pieces of a record, joined, are the record. How the bytes have come does not
  ///           show.   RecordPiece piece = co_await reader.readuntil_piece("\n");
  /// Errors    IncompleteReadError  the end came first; .partial is what was left, empty between
  ///           two records. ValueError as for readuntil().
  auto readuntil_piece(Separator separator = "\n", const RecordOptions& options = {}) const {
    return detail::ReadAwaitable<detail::PieceOp<RecordPiece>>(
        *state_, {separator.bytes(), limit_of(options)});
  }
  /// The same without a copy.
  auto readuntil_piece_view(Separator separator = "\n", const RecordOptions& options = {}) const {
    return detail::ReadAwaitable<detail::PieceOp<RecordPieceView>>(
        *state_, {separator.bytes(), limit_of(options)});
  }

  /// The next `n` bytes, which stay where they are. Fewer only at the end of the stream.
  ///
  /// Units     Bytes. n may exceed the limit: a peek that waits resumes a paused transport.
  /// Errors    ValueError "peek size can not be less than zero". ReadCapError as readexactly().
  auto peek(std::ptrdiff_t n) const noexcept {
    return detail::ReadAwaitable<detail::PeekOp<detail::AsString>>(*state_, {n});
  }
  auto peek_view(std::ptrdiff_t n) const noexcept {
    return detail::ReadAwaitable<detail::PeekOp<detail::AsView>>(*state_, {n});
  }
  /// Puts `bytes` before what is buffered, as if they were yet to be read: those that the last read
  /// gave, or others. A read that waits looks again; of read(-1) they are then the beginning. Also
  /// after the end of the stream.
  ///
  /// Lifetime  They are copied; a view that this reader gave may be put back.
  /// Cost      O(buffered); the buffer is searched from its beginning again.
  void unread(std::string_view bytes) const { state_->unread(bytes); }

  // ---- Options, off at first: what asyncio does not have

  /// What readexactly() and peek() may ask for, and read(-1) may collect; nothing: all they want.
  /// It is what stands between a length that a peer has sent and the memory of the program.
  ///
  /// Errors    ValueError "Cap cannot be <= 0".
  void set_read_cap(std::optional<std::ptrdiff_t> bytes) const;
  /// Serves what is buffered before the stored exception, which is then thrown by the first read
  /// that the buffer alone cannot answer. That read leaves the buffer as it is: read(n) gives the
  /// rest. The exception also comes before the end of the stream. read(-1) and drain() throw at
  /// once, as ever.
  void set_buffer_first(bool enabled = true) const noexcept { state_->set_buffer_first(enabled); }
  /// How long a read may wait; nothing: for ever. Then it throws TimeoutError "readuntil() timed
  /// out after 5000 ms", as if cancelled: the stream stays as it is, and the next read has its own
  /// time. Bytes that come without being enough do not prolong it.
  ///
  /// Cost      One look at the clock for every read that waits, and one timer per time-out, not per
  ///           read.
  void set_read_timeout(std::optional<Delay> timeout) const {
    state_->set_read_timeout(timeout ? std::optional(timeout->value()) : std::nullopt);
  }
  /// How long the stream may be silent, with nothing received and nothing written by its
  /// StreamWriter. Then TimeoutError "the idle stream timed out after 60000 ms" becomes the stored
  /// exception, which every read and drain() throws from then on. The connection is left to whoever
  /// closes it: there may be a last word to say. Once it is lost, the time is not kept any more.
  ///
  /// Cost      One look at the clock for every chunk and every write, and one timer per time-out.
  void set_idle_timeout(std::optional<Delay> timeout) const {
    state_->set_idle_timeout(timeout ? std::optional(timeout->value()) : std::nullopt);
  }

  /// The stream has ended and nothing is left. After an error without an end it stays false.
  bool at_eof() const noexcept { return state_->at_eof(); }
  /// The stored exception, or null.
  std::exception_ptr exception() const noexcept { return state_->exception(); }

  // ---- Feeding: what a protocol does

  /// Adds bytes. Above twice the limit the transport is paused, until a read has brought it down to
  /// the limit, or waits.
  ///
  /// Errors    AssertionError "feed_data after feed_eof".
  void feed_data(std::string_view data) const { state_->feed(data); }
  /// The stream ends here. Harmless the second time.
  void feed_eof() const { state_->feed_eof(); }
  /// Every read fails with `error` from now on, one that waits included; one that has been woken
  /// and has enough does not.
  ///
  /// Errors    ValueError "invalid exception object" for a null pointer.
  void set_exception(std::exception_ptr error) const { state_->set_exception(std::move(error)); }
  template <class E>
    requires(!std::is_same_v<std::remove_cvref_t<E>, std::exception_ptr>)
  void set_exception(E&& error) const {
    set_exception(std::make_exception_ptr(std::forward<E>(error)));
  }
  /// Whom to pause. It must outlive the reader, or its connection_lost must come first.
  ///
  /// Errors    AssertionError "Transport already set".
  void set_transport(Transport& transport) const { state_->set_transport(transport); }

  // ---- Looking

  /// What is received and not yet read.
  std::size_t buffered_bytes() const noexcept { return state_->buffered_bytes(); }
  /// How many bytes searches have looked at. For one separator no more than have come, over
  /// wake-ups, calls, time-outs and cancellations; a byte counts for each separator of a set that
  /// it was looked at for.
  std::uint64_t bytes_scanned() const noexcept { return state_->bytes_scanned(); }
  std::size_t limit() const noexcept { return state_->limit(); }
  /// <StreamReader 9 bytes eof limit=4 paused>
  std::string repr() const { return state_->repr(); }

  detail::ReaderState& state() const noexcept { return *state_; }

 private:
  std::size_t limit_of(const RecordOptions& options) const {
    return options.limit ? detail::check_limit(*options.limit) : state_->limit();
  }

  detail::Ref<detail::ReaderState> state_;
};

}  // namespace weir

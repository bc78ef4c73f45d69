// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

#include <weir/net/transport.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/ref.hpp>
#include <weir/streams/errors.hpp>
#include <weir/streams/read_awaitable.hpp>
#include <weir/streams/read_ops.hpp>
#include <weir/streams/reader_extensions.hpp>
#include <weir/streams/reader_state.hpp>
#include <weir/streams/record_ops.hpp>
#include <weir/streams/separators.hpp>

namespace WEIR_API weir {

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
/// Source    CPython 3.13 streams.py StreamReader. Where it differs: docs/asyncio_map.md. What it
/// has
///           besides: reader_extensions.hpp.
class StreamReader : public ReaderExtensions {
 public:
  /// Errors    ValueError "Limit cannot be <= 0", before anything else; the environment's WEIR_SIMD
  ///           names no search that this processor has. RuntimeError "no running event loop" (first
  ///           form).
  explicit StreamReader(std::ptrdiff_t limit = default_limit_bytes)
      : StreamReader((detail::check_limit(limit), get_running_loop()), limit) {}
  explicit StreamReader(EventLoop& loop, std::ptrdiff_t limit = default_limit_bytes)
      : StreamReader(*new detail::ReaderState(loop, limit)) {}
  explicit StreamReader(detail::ReaderState& state) noexcept : ReaderExtensions(state) {}

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

  /// read(), readuntil() and readline() without a copy.
  ///
  /// Errors    read_view(): ValueError "read size can not be less than zero". read(-1) collects in
  ///           a string of its own, and has no view.
  /// Lifetime  The view ends at the next call on the reader or the next suspension, whichever comes
  ///           first.
  /// Cost      No allocation.
  auto read_view(std::ptrdiff_t n) const noexcept {
    return detail::ReadAwaitable<detail::ReadSomeOp<detail::AsView>>(*state_, {n});
  }
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
};

}  // namespace weir

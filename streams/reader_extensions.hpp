// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/ref.hpp>
#include <weir/streams/read_awaitable.hpp>
#include <weir/streams/read_ops.hpp>
#include <weir/streams/read_options.hpp>
#include <weir/streams/reader_state.hpp>
#include <weir/streams/record_ops.hpp>
#include <weir/streams/separators.hpp>

namespace WEIR_API weir {

/// What a StreamReader has that asyncio's does not: answers in the caller's string, records that
/// are too long, looking ahead, and options, which are off at first.
///
/// Threads   As all of StreamReader, whose part this is.
/// Lifetime  The same.
class ReaderExtensions {
 public:
  // ---- Into a string that is there

  /// readuntil(), readline(), readexactly() and read() into the caller's string: what it held is
  /// replaced, its memory is used again. The result is its new size.
  ///
  /// Shape     std::string line;   while (const auto n = co_await reader.readline_into(line)) {…}
  /// Errors    As of the form without `_into`; `into` is then as it was. read_into(): ValueError
  ///           "read size can not be less than zero".
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
  auto read_into(std::string& into, std::ptrdiff_t n) const noexcept {
    return detail::ReadAwaitable<detail::ReadSomeOp<detail::IntoString>>(*state_, {n, {&into}});
  }

  // ---- Records that are too long, and looking ahead

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

  // ---- Options, off at first

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

 protected:
  explicit ReaderExtensions(detail::ReaderState& state) noexcept : state_(&state) {}

  std::size_t limit_of(const RecordOptions& options) const {
    return options.limit ? detail::check_limit(*options.limit) : state_->limit();
  }

  detail::Ref<detail::ReaderState> state_;
};

}  // namespace weir

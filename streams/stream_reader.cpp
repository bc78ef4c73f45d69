// SPDX-License-Identifier: MIT
#include <weir/streams/stream_reader.hpp>

namespace weir::detail {
namespace {

// CPython streams.py; tests/messages.tsv lists them.
constexpr const char* overrun_found_text = "Separator is found, but chunk is longer than limit";
constexpr const char* overrun_not_found_text = "Separator is not found, and chunk exceed the limit";

const char* overrun_text(Verdict verdict) {
  return verdict == Verdict::overrun_found ? overrun_found_text : overrun_not_found_text;
}

[[noreturn]] void throw_incomplete(ReaderState& reader, std::optional<std::size_t> expected) {
  std::string partial = reader.take_rest();
  throw IncompleteReadError(std::move(partial), expected);
}

}  // namespace

void throw_exactly_failure(ReaderState& reader, Verdict verdict, std::ptrdiff_t wanted) {
  if (verdict == Verdict::bad_argument)
    throw ValueError("readexactly size can not be less than zero");
  if (verdict == Verdict::over_cap) {
    throw ReadCapError("readexactly() wants", static_cast<std::size_t>(wanted), reader.cap());
  }
  if (verdict == Verdict::incomplete) throw_incomplete(reader, static_cast<std::size_t>(wanted));
  reader.throw_stored();
}

void throw_read_failure(ReaderState& reader, Verdict verdict, std::ptrdiff_t wanted,
                        const void* read) {
  if (wanted < 0) {
    reader.give_back_collected(read);
    if (verdict == Verdict::over_cap) {
      throw ReadCapError("read(-1) has", reader.buffered_bytes(), reader.cap());
    }
  }
  reader.throw_stored();
}

void throw_some_failure(ReaderState& reader, Verdict verdict) {
  if (verdict == Verdict::bad_argument) throw ValueError("read size can not be less than zero");
  reader.throw_stored();
}

void throw_until_failure(ReaderState& reader, Verdict verdict, std::size_t limit,
                         bool any_separator) {
  switch (verdict) {
    case Verdict::bad_argument:
      throw ValueError(any_separator ? "Separator should be at least one-byte string"
                                     : "Separator should contain at least one element");
    case Verdict::incomplete: throw_incomplete(reader, std::nullopt);
    case Verdict::overrun_found:
    case Verdict::overrun_not_found:
      throw LimitOverrunError(overrun_text(verdict), reader.amount(),
                              {.limit = limit,
                               .buffered = reader.buffered_bytes(),
                               .separator_found = verdict == Verdict::overrun_found});
    default: reader.throw_stored();
  }
}

void throw_peek_failure(ReaderState& reader, Verdict verdict, std::ptrdiff_t wanted) {
  if (verdict == Verdict::bad_argument) throw ValueError("peek size can not be less than zero");
  if (verdict == Verdict::over_cap) {
    throw ReadCapError("peek() wants", static_cast<std::size_t>(wanted), reader.cap());
  }
  reader.throw_stored();
}

void throw_discard_failure(ReaderState& reader, Verdict verdict, std::uint64_t discarded) {
  if (verdict == Verdict::incomplete) {
    discarded += reader.take_all().size();
    throw IncompleteReadError(std::string(), std::nullopt, discarded);
  }
  throw_until_failure(reader, verdict, reader.limit());
}

std::string_view end_of_line_or_throw(ReaderState& reader, Verdict verdict) {
  if (verdict == Verdict::incomplete) return reader.take_all();
  if (verdict == Verdict::failed) {
    try {
      reader.throw_stored();
    } catch (const IncompleteReadError& incomplete) {
      return incomplete
          .partial;  // Lives as long as the reader: it is the reader's stored exception.
    }
  }
  reader.discard_overrun(verdict);
  throw ValueError(overrun_text(verdict));
}

}  // namespace weir::detail

// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <weir/reactor/error.hpp>
#include <weir/reactor/export.hpp>

namespace WEIR_API weir {

/// The stream ended before the read was complete. What had arrived is in `partial`.
///
/// Shape     what() is "2 bytes read on a total of 3 expected bytes"; without an expected size
///           (readuntil) it says "undefined". `discarded` is what discard_until() has thrown away,
///           which counts as read.
/// Source    CPython 3.13 exceptions.py IncompleteReadError.
struct IncompleteReadError : EOFError {
  IncompleteReadError(std::string its_partial, std::optional<std::size_t> its_expected,
                      std::uint64_t its_discarded = 0)
      : EOFError(std::to_string(its_partial.size() + its_discarded) + " bytes read on a total of " +
                 (its_expected ? std::to_string(*its_expected) : std::string("undefined")) +
                 " expected bytes"),
        partial(std::move(its_partial)),
        expected(its_expected),
        discarded(its_discarded) {}

  std::string partial;
  std::optional<std::size_t> expected;
  std::uint64_t discarded;
};

/// More than the limit came before the separator. The buffer is as it was.
///
/// Units     consumed: with the separator found, the bytes before it; otherwise the bytes that
///           certainly hold no start of it. readexactly(consumed) takes them. limit: the call's or
///           the reader's. buffered: all that the reader held. Made without numbers, limit is 0.
/// Source    CPython 3.13 exceptions.py LimitOverrunError, which has only `consumed`.
struct LimitOverrunError : std::runtime_error {
  struct Numbers {
    std::size_t limit = 0;
    std::size_t buffered = 0;
    bool separator_found = false;
  };

  LimitOverrunError(const std::string& message, std::size_t its_consumed)
      : LimitOverrunError(message, its_consumed, Numbers()) {}
  LimitOverrunError(const std::string& message, std::size_t its_consumed, const Numbers& numbers)
      : std::runtime_error(message),
        consumed(its_consumed),
        limit(numbers.limit),
        buffered(numbers.buffered),
        separator_found(numbers.separator_found) {}

  /// what(), which is asyncio's text, and the numbers: "Separator is found, but chunk is longer
  /// than limit (limit 4, separator at 6, 9 bytes buffered)".
  std::string describe() const;

  std::size_t consumed;
  std::size_t limit;
  std::size_t buffered;
  bool separator_found;
};

/// readexactly(), peek() or read(-1) would hold more than the reader's cap. Nothing is taken.
///
/// Shape     what() is "readexactly() wants 5000000 bytes, more than the cap of 65536", "read(-1)
///           has 70000 bytes, more than the cap of 65536".
/// Units     bytes: asked for; of read(-1), received so far.
struct ReadCapError : std::runtime_error {
  /// `who`: "readexactly() wants".
  ReadCapError(const std::string& who, std::size_t its_bytes, std::size_t its_cap);

  std::size_t bytes;
  std::size_t cap;
};

}  // namespace weir

// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include <weir/reactor/error.hpp>

namespace weir {

/// The stream ended before the read was complete. What had arrived is in `partial`.
///
/// Shape     what() is "2 bytes read on a total of 3 expected bytes"; without an expected size
///           (readuntil) it says
///           "undefined".
/// Source    CPython 3.13 exceptions.py IncompleteReadError.
struct IncompleteReadError : EOFError {
  IncompleteReadError(std::string its_partial, std::optional<std::size_t> its_expected)
      : EOFError(std::to_string(its_partial.size()) + " bytes read on a total of " +
                 (its_expected ? std::to_string(*its_expected) : std::string("undefined")) +
                 " expected bytes"),
        partial(std::move(its_partial)),
        expected(its_expected) {}

  std::string partial;
  std::optional<std::size_t> expected;
};

/// More than the limit came before the separator. The buffer is as it was.
///
/// Units     consumed: with the separator found, the bytes before it; otherwise the bytes that
///           certainly hold no start of it. readexactly(consumed) takes them.
/// Source    CPython 3.13 exceptions.py LimitOverrunError.
struct LimitOverrunError : std::runtime_error {
  LimitOverrunError(const std::string& message, std::size_t its_consumed)
      : std::runtime_error(message), consumed(its_consumed) {}

  std::size_t consumed;
};

}  // namespace weir

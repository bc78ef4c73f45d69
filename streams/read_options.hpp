// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {

/// What one call of readuntil(), readline() and their kin does differently.
///
/// Shape     std::string head = co_await reader.readuntil("\r\n\r\n", {.limit = 8192});
struct RecordOptions {
  std::optional<std::ptrdiff_t> limit;  // Instead of the reader's; more or less than that.
};
static_assert(std::is_trivially_destructible_v<RecordOptions>);  // g++ 12: see
                                                                 // docs/adr/0006-option-structs.md

/// A record, or a part of one that is longer than the limit.
struct RecordPiece {
  RecordPiece(std::string_view its_bytes, bool is_last) : bytes(its_bytes), last(is_last) {}
  std::string bytes;
  bool last;  // The record ends here; `bytes` ends with the separator.
};

/// The same without a copy.
///
/// Lifetime  The view ends at the next call on the reader or the next suspension.
struct RecordPieceView {
  std::string_view bytes;
  bool last;
};

}  // namespace weir

// Internal: used by the receive block, so that a view that outlived its time is caught.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {
namespace detail {

/// Marks memory that nobody may read or write until unpoison(). AddressSanitizer then reports
/// whoever does; without it both do nothing. The build picks the file: poison_asan.cpp or
/// poison_none.cpp.
void poison(const void* memory, std::size_t bytes) noexcept;
void unpoison(const void* memory, std::size_t bytes) noexcept;
/// Whether they do anything: who would only run to call them need not.
extern const bool poisons;

}  // namespace detail
}  // namespace weir

// Internal: used by the loop.
// SPDX-License-Identifier: MIT
#pragma once

#include <weir/reactor/kernel.hpp>

namespace weir::detail {

/// `kernel`, or what the environment variable WEIR_TRACE wants to stand before it.
///
/// Threads   Any.
/// Lifetime  What is made is kept until the process ends: sockets may outlive their loop.
Kernel& traced_as_wished(Kernel& kernel);

}  // namespace weir::detail

// Internal: used by the simulations.
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>

#include <tests/sim/script.hpp>

namespace weir::sim {

/// Whether a script still fails.
using Fails = std::function<bool(const Script&)>;

/// The same failure with less: fewer faults, then fewer actors, then fewer steps, then plainer
/// ones. Whatever is left is needed, as far as single cuts can tell.
///
/// Shape     `script` fails. At most `most_runs` others are tried.
Script shrink(Script script, const Fails& fails, int most_runs = 3000);

}  // namespace weir::sim

// Internal: used by scenes.cpp.
// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include "stage.hpp"

/// What one step of docs/tutorial does, done with weir.
struct Step {
  const char* name;
  void (*begin)(Stage& stage);
  weir::Duration ends;  // When the story is over.
};

std::span<const Step> tutorial_steps();

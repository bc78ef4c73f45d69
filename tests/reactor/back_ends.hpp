// Internal: used by tests of the pollers.
// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <span>

#include <weir/reactor/poller/poller.hpp>

struct BackEnd {
  const char* name;
  std::unique_ptr<weir::Poller> (*make)();
};

/// Those over a real kernel that this program is to test, the best one first. The build picks the
/// file.
std::span<const BackEnd> back_ends();

// Internal: used by the programs of the book.
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/log.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>

namespace book {

/// A loop on a kernel in memory, whose clock moves when everybody waits.
class Stage {
 public:
  Stage() {
    loop.set_exception_handler([this](weir::EventLoop&, const weir::ExceptionContext& report) {
      reports.push_back(report.message);
    });
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  ~Stage() { loop.close(); }

  /// Runs until `time` has passed on the kernel's clock, and all that happens before that.
  void run_for(weir::Duration time) {
    loop.call_later(time, [this] { loop.stop(); });
    loop.run_forever();
  }
  /// One pass, which does not wait.
  void pass() {
    loop.stop();
    loop.run_forever();
  }

  weir::FakeKernel kernel;
  std::string trace;                 // What ran, in order.
  std::vector<std::string> reports;  // What the loop had nobody else to tell.
  weir::EventLoop loop{kernel};      // Last, so that it goes first.
};

}  // namespace book

// Internal: used by the scenarios of faults and by the tiers that run them.
// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/reactor/task/future.hpp>

#include <tests/faults/exempt.hpp>

namespace weir::faults {

/// Where an error came out.
enum class Place {
  call,    // of a function of weir's that the program called or awaited
  lost,    // in connection_lost
  loop,    // of run_forever()
  report,  // in the exception handler
  log,     // in a warning or an error of the log
};
const char* to_string(Place place) noexcept;

/// An error that somebody was told of.
struct Told {
  Place place;
  std::string where;  // Which call, which connection, which message.
  std::exception_ptr error;

  /// "lost server: BrokenPipeError: [Errno 32] Broken pipe"
  std::string text() const;
  /// errno or the EAI_… number; 0 for what is no OSError.
  int code() const;
};

/// One direction of one connection: what went in at one end and came out at the other.
struct Flow {
  std::string name;
  std::string sent;
  std::string received;
};

/// Who judges a run. The scenario tells it what it sees; afterwards whoever has made the run asks.
/// It holds nothing against an error that comes where it may: that depends on what was made to
/// fail, and is the asker's to say. What must never be, it notes as wrong.
///
/// Threads   One.
class Oracle {
 public:
  // ---- What a scenario tells

  /// Something that no fault excuses.
  void wrong(std::string_view what);
  void told(Place place, std::string_view where, const std::exception_ptr& error);
  /// A word of what a run comes to that goes well. With no fault, or with one that weir lives
  /// through, all the words of a scenario are the same in every run.
  void result(std::string_view word);
  Flow& flow(std::string_view name);
  void made() noexcept { ++made_; }
  void lost() noexcept { ++lost_; }
  /// It must be done when the loop is closed.
  template <class T>
  void must_end(std::string_view name, const Future<T>& future) {
    const Exempt exempt;
    futures_.push_back({std::string(name), [future] {
                          // What it failed with is the scenario's to tell: not retrieved is not
                          // news.
                          if (future.done() && !future.cancelled()) {
                            static_cast<void>(future.exception());
                          }
                          return future.done();
                        }});
  }

  // ---- What the end of a run asks of every run

  /// connection_lost for every connection_made, futures done, what was received is the beginning
  /// of what was sent. To be called when the loop is closed.
  void check_end();

  // ---- What was seen

  const std::vector<std::string>& violations() const noexcept { return violations_; }
  const std::vector<Told>& errors() const noexcept { return errors_; }
  const std::string& results() const noexcept { return results_; }
  /// Every flow has arrived as it was sent.
  bool all_arrived() const;

 private:
  struct Ending {
    std::string name;
    std::function<bool()> done;
  };

  std::vector<std::string> violations_;
  std::vector<Told> errors_;
  std::string results_;
  std::deque<Flow> flows_;  // A deque: they stay where they are.
  std::vector<Ending> futures_;
  int made_ = 0;
  int lost_ = 0;
};

}  // namespace weir::faults

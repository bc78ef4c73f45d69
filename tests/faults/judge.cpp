// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cerrno>

#include <weir/reactor/error.hpp>

#include <tests/faults/sweep.hpp>

// What a fault explains. The reactions are those of known_faults.cpp.

namespace weir::faults {
namespace {

std::vector<std::string> texts_of(const Record& run, bool without_accept_reports) {
  std::vector<std::string> texts;
  for (const Told& told : run.errors) {
    const bool accept = told.place == Place::report && told.where.starts_with("socket.accept() ");
    if (!accept || !without_accept_reports) texts.push_back(told.text());
  }
  std::sort(texts.begin(), texts.end());
  return texts;
}

/// Nothing shows that anything has failed.
bool as_clean(const Record& clean, const Record& run, bool without_accept_reports = false) {
  return run.results == clean.results && run.all_arrived &&
         texts_of(run, without_accept_reports) == texts_of(clean, without_accept_reports);
}

/// Whether this tells of the fault: by its text, or by its number where weir has a text of its own.
bool tells_of(const Told& told, const KnownFault& known, const std::string& own_text) {
  const auto has = [text = told.text()](const std::string& words) {
    return !words.empty() && text.find(words) != std::string::npos;
  };
  return has(text_of(known)) || has(own_text) ||
         (known.value != 0 && has("[Errno " + std::to_string(known.value) + "]"));
}

std::ptrdiff_t count_of(const Record& run, Place place) {
  return std::count_if(run.errors.begin(), run.errors.end(),
                       [place](const Told& told) { return told.place == place; });
}

/// What weir says in place of the errno, where it does.
std::string own_text_of(const KnownFault& known) {
  if (known.where == FaultWhere::reuse_port) return "reuse_port not supported";
  if (known.where == FaultWhere::local) return "already in use";  // Of a path that may be stale.
  if (known.call == Call::getsockname) return "which port";
  if (known.where == FaultWhere::other) return "Stream Socket was expected";
  if (known.call == Call::signal_action && known.value == EINVAL) return "cannot be caught";
  const bool one_address_less = known.reaction == Reaction::next_address &&
                                (known.call == Call::bind || known.call == Call::socket);
  return one_address_less ? "could not bind on any" : "";
}

/// Nothing, or what should have become of a fault that has struck once.
std::string broken_promise(const KnownFault& known, const Record& clean, const Record& run) {
  const std::string own_text = own_text_of(known);
  const auto times = [&](const Record& which, Place place) {
    return std::count_if(which.errors.begin(), which.errors.end(), [&](const Told& told) {
      return told.place == place && tells_of(told, known, own_text);
    });
  };
  const auto lands = [&](auto... places) { return ((times(run, places) != 0) || ...); };
  const bool unseen = as_clean(clean, run);
  // "There is no such file", of one that there is: what comes of that is not weir's doing.
  const bool lies =
      known.value == ENOENT && (known.call == Call::stat || known.call == Call::unlink);
  // "Nobody listens there", where somebody does: his path is taken for a stale one.
  if (lies || run.results == "taken ") return "";
  const bool may_be_told = known.where == FaultWhere::local || known.call == Call::getsockname;
  if (may_be_told && lands(Place::call)) return "";
  switch (known.reaction) {
    case Reaction::retry:
    case Reaction::ignore:
    case Reaction::next_connection: return unseen ? "" : "nobody should have noticed";
    case Reaction::wait:
      return as_clean(clean, run, true) && lands(Place::report)
                 ? ""
                 : "should have been reported, and tried again";
    case Reaction::other_way:
      return unseen || lands(Place::call) ? "" : "should have gone another way";
    case Reaction::next_address:  // One address less, where there are several.
      if (run.all_arrived && texts_of(run, false) == texts_of(clean, false)) return "";
      [[fallthrough]];
    case Reaction::fail_call:
      return unseen || lands(Place::call, Place::log) ? "" : "a call should have failed with it";
    case Reaction::log: return unseen || lands(Place::log) ? "" : "should have been logged";
    case Reaction::close_transport:
      if (!lands(Place::lost, Place::call)) return "should have ended a connection";
      if (times(run, Place::lost) > times(clean, Place::lost) + 1) {
        return "has ended more than one connection";
      }
      return count_of(run, Place::report) <= count_of(clean, Place::report)
                 ? ""
                 : "should not have been reported";
    case Reaction::refuse:
      return unseen || lands(Place::call, Place::lost, Place::report)
                 ? ""
                 : "somebody should have been told";
    case Reaction::stop_loop: return lands(Place::loop) ? "" : "should have stopped the loop";
    case Reaction::end_stream:
    case Reaction::time_passes: return "";
  }
  return "";
}

}  // namespace

std::vector<std::string> judge(const FaultCase& fault, const Record& clean, const Record& run) {
  std::vector<std::string> wrong = run.violations;
  // A timer that was set by a clock that was an hour ahead.
  if (fault.known != nullptr && fault.known->call == Call::now) {
    std::erase(wrong, "a timer is left over when all should have ended");
  }
  const bool may_stop = fault.known != nullptr && fault.known->reaction == Reaction::stop_loop;
  if (!may_stop && count_of(run, Place::loop) != 0) wrong.push_back("the loop has stopped");
  if (fault.known != nullptr && !fault.lasting) {
    const std::string broken = broken_promise(*fault.known, clean, run);
    if (!broken.empty()) wrong.push_back(broken);
  }
  if (wrong.empty()) return {};
  for (const Told& told : run.errors) wrong.push_back("  told: " + told.text());
  wrong.push_back("  results: " + run.results + "(clean: " + clean.results + ")");
  return wrong;
}

}  // namespace weir::faults

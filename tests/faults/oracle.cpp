// SPDX-License-Identifier: MIT
#include <tests/faults/oracle.hpp>

#include <algorithm>

#include <weir/reactor/error.hpp>

namespace weir::faults {

const char* to_string(Place place) noexcept {
  switch (place) {
    case Place::call: return "call";
    case Place::lost: return "lost";
    case Place::loop: return "loop";
    case Place::report: return "report";
    case Place::log: return "log";
  }
  return "?";
}

std::string Told::text() const {
  std::string text = std::string(to_string(place)) + " " + where;
  if (!error) return text;
  text += ": " + describe(error);
  try {
    std::rethrow_exception(error);
  } catch (const ConnectionResetError& lost) {  // drain()'s "Connection lost".
    if (lost.cause) text += ", because of " + describe(lost.cause);
  } catch (...) {
  }
  return text;
}

int Told::code() const {
  if (!error) return 0;
  try {
    std::rethrow_exception(error);
  } catch (const OSError& its) {
    return its.code().value();
  } catch (...) {
    return 0;
  }
}

void Oracle::wrong(std::string_view what) {
  const Exempt exempt;
  violations_.emplace_back(what);
}

void Oracle::told(Place place, std::string_view where, const std::exception_ptr& error) {
  const Exempt exempt;
  errors_.push_back({place, std::string(where), error});
}

void Oracle::result(std::string_view word) {
  const Exempt exempt;
  results_.append(word).append(" ");
}

Flow& Oracle::flow(std::string_view name) {
  const Exempt exempt;
  const auto found = std::find_if(flows_.begin(), flows_.end(),
                                  [name](const Flow& flow) { return flow.name == name; });
  if (found != flows_.end()) return *found;
  flows_.push_back({std::string(name), {}, {}});
  return flows_.back();
}

void Oracle::check_end() {
  const Exempt exempt;
  if (made_ != lost_) {
    wrong(std::to_string(made_) + " connections were made, " + std::to_string(lost_) + " lost");
  }
  for (const Ending& future : futures_) {
    if (!future.done()) wrong(future.name + " is pending after the loop was closed");
  }
  for (const Flow& flow : flows_) {
    if (!flow.sent.starts_with(flow.received)) {
      wrong(flow.name + ": received '" + flow.received.substr(0, 60) +
            "' is not a beginning of what was sent, '" + flow.sent.substr(0, 60) + "'");
    }
  }
}

bool Oracle::all_arrived() const {
  return std::all_of(flows_.begin(), flows_.end(),
                     [](const Flow& flow) { return flow.sent == flow.received; });
}

}  // namespace weir::faults

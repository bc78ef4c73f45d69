// SPDX-License-Identifier: MIT
#include <tests/equivalence/model.hpp>

#include <algorithm>
#include <utility>

namespace equivalence {

using weir::Interest;

bool Model::applies(const Step& step) const {
  const Channel& channel = channels_.at(step.slot);
  if (step.action == Action::poll) return true;
  if (step.action == Action::open) return !channel.is_open;
  if (!channel.is_open) return false;
  switch (step.action) {
    case Action::feed:
    case Action::eof: return !channel.ended;
    // Only between unix sockets: when TCP has room again is the kernel's secret. And not after
    // shut: what a full socket says then differs from system to system.
    case Action::fill:
      return channel.family == Family::unix_pair && !channel.full && !channel.shut && !channel.gone;
    case Action::drain: return channel.full && !channel.gone;
    case Action::shut: return !channel.shut && !channel.full;
    case Action::hang_up: return !channel.gone;
    // After the end of the stream Linux tells a reset as that end, other systems as ECONNRESET.
    case Action::reset: return channel.family == Family::tcp && !channel.ended && !channel.gone;
    case Action::dup: return !channel.duplicated;
    case Action::drop: return channel.duplicated;
    default: return true;
  }
}

std::string Model::apply(const Step& step) {
  Channel& channel = channels_.at(step.slot);
  switch (step.action) {
    case Action::open: open(step.slot, step.family); break;
    case Action::watch: set_interest(step.slot, step.interest); break;
    case Action::feed: channel.inbox += feed_bytes; break;
    case Action::read: return name_of(step.slot) + " reads " + read(channel);
    case Action::fill: channel.full = true; break;
    case Action::drain: channel.full = false; break;
    case Action::eof: channel.ended = true; break;
    case Action::shut: channel.shut = true; break;
    case Action::hang_up:
      // What the peer has not read is lost: both kinds of socket say so by a reset.
      channel.error = channel.full;
      channel.ended = channel.gone = true;
      break;
    case Action::reset: channel.error = channel.ended = channel.gone = true; break;
    case Action::close: close(step.slot); break;
    case Action::replace: {
      const Interest interest = watches_.at(step.slot).wanted;
      close(step.slot);
      open(step.slot, step.family);
      set_interest(step.slot, interest);
      break;
    }
    case Action::dup: channel.duplicated = true; break;
    case Action::drop: channel.duplicated = false; break;
    case Action::poll: break;
  }
  return {};
}

void Model::open(std::size_t slot, Family family) {
  channels_.at(slot) = {};
  channels_.at(slot).is_open = true;
  channels_.at(slot).family = family;
  ++incarnations_.at(slot);
}

void Model::close(std::size_t slot) {
  set_interest(slot, Interest::none);
  channels_.at(slot) = {};
}

void Model::set_interest(std::size_t slot, Interest interest) {
  Watch& watch = watches_.at(slot);
  // One by one, reading first: what is missing is added, then what is too much taken away.
  for (const Interest one : {Interest::read, Interest::write}) {
    const bool read = one == Interest::read;
    const bool has = read ? wants_read(watch.wanted) : wants_write(watch.wanted);
    const bool wants = read ? wants_read(interest) : wants_write(interest);
    if (has || !wants) continue;
    watch.wanted =
        weir::interest_of(read || wants_read(watch.wanted), !read || wants_write(watch.wanted));
    if (watch.wanted == watch.registered) ++watch.generation;
    watch.registered = watch.wanted;
  }
  if (watch.wanted == interest) return;
  watch.wanted = interest;
  if (interest != Interest::none) return;
  watch.registered = Interest::none;
  ++watch.generation;
}

std::string Model::read(Channel& channel) {
  if (channel.inbox > 0) return std::to_string(std::exchange(channel.inbox, 0)) + " bytes";
  if (std::exchange(channel.error, false)) return "ECONNRESET";
  return channel.ended ? "the end" : "nothing";
}

void Model::defer(const Step& step) { deferred_.push_back(step); }

Step Model::take_deferred(std::size_t slot, bool writer) {
  const auto found = std::find_if(deferred_.begin(), deferred_.end(), [=](const Step& step) {
    return step.when == slot && step.when_writer == writer;
  });
  if (found == deferred_.end()) return {};
  Step step = *found;
  deferred_.erase(found);
  step.deferred = false;
  return step;
}

void Model::flush() {
  for (Watch& watch : watches_) watch.registered = watch.wanted;
}

std::string callback_name(std::size_t slot, std::size_t incarnation, bool writer) {
  return name_of(slot) + std::to_string(incarnation) + (writer ? " w" : " r");
}

namespace {

/// A loop on top of the model, as event_loop.hpp and poller.hpp describe it.
class Loop {
 public:
  void perform(const Step& step) {
    if (step.deferred) return model_.defer(step);
    if (!model_.applies(step)) return;
    if (step.action == Action::poll) return poll();
    const std::string line = model_.apply(step);
    if (!line.empty()) trace_.push_back(line);
  }

  Trace take() { return std::move(trace_); }

 private:
  struct Event {
    std::size_t slot;
    std::uint64_t generation;
    bool readable;
    bool writable;
  };

  std::vector<Event> batch() const {
    std::vector<Event> events;
    for (std::size_t slot = 0; slot < slot_count; ++slot) {
      const Watch& watch = model_.watch(slot);
      const bool readable = wants_read(watch.registered) && model_.channel(slot).readable();
      const bool writable = wants_write(watch.registered) && model_.channel(slot).writable();
      if (readable || writable) events.push_back({slot, watch.generation, readable, writable});
    }
    return events;
  }

  void poll() {
    model_.flush();
    callbacks_.clear();
    std::uint64_t stale = 0;
    // The lines of what the callbacks read stand before the line of the poll.
    for (const Event& event : batch()) {
      if (!is_current(event)) {
        ++stale;
        continue;
      }
      if (event.readable && wants_read(model_.watch(event.slot).wanted)) call(event.slot, false);
      if (event.writable && is_current(event) && wants_write(model_.watch(event.slot).wanted)) {
        call(event.slot, true);
      }
    }
    trace_.push_back(poll_line(callbacks_, stale));
  }

  bool is_current(const Event& event) const {
    return model_.watch(event.slot).generation == event.generation;
  }

  void call(std::size_t slot, bool writer) {
    callbacks_.push_back(callback_name(slot, model_.incarnation(slot), writer));
    const Step step = model_.take_deferred(slot, writer);
    if (step.action != Action::poll) perform(step);
  }

  Model model_;
  Trace trace_;
  std::vector<std::string> callbacks_;
};

}  // namespace

Trace expected(const Script& script) {
  Loop loop;
  for (const Step& step : script) loop.perform(step);
  for (const Step& step : epilogue()) loop.perform(step);
  return loop.take();
}

std::string poll_line(const std::vector<std::string>& callbacks, std::uint64_t stale) {
  std::string line = "poll:";
  for (const std::string& callback : callbacks) line += " " + callback + ",";
  if (stale > 0) line += " stale " + std::to_string(stale) + ",";
  if (line.back() != ',') return line + " nothing";
  line.pop_back();
  return line;
}

Script epilogue() {
  Script steps(1);  // A poll, and one more when everything was read.
  for (std::size_t slot = 0; slot < slot_count; ++slot) {
    Step step;
    step.action = Action::read;
    step.slot = slot;
    steps.push_back(step);
  }
  steps.emplace_back();
  for (std::size_t slot = 0; slot < slot_count; ++slot) {
    Step step;
    step.action = Action::close;
    step.slot = slot;
    steps.push_back(step);
  }
  steps.emplace_back();
  return steps;
}

}  // namespace equivalence

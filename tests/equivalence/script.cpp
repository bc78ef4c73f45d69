// SPDX-License-Identifier: MIT
#include <tests/equivalence/script.hpp>

#include <algorithm>
#include <string_view>

namespace equivalence {
namespace {

constexpr std::array<std::string_view, action_count> names = {
    "open",    "watch", "feed",  "read",    "fill", "drain", "eof", "shut",
    "hang up", "reset", "close", "replace", "dup",  "drop",  "poll"};

struct Weight {
  Action action;
  std::size_t weight;
};

// Many polls and watches: what comes between two of them is one state. Nothing is excluded; a step
// that makes no sense where it stands does nothing.
constexpr Weight weights[] = {
    {Action::open, 6},    {Action::watch, 14}, {Action::feed, 12}, {Action::read, 8},
    {Action::fill, 5},    {Action::drain, 5},  {Action::eof, 4},   {Action::shut, 3},
    {Action::hang_up, 3}, {Action::reset, 3},  {Action::close, 3}, {Action::replace, 5},
    {Action::dup, 2},     {Action::drop, 1},   {Action::poll, 22},
};

Action random_action(Random& random, bool with_dup, bool deferred) {
  std::size_t total = 0;
  for (const Weight& entry : weights) total += entry.weight;
  while (true) {
    std::size_t at = random.below(total);
    for (const Weight& entry : weights) {
      if (at < entry.weight) {
        const bool fits = (entry.action != Action::poll || !deferred) &&
                          (entry.action != Action::dup || with_dup);
        if (fits) return entry.action;
        break;
      }
      at -= entry.weight;
    }
  }
}

Step random_step(Random& random, std::size_t slots, bool with_dup) {
  Step step;
  step.deferred = random.one_in(5);
  step.action = random_action(random, with_dup, step.deferred);
  step.slot = random.below(slots);
  step.family = random.one_in(3) ? Family::tcp : Family::unix_pair;
  // More often something than nothing.
  step.interest = static_cast<weir::Interest>(random.one_in(6) ? 0 : 1 + random.below(3));
  step.when = random.below(slots);
  step.when_writer = random.one_in(3);
  return step;
}

std::string_view name_of(weir::Interest interest) {
  constexpr std::array<std::string_view, 4> words = {"nothing", "r", "w", "rw"};
  return words.at(static_cast<std::size_t>(interest));
}

}  // namespace

std::string name_of(std::size_t slot) { return {static_cast<char>('A' + slot)}; }

std::string to_string(const Step& step) {
  std::string text;
  if (step.deferred) {
    text = "when " + name_of(step.when) + (step.when_writer ? " writes: " : " reads: ");
  }
  text += names.at(static_cast<std::size_t>(step.action));
  if (step.action == Action::poll) return text;
  text += " " + name_of(step.slot);
  if (step.action == Action::watch) text += " " + std::string(name_of(step.interest));
  if (step.action == Action::open || step.action == Action::replace) {
    text += step.family == Family::tcp ? " tcp" : " unix";
  }
  return text;
}

bool uses(const Script& script, Action action) {
  return std::any_of(script.begin(), script.end(),
                     [action](const Step& step) { return step.action == action; });
}

std::uint64_t Random::next() noexcept {
  std::uint64_t mixed = (state_ += 0x9e3779b97f4a7c15U);
  mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
  mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
  return mixed ^ (mixed >> 31U);
}

Script make_script(std::uint64_t seed, std::uint64_t index) {
  Random random(Random(seed).next() + index);
  const std::size_t slots = 2 + random.below(slot_count - 1);
  const bool with_dup = random.one_in(3);
  Script script;
  for (std::size_t slot = 0; slot < slots; ++slot) {
    Step step = random_step(random, slots, with_dup);
    step.deferred = false;
    step.slot = slot;
    step.action = Action::open;
    script.push_back(step);
    step.action = Action::watch;
    script.push_back(step);
  }
  const std::size_t length = 8 + random.below(32);
  while (script.size() < length) script.push_back(random_step(random, slots, with_dup));
  return script;
}

}  // namespace equivalence

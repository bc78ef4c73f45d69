// SPDX-License-Identifier: MIT
#include <tests/faults/sweep.hpp>

#include <charconv>

#include <weir/reactor/sim/fault_kernel.hpp>

#include <tests/support/allocations.hpp>

namespace weir::faults {
namespace {

constexpr std::uint64_t max_awaits = 500;

Fault fault_of(const FaultCase& its) {
  return {.call = its.known->call,
          .kind = its.known->kind,
          .value = its.known->value,
          .number = its.number,
          .times = its.lasting ? Fault::always : 1,
          .where = its.known->where};
}

/// Up to the next colon, which is taken away.
std::string_view next_word(std::string_view& text) {
  const std::size_t end = text.find(':');
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return word;
}

}  // namespace

std::string FaultCase::text() const {
  if (known == nullptr) return "cancel:" + std::to_string(number);
  return std::string(to_string(known->call)) + ":" + std::to_string(number) + ":" +
         name_of(*known) + (lasting ? ":always" : "");
}

std::optional<FaultCase> parse_case(std::string_view text) {
  const std::string_view call = next_word(text);
  const std::string_view number = next_word(text);
  FaultCase found;
  std::from_chars(number.data(), number.data() + number.size(), found.number);
  if (call == "cancel") return found;
  const std::string_view name = next_word(text);
  found.lasting = text == "always";
  for (const KnownFault& known : known_faults()) {
    if (to_string(known.call) == call && name_of(known) == name) {
      found.known = &known;
      return found;
    }
  }
  return std::nullopt;
}

Sweep::Sweep(const Scenario& scenario) : scenario_(scenario) {
  // Twice: what the first run keeps for good, in this program's libraries, is not the scenario's.
  static_cast<void>(record(nullptr, calls_));
  clean_ = record(nullptr, calls_);
  FaultCase cancel;
  while (awaits_ < max_awaits) {
    cancel.number = awaits_ + 1;
    if (!record(&cancel, nullptr).struck) break;
    ++awaits_;
  }
}

std::vector<FaultCase> Sweep::cases(std::string_view call) const {
  std::vector<FaultCase> all;
  for (const KnownFault& known : known_faults()) {
    if (!call.empty() && call != to_string(known.call)) continue;
    for (std::uint64_t number = 1; number <= calls(known.call); ++number) {
      all.push_back({&known, number, false});
      if (may_last(known)) all.push_back({&known, number, true});
    }
  }
  if (call.empty() || call == "cancel") {
    for (std::uint64_t number = 1; number <= awaits_; ++number) all.push_back({nullptr, number});
  }
  return all;
}

Record Sweep::record(const FaultCase* fault, std::uint64_t* calls) const {
  FakeKernel machine;
  FaultKernel kernel(machine);
  Oracle oracle;
  RunOptions options;
  const bool cancels = fault != nullptr && fault->known == nullptr;
  // Byte by byte, many waits are no sign of a loop that spins.
  const bool bytewise = fault != nullptr && !cancels && fault->known->kind == FaultKind::one_byte;
  if (bytewise) options.max_waits *= 10;
  if (cancels) options.cancel_at = static_cast<std::uint32_t>(fault->number);
  if (fault != nullptr && !cancels) kernel.plan(fault_of(*fault));
  const bool reached = run(scenario_, {machine, kernel, oracle}, options);
  for (std::size_t i = 0; calls != nullptr && i < call_count; ++i) {
    calls[i] = kernel.count(static_cast<Call>(i));
  }
  return {oracle.results(), oracle.errors(), oracle.violations(), oracle.all_arrived(),
          cancels ? reached : kernel.struck() != 0};
}

Sweep::Verdict Sweep::play_once(const FaultCase& fault) const {
  const Record seen = record(&fault, nullptr);
  return {seen.struck, seen.struck ? judge(fault, clean_, seen) : seen.violations};
}

Sweep::Verdict Sweep::play(const FaultCase& fault) const {
  std::size_t kept = 0;
  // What a library keeps from the first failure of a kind, it does not keep from the second.
  for (int round = 0; round < 2; ++round) {
    const std::size_t before = test::allocated_bytes();
    Verdict verdict = play_once(fault);
    if (!verdict.wrong.empty()) return verdict;
    kept = test::allocated_bytes() - before;
    if (kept == 0) return verdict;
  }
  return {true, {std::to_string(kept) + " bytes were not given back"}};
}

}  // namespace weir::faults

// SPDX-License-Identifier: MIT
#include <weir/streams/match_mask.hpp>

#include <cstdlib>
#include <string>
#include <string_view>

#include <weir/reactor/error.hpp>
#include <weir/streams/match_kernels.hpp>

namespace weir::detail {
namespace {

// The best one first. The only place in streams/ that asks which processor this is.
//
// There is none for AVX-512: wider vectors were measured (Zen 4), and gained nothing over AVX2.
#if defined(__x86_64__)
constexpr const MatchKernels* kernels[] = {&avx2_kernels, &sse2_kernels, &scalar_kernels};

/// How many of the first ones this processor does not run. SSE2 belongs to every x86-64.
std::size_t too_good() noexcept { return __builtin_cpu_supports("avx2") ? 0 : 1; }

#elif defined(__aarch64__) && defined(__ARM_NEON)
constexpr const MatchKernels* kernels[] = {&neon_kernels, &scalar_kernels};
std::size_t too_good() noexcept { return 0; }

#else
constexpr const MatchKernels* kernels[] = {&scalar_kernels};
std::size_t too_good() noexcept { return 0; }
#endif

}  // namespace

constinit std::atomic<const MatchKernels*> chosen_match_kernels{nullptr};

std::span<const MatchKernels* const> available_match_kernels() noexcept {
  return std::span(kernels).subspan(too_good());
}

const MatchKernels& select_match_kernels(std::string_view wanted) {
  const std::span<const MatchKernels* const> available = available_match_kernels();
  if (wanted.empty()) return *available.front();  // `WEIR_SIMD= program` is how shells unset.
  std::string allowed;
  for (const MatchKernels* candidate : available) {
    if (candidate->name == wanted) return *candidate;
    if (!allowed.empty()) allowed += ", ";
    allowed += candidate->name;
  }
  throw ValueError("WEIR_SIMD is \"" + std::string(wanted) + "\"; allowed here: " + allowed);
}

const MatchKernels& match_kernels() {
  if (const MatchKernels* chosen = chosen_match_kernels.load(std::memory_order_relaxed)) {
    return *chosen;
  }
  const char* const wanted = std::getenv("WEIR_SIMD");
  const MatchKernels& chosen = select_match_kernels(wanted == nullptr ? "" : wanted);
  chosen_match_kernels.store(&chosen, std::memory_order_relaxed);
  return chosen;
}

}  // namespace weir::detail

// SPDX-License-Identifier: MIT
//
// The usual vector search for short needles: 32 positions at a time are compared with the first and
// the last byte of the separator; where both fit, all of it is compared.
#include <immintrin.h>

#include <bench/readuntil/bare_buffer.hpp>
#include <bench/readuntil/sides.hpp>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace weir::bench {
namespace {

class TwoBytes {
 public:
  explicit TwoBytes(std::string_view separator) : separator_(separator) {}

  __attribute__((target("avx2,bmi"))) const char* operator()(const char* begin,
                                                             const char* end) const {
    constexpr std::ptrdiff_t width = 32;
    const auto last = static_cast<std::ptrdiff_t>(separator_.size()) - 1;
    const __m256i first_bytes = _mm256_set1_epi8(separator_.front());
    const __m256i last_bytes = _mm256_set1_epi8(separator_.back());
    const char* at = begin;
    for (; end - at >= last + width; at += width) {
      const __m256i first_fits = _mm256_cmpeq_epi8(load(at), first_bytes);
      const __m256i last_fits = _mm256_cmpeq_epi8(load(at + last), last_bytes);
      auto fits =
          static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_and_si256(first_fits, last_fits)));
      for (; fits != 0; fits &= fits - 1) {
        const char* const start = at + std::countr_zero(fits);
        if (is_at(start)) return start;
      }
    }
    for (; end - at > last; ++at) {
      if (*at == separator_.front() && is_at(at)) return at;
    }
    return end;
  }

 private:
  __attribute__((target("avx2"))) static __m256i load(const char* at) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
  }
  bool is_at(const char* start) const {
    return std::memcmp(start, separator_.data(), separator_.size()) == 0;
  }

  std::string_view separator_;
};

struct TwoBytesView {
  template <class Sink>
  void operator()(const Workload& workload, Sink& sink) {
    buffer.clear();
    take_from_chunks(buffer, workload, TwoBytes(workload.separator()),
                     [&](std::string_view record) { sink(record); });
  }
  BareBuffer buffer;
};

bool can(const Workload& workload) {
  return several_bytes(workload) && __builtin_cpu_supports("avx2");
}

}  // namespace

Side two_bytes_side() {
  return std::make_unique<SimpleContestant<TwoBytesView>>("two bytes, AVX2", can);
}

}  // namespace weir::bench

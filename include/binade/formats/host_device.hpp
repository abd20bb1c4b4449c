// What lets one text serve g++, clang++ and nvcc: the function attributes and the bit casts that
// every scalar core uses. Nothing here knows about number formats.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define BINADE_HD __host__ __device__ __forceinline__
#else
// Forced inlining is a matter of correctness, not of taste: the array loops are compiled once per
// instruction set, and an out-of-line copy made for AVX-512 must never be the one the linker keeps.
#define BINADE_HD inline __attribute__((always_inline))
#endif

namespace binade {

/// Reinterprets the bits of one trivially copyable value as another of the same size.
template <class To, class From>
BINADE_HD constexpr To bit_cast(const From& from) noexcept {
  static_assert(sizeof(To) == sizeof(From), "a bit cast keeps the size");
  return __builtin_bit_cast(To, from);
}

template <class T>
BINADE_HD constexpr T min_of(T a, T b) noexcept {
  return b < a ? b : a;
}

template <class T>
BINADE_HD constexpr T max_of(T a, T b) noexcept {
  return a < b ? b : a;
}

/// Number of significant bits: 0 for 0, 1 for 1, 4 for 8 to 15.
BINADE_HD constexpr int bit_width_of(std::uint64_t v) noexcept {
  int width = 0;
  for (int step = 32; step != 0; step >>= 1) {
    if ((v >> step) != 0) {
      v >>= step;
      width += step;
    }
  }
  return width + static_cast<int>(v);
}

}  // namespace binade

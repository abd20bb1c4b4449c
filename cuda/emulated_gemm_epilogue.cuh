// What follows the chains of an emulated GEMM: promotion, scales, the output's rounding. Private to
// this folder.
#pragma once

#include "binade/emulation/gemm_plan.hpp"

namespace binade::cuda::detail {

struct Scales {
  const float* values;  ///< null: 1 everywhere
  ScaleLayout layout;

  __device__ float at(std::size_t row, std::size_t k) const {
    return values == nullptr ? 1.0f : values[layout.index(row, k)];
  }
};

/// Outputs that the lanes leave to the scalar text: their places in D, as far as there is room.
struct Leftovers {
  unsigned long long* places;
  unsigned long long* count;  ///< of all, those for which there was no room too
  unsigned long long room;

  __device__ void add(std::size_t place) const {
    const unsigned long long at = atomicAdd(count, 1ull);
    if (at < room) places[at] = place;
  }
};

/// s joined by one chain, under the scales of its k where the order has them there.
template <ScaleOrder order>
__device__ __forceinline__ float joined(float s, float chain, float sa, float sb) {
  if constexpr (order == ScaleOrder::kPromoteFmaProduct) return fmaf(sa * sb, chain, s);
  if constexpr (order == ScaleOrder::kPromoteFmaAThenB) return fmaf(chain * sa, sb, s);
  if constexpr (order == ScaleOrder::kPromoteFmaBThenA) return fmaf(chain * sb, sa, s);
  return s + chain;
}

struct Epilogue {
  std::size_t m, n, k;
  std::size_t interval;
  bool promotes;
  ScaleOrder order;
  Scales a, b;
  FloatFormat output;
  void* d;

  /// Scales that come last.
  __device__ float scale(float s, std::size_t row, std::size_t col) const {
    if (scales_at_promotion(order) || (a.values == nullptr && b.values == nullptr)) return s;
    const float sa = a.at(row, 0), sb = b.at(col, 0);
    return order == ScaleOrder::kEpilogueBThenA ? (s * sb) * sa : s * (sa * sb);
  }

  __device__ void store(std::size_t place, float s) const {
    const std::uint32_t bits = __float_as_uint(s);
    constexpr FloatFormat kFp32 = kFp32Format;
    if (output == kFp32) {
      static_cast<std::uint32_t*>(d)[place] = s != s ? 0x7fffffffu : bits;
      return;
    }
    const std::uint64_t word =
        container_of_code(output, convert(kFp32, bits, output, output_rules(output)));
    switch (output.container_bits()) {
      case 8:
        static_cast<std::uint8_t*>(d)[place] = static_cast<std::uint8_t>(word);
        break;
      case 16:
        static_cast<std::uint16_t*>(d)[place] = static_cast<std::uint16_t>(word);
        break;
      case 32:
        static_cast<std::uint32_t*>(d)[place] = static_cast<std::uint32_t>(word);
        break;
      default:
        static_cast<std::uint64_t*>(d)[place] = word;
    }
  }
};

}  // namespace binade::cuda::detail

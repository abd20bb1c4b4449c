// Short runs of numbers in registers: loaded and stored in one access, widened to fp32 and narrowed
// from it by the instructions of the device. Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "binade/formats/catalog.hpp"
#include "binade/formats/codec.hpp"
#include "containers.cuh"
#include "ptx/cvt.cuh"
#include "ptx/max.cuh"

namespace binade::cuda {

template <class Tag>
inline constexpr int kBytes = Tag::format.container_bits() / 8;

/// `count` containers of a format, 4 to 16 bytes.
template <class Tag, int count>
struct Packed {
  static constexpr int kWords = count * kBytes<Tag> / 4;
  static_assert(kWords == 1 || kWords == 2 || kWords == 4, "one access");
  std::uint32_t word[kWords];

  __device__ std::uint32_t container(int i) const {
    constexpr int kEach = 4 / kBytes<Tag>;
    constexpr std::uint32_t kMask =
        static_cast<std::uint32_t>((std::uint64_t{1} << 8 * kBytes<Tag>)-1);
    return word[i / kEach] >> (i % kEach * 8 * kBytes<Tag>)&kMask;
  }
};

template <int words>
using AccessOf =
    std::conditional_t<words == 4, uint4, std::conditional_t<words == 2, uint2, unsigned>>;

/// Loads vector `index` of an array of them.
template <class Vector>
__device__ Vector load_vector(const void* array, std::size_t index) {
  using Access = AccessOf<Vector::kWords>;
  return bit_cast<Vector>(__ldg(static_cast<const Access*>(array) + index));
}

template <class Vector>
__device__ void store_vector(void* array, std::size_t index, const Vector& v) {
  using Access = AccessOf<Vector::kWords>;
  static_cast<Access*>(array)[index] = bit_cast<Access>(v);
}

__device__ __forceinline__ float low_half(std::uint32_t f16x2) {
  return ptx::cvt_f32_f16(static_cast<std::uint16_t>(f16x2));
}
__device__ __forceinline__ float high_half(std::uint32_t f16x2) {
  return ptx::cvt_f32_f16(static_cast<std::uint16_t>(f16x2 >> 16));
}

/// The values as fp32, exactly; a NaN stays one, but its bits may change.
template <class Tag, int count>
__device__ void widen(const Packed<Tag, count>& v, float (&x)[count]) {
  if constexpr (std::is_same_v<Tag, Fp32>) {
    for (int i = 0; i < count; ++i) x[i] = bit_cast<float>(v.word[i]);
  } else if constexpr (std::is_same_v<Tag, Bf16>) {
    for (int i = 0; i < count; i += 2) {
      x[i] = bit_cast<float>(v.word[i / 2] << 16);
      x[i + 1] = bit_cast<float>(v.word[i / 2] & 0xffff0000u);
    }
  } else if constexpr (std::is_same_v<Tag, Fp16>) {
    for (int i = 0; i < count; i += 2) {
      x[i] = low_half(v.word[i / 2]);
      x[i + 1] = high_half(v.word[i / 2]);
    }
  } else {
    for (int i = 0; i < count; i += 2) {
      const auto pair = static_cast<std::uint16_t>(v.word[i / 4] >> (i % 4 * 8));
      const std::uint32_t halves = std::is_same_v<Tag, E4M3> ? ptx::cvt_rn_f16x2_e4m3x2(pair)
                                                             : ptx::cvt_rn_f16x2_e5m2x2(pair);
      x[i] = low_half(halves);
      x[i + 1] = high_half(halves);
    }
  }
}

/// Two numbers by the format's instruction; `low` is the first in memory.
template <class Tag>
__device__ std::uint32_t narrow_pair(float low, float high) {
  if constexpr (std::is_same_v<Tag, E4M3>) return ptx::cvt_rn_satfinite_e4m3x2_f32(high, low);
  if constexpr (std::is_same_v<Tag, E5M2>) return ptx::cvt_rn_satfinite_e5m2x2_f32(high, low);
  if constexpr (std::is_same_v<Tag, Fp16>) return ptx::cvt_rn_f16x2_f32(high, low);
  if constexpr (std::is_same_v<Tag, Bf16>) return ptx::cvt_rn_bf16x2_f32(high, low);
}

template <class Tag, int count>
__device__ Packed<Tag, count> narrow(const float (&x)[count]) {
  Packed<Tag, count> v;
  if constexpr (std::is_same_v<Tag, Fp32>) {
    for (int i = 0; i < count; ++i) v.word[i] = bit_cast<std::uint32_t>(x[i]);
  } else if constexpr (kBytes<Tag> == 2) {
    for (int i = 0; i < count; i += 2) v.word[i / 2] = narrow_pair<Tag>(x[i], x[i + 1]);
  } else {
    for (int i = 0; i < count; i += 4) {
      v.word[i / 4] = narrow_pair<Tag>(x[i], x[i + 1]) | narrow_pair<Tag>(x[i + 2], x[i + 3]) << 16;
    }
  }
  return v;
}

/// The rules of the instruction that narrows to a format.
template <class Tag>
constexpr CastRules instruction_rules() {
  return kBytes<Tag> == 1 ? CastRules{}
                          : CastRules{Rounding::kNearestEven, Overflow::kSpecial,
                                      InfinityRule::kPropagate, NanRule::kCanonical, 8};
}

/// Rounds to nearest even by the instruction of the format, wherever it gives what the rules ask.
template <class Tag>
struct Narrowing {
  detail::EncodePlan<std::uint32_t> plan;
  bool always;  ///< the rules are the instruction's, whatever comes

  explicit Narrowing(CastRules rules)
      : plan(detail::make_plan<std::uint32_t>(Tag::format, rules)), always(follows(rules)) {}

  static bool follows(CastRules rules) {
    CastRules known = instruction_rules<Tag>();
    known.random_bits = rules.random_bits;  // of no account without chance
    return rules == known && !std::is_same_v<Tag, Fp32>;
  }

  /// Magnitudes up to here round to finite numbers, and so alike under all rules. An eighth of a
  /// step beyond the largest finite number, because scaled blocks reach that by rounding.
  static constexpr float kLimit = [] {
    const Unpacked u = unpack(Tag::format, Tag::format.max_finite_code());
    const auto largest = static_cast<double>(decode(Tag::format, Tag::format.max_finite_code()));
    const double step = largest / static_cast<double>(u.significand);
    return static_cast<float>(std::is_same_v<Tag, Fp32> ? largest : largest + step / 8);
  }();

  /// Whether the instruction serves everything up to this magnitude. NaN: only if always.
  __device__ bool serves(float magnitude) const { return always || magnitude <= kLimit; }

  /// One number by the text.
  __device__ std::uint32_t encode(float x) const {
    return detail::encode_word<Rounding::kNearestEven, std::uint32_t>(
        plan, bit_cast<std::uint32_t>(x), 0);
  }
};

template <int count>
__device__ float largest_magnitude(const float (&x)[count]) {
  float largest = fabsf(x[0]);
  for (int i = 1; i < count; ++i) {
    largest = ptx::max_nan_f32(largest, fabsf(x[i]));
  }
  return largest;
}

}  // namespace binade::cuda

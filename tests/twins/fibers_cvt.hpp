// In place of cuda/ptx/cvt.cuh where kernels run on fibers: the same functions by the text of
// codec.hpp, which verify_conversions shows to be what the instructions do.
#pragma once

#include <cstdint>

#include "binade/formats/catalog.hpp"

namespace binade::cuda::ptx {

template <class To>
std::uint32_t pair_of(float high, float low, CastRules rules) {
  return static_cast<std::uint32_t>(encode(To::format, high, rules) << To::format.bits() |
                                    encode(To::format, low, rules));
}
inline constexpr CastRules kIeeeCanonical{Rounding::kNearestEven, Overflow::kSpecial,
                                          InfinityRule::kPropagate, NanRule::kCanonical, 8};

inline std::uint16_t cvt_rn_satfinite_e4m3x2_f32(float high, float low) {
  return static_cast<std::uint16_t>(pair_of<E4M3>(high, low, {}));
}
inline std::uint16_t cvt_rn_satfinite_e5m2x2_f32(float high, float low) {
  return static_cast<std::uint16_t>(pair_of<E5M2>(high, low, {}));
}
inline std::uint32_t cvt_rn_f16x2_f32(float high, float low) {
  return pair_of<Fp16>(high, low, kIeeeCanonical);
}
inline std::uint32_t cvt_rn_bf16x2_f32(float high, float low) {
  return pair_of<Bf16>(high, low, kIeeeCanonical);
}
inline float cvt_f32_f16(std::uint16_t a) { return static_cast<float>(decode(Fp16::format, a)); }
template <class From>
std::uint32_t halves_of(std::uint16_t pair) {
  const auto half = [](std::uint16_t code) {
    return static_cast<std::uint32_t>(convert(From::format, code, Fp16::format, kIeeeCanonical));
  };
  return half(static_cast<std::uint16_t>(pair >> 8)) << 16 | half(pair & 0xff);
}
inline std::uint32_t cvt_rn_f16x2_e4m3x2(std::uint16_t pair) { return halves_of<E4M3>(pair); }
inline std::uint32_t cvt_rn_f16x2_e5m2x2(std::uint16_t pair) { return halves_of<E5M2>(pair); }

}  // namespace binade::cuda::ptx

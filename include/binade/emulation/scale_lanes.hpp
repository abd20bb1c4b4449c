// scale_of_block for many blocks at once, in 32-bit lanes: the scalar text of scale_recipe.hpp,
// which judges this one, without its cases. For the quantisers of this library.
//
// Blocks whose amax is between 2^-60 and 2^60 leave every case out: nothing is zero, infinite, NaN
// or subnormal, no policy speaks and no exponent leaves fp32's, given a largest element of 1 to
// 2^20 and clamps of the rule that lie within fp32's normal numbers. The others, few in any data,
// are for the scalar text. Each line below is that text's operation of the same name, so the bits
// are the same.
#pragma once

#include <cstddef>
#include <cstdint>

#include "binade/emulation/scale_recipe.hpp"

namespace binade::detail {

/// A rule, a type of scale and an element as numbers. Choices are masks, all ones or none: of
/// conditions g++ makes branches, and scalar code.
struct ScaleLanes {
  bool serves = false;
  std::uint32_t is_power, ceils, reciprocal, inverse_first, divides, takes_inverse;
  float max, inv_max;
  float least_amax, least_scale;  ///< the lower clamps, 0 where there is none
  std::int32_t emax, min_exponent, max_exponent;
};

/// Bits of the amaxes that lanes serve: from kEasyFirst, kEasySpan of them.
inline constexpr std::uint32_t kEasyFirst = (127 - 60) << 23, kEasySpan = 120u << 23;
BINADE_HD constexpr bool is_easy_amax(std::uint32_t bits) { return bits - kEasyFirst < kEasySpan; }

inline ScaleLanes make_scale_lanes(const ScaleRule& rule, ScaleType type, FloatFormat element) {
  const auto mask = [](bool condition) { return condition ? ~std::uint32_t{0} : 0u; };
  ScaleLanes l{};
  l.max = largest_element(element);
  l.inv_max = 1.0f / l.max;
  l.is_power = mask(type != ScaleType::kFp32);
  l.ceils = mask(rule.power_of_two == PowerOfTwo::kCeil);
  l.reciprocal = mask(rule.formula == ScaleFormula::kReciprocalConstant);
  l.inverse_first = mask(rule.formula == ScaleFormula::kInverseFirst);
  l.divides = mask(rule.apply == ApplyScale::kDivide);
  l.takes_inverse = mask(rule.apply == ApplyScale::kMultiplyInverse && type == ScaleType::kFp32);
  l.least_amax = rule.floor == AmaxFloor::kOnAmax ? rule.floor_value : 0.0f;
  l.least_scale = rule.floor == AmaxFloor::kOnScale ? rule.floor_value : 0.0f;
  l.emax = element.emax();
  l.min_exponent = rule.min_exponent;
  l.max_exponent = rule.max_exponent;
  l.serves = type != ScaleType::kE4M3 && l.max >= 1.0f && l.max <= 0x1p20f &&
             rule.floor_value >= 0.0f && rule.floor_value <= 0x1p60f && rule.min_exponent <= 126 &&
             rule.max_exponent >= -126;
  return l;
}

/// Scale and factor, as fp32 patterns, of an amax that is_easy_amax.
struct LaneScale {
  std::uint32_t scale, factor;
};
BINADE_HD LaneScale lane_scale(const ScaleLanes& l, float found) {
  using Bits = std::uint32_t;
  const auto bits = [](float x) __attribute__((always_inline)) { return bit_cast<Bits>(x); };
  const auto choose = [](Bits mask, Bits a, Bits b) __attribute__((always_inline)) {
    return b ^ ((a ^ b) & mask);
  };
  const auto floor_log2 = [](Bits x) __attribute__((always_inline)) {
    return static_cast<std::int32_t>(x >> 23) - 127;
  };
  const float amax = found < l.least_amax ? l.least_amax : found;
  const float inv = l.max / amax;
  const Bits quotient = choose(l.reciprocal, bits(amax * l.inv_max), bits(amax / l.max));
  const float unclamped = bit_cast<float>(choose(l.inverse_first, bits(1.0f / inv), quotient));
  const float s = unclamped < l.least_scale ? l.least_scale : unclamped;
  const auto ceiling = static_cast<Bits>(floor_log2(bits(s) + 0x7fffff));
  const auto of_inverse = static_cast<Bits>(-floor_log2(bits(inv)));
  const auto of_amax = static_cast<Bits>(floor_log2(bits(amax)) - l.emax);
  const auto exponent = static_cast<std::int32_t>(
      choose(l.ceils, choose(l.inverse_first, of_inverse, ceiling), of_amax));
  const std::int32_t clamped = min_of(max_of(exponent, l.min_exponent), l.max_exponent);
  const Bits power = static_cast<Bits>(clamped + 127) << 23;
  const Bits scale = choose(l.is_power, power, bits(s));
  const Bits inverse = choose(l.takes_inverse, bits(inv), bits(1.0f / bit_cast<float>(scale)));
  return {scale, choose(l.divides, scale, inverse)};
}

}  // namespace binade::detail

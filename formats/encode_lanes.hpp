// Encode from fp32 in 32-bit lanes, for every format with a zero, at most 21 mantissa bits and no
// exponent below fp32's. codec.hpp has the text for all formats, which judges this one.
//
// A number's magnitude is laid on the format's own grid with `fraction` = 23 - mantissa_bits bits
// below it: w = grid point * 2^fraction + discarded fraction. For normal numbers w is the fp32
// pattern itself under another exponent bias, one subtraction away; below emin the number is counted
// in units of w's last place by one conversion to an integer, and roundings that ask for it keep
// what falls off as a sticky bit. Every rounding is then one addition to w and one shift, the same
// for normal numbers and subnormals, carries into the next binade included.
//
// Bounds. w < 2^31, being the pattern of a magnitude less a bias, and an addend below 2^fraction
// does not carry out of 32 bits. fraction >= 2 leaves the sticky bit below the half. Stochastic
// roundings look at the upper `digits` bits of the fraction, and fraction > digits leaves the
// sticky bit below them (variant C rounds the rest to nearest, and needs one more).
//
// Nearest even, the common case, has no shift by a variable amount: below emin one floating-point
// addition of 2^23 of the format's smallest steps leaves the FPU to round at the right place. (It
// must round to nearest even itself, which is C++'s default and that of every thread.) Inputs that
// are subnormal in fp32 either count as they stand (emin = -126) or round to zero in any case.
#pragma once

#include <cstdint>

#include "binade/formats/codec.hpp"

namespace binade::detail {

/// How much there is to choose at the end of an encoding. Plain: negative codes are positive ones
/// under a sign, and what lies beyond the largest number, be it infinite, becomes that number's
/// code or the next; and fp32's infinity, as a pattern, does lie beyond it.
enum class LaneKind : std::uint8_t { kAny, kPlain, kPlainNoMinusZero };
inline constexpr int kLaneKinds = 3;

/// An EncodePlan as numbers that stay in registers. Entries with `_flip` are xored in for negative
/// numbers.
struct LanePlan {
  std::uint32_t emin_pattern;  ///< fp32's pattern of the smallest normal number; 0 for fp32's own
  std::uint32_t rebias;        ///< from an fp32 pattern to w
  int fraction;                ///< bits of w below a grid point
  int random_bits;
  float subnormal_magic;   ///< 2^23 of the format's smallest steps
  float units_below_emin;  ///< 1 over what the last bit of w is worth below emin
  std::uint32_t sign_bit;
  std::uint32_t signed_zero;  ///< 1 where the format has -0
  std::uint32_t max_magnitude, max_flip;
  std::uint32_t overflow, overflow_flip;
  std::uint32_t infinity, infinity_flip;
  std::uint32_t nan, nan_flip;

  LaneKind kind() const {
    const bool plain = infinity == overflow && infinity_flip == overflow_flip &&
                       overflow_flip == sign_bit && max_flip == 0 && overflow - max_magnitude <= 1 &&
                       (0x7f800000u - rebias) >> fraction > max_magnitude;
    return !plain ? LaneKind::kAny : signed_zero != 0 ? LaneKind::kPlain : LaneKind::kPlainNoMinusZero;
  }
};

constexpr bool lanes_serve(FloatFormat f, CastRules r) {
  const int digits = r.random_bits + (r.rounding == Rounding::kStochasticA ? 0 : 1);
  return f.specials.has_zero && f.mantissa_bits <= 21 && f.bits() <= 32 && f.emin() <= 100 &&
         (f.emin() == -126 || (f.emin() >= -100 && f.min_ulp_exponent() >= -125)) &&
         (!is_stochastic(r.rounding) || 23 - f.mantissa_bits > digits);
}

inline LanePlan make_lane_plan(FloatFormat f, const EncodePlan<std::uint32_t>& p) {
  LanePlan l{};
  const auto emin_field = static_cast<std::uint32_t>(f.emin() + 127);
  l.emin_pattern = emin_field == 1 ? 0 : emin_field << 23;
  l.rebias = (emin_field - 1) << 23;
  l.fraction = 23 - f.mantissa_bits;
  l.random_bits = p.random_bits;
  l.subnormal_magic =
      bit_cast<float>(static_cast<std::uint32_t>(f.min_ulp_exponent() + 23 + 127) << 23);
  l.units_below_emin = bit_cast<float>(static_cast<std::uint32_t>(23 - f.emin() + 127) << 23);
  l.sign_bit = p.sign[1];
  l.signed_zero = p.signed_zero;
  const auto entry = [](const std::uint32_t(&from)[2], std::uint32_t& to, std::uint32_t& flip) {
    to = from[0];
    flip = from[0] ^ from[1];
  };
  entry(p.max_magnitude, l.max_magnitude, l.max_flip);
  entry(p.overflow, l.overflow, l.overflow_flip);
  entry(p.infinity, l.infinity, l.infinity_flip);
  entry(p.nan, l.nan, l.nan_flip);
  return l;
}

/// a > b of magnitudes, all of which lie below 2^31: AVX2 has the signed comparison alone.
[[gnu::always_inline]] inline bool above(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a) > static_cast<std::int32_t>(b);
}

/// w of a magnitude. `sticky`: whether the rounding looks at bits that fall off below w. Below emin
/// the number in units of w's last place is converted to an integer, which cuts it.
/// Spelt without comparisons, of which g++ would make branches.
template <bool sticky>
[[gnu::always_inline]] inline std::uint32_t lane_position(const LanePlan& p, std::uint32_t abs) {
  const auto small = static_cast<std::uint32_t>(static_cast<std::int32_t>(abs - p.emin_pattern) >> 31);
  const float units = bit_cast<float>(abs & small) * p.units_below_emin;
  const auto cut = static_cast<std::int32_t>(units);
  auto below = static_cast<std::uint32_t>(cut);
  if constexpr (sticky) {
    const auto lost = bit_cast<std::uint32_t>(static_cast<float>(cut)) ^ bit_cast<std::uint32_t>(units);
    below |= (0u - lost) >> 31;
  }
  const std::uint32_t normal = abs - p.rebias;
  return normal ^ ((normal ^ below) & small);
}

/// The grid point that w rounds to.
template <Rounding rounding>
[[gnu::always_inline]] inline std::uint32_t lane_round(const LanePlan& p, std::uint32_t w,
                                                       std::uint32_t negative, std::uint32_t draw) {
  const std::uint32_t mask = (1u << p.fraction) - 1;
  if constexpr (rounding == Rounding::kNearestAway) {
    return (w + (mask >> 1) + 1) >> p.fraction;
  } else if constexpr (rounding == Rounding::kUp) {
    return (w + (mask & ~negative)) >> p.fraction;
  } else if constexpr (rounding == Rounding::kDown) {
    return (w + (mask & negative)) >> p.fraction;
  } else if constexpr (rounding == Rounding::kToOdd) {
    return (w >> p.fraction) | ((w & mask) != 0 ? 1u : 0u);
  } else if constexpr (rounding == Rounding::kStochasticA) {
    return (w + (draw << (p.fraction - p.random_bits))) >> p.fraction;
  } else if constexpr (rounding == Rounding::kStochasticB) {
    return (w + ((2 * draw + 1) << (p.fraction - p.random_bits - 1))) >> p.fraction;
  } else if constexpr (rounding == Rounding::kStochasticC) {
    const int rest = p.fraction - p.random_bits;
    const std::uint32_t half = (1u << (rest - 1)) - 1;
    return (((w + half + ((w >> rest) & 1)) >> rest) + draw) >> p.random_bits;
  } else {
    return w >> p.fraction;  // toward zero
  }
}

[[gnu::always_inline]] inline std::uint32_t lane_nearest_even(const LanePlan& p,
                                                              std::uint32_t abs) {
  const std::uint32_t half = (1u << (p.fraction - 1)) - 1;
  const std::uint32_t w = abs - p.rebias;  // whose last bit is the code's, with no mantissa bits too
  const std::uint32_t normal = (w + half + ((w >> p.fraction) & 1)) >> p.fraction;
  const std::uint32_t subnormal =
      bit_cast<std::uint32_t>(bit_cast<float>(abs) + p.subnormal_magic) -
      bit_cast<std::uint32_t>(p.subnormal_magic);
  return above(p.emin_pattern, abs) ? subnormal : normal;
}

/// The code of an fp32 pattern. kind: p.kind().
template <Rounding rounding, LaneKind kind>
[[gnu::always_inline]] inline std::uint32_t lane_encode(const LanePlan& p, std::uint32_t bits,
                                                        std::uint32_t draw) {
  constexpr std::uint32_t kInfinity = 0x7f800000;
  const std::uint32_t abs = bits & 0x7fffffff;
  const auto negative = static_cast<std::uint32_t>(static_cast<std::int32_t>(bits) >> 31);
  const std::uint32_t sign = negative & p.sign_bit;
  std::uint32_t grid;
  if constexpr (rounding == Rounding::kNearestEven) {
    grid = lane_nearest_even(p, abs);
  } else {
    constexpr bool kSticky = rounding == Rounding::kUp || rounding == Rounding::kDown ||
                             rounding == Rounding::kToOdd ||
                             rounding == Rounding::kStochasticC;
    grid = lane_round<rounding>(p, lane_position<kSticky>(p, abs), negative, draw);
  }
  std::uint32_t code;
  if constexpr (kind != LaneKind::kAny) {
    const auto magnitude = static_cast<std::uint32_t>(
        min_of(static_cast<std::int32_t>(grid), static_cast<std::int32_t>(p.overflow)));
    const bool keeps_sign = kind == LaneKind::kPlain || magnitude != 0;
    code = magnitude | select(keeps_sign, sign, 0u);
  } else {
    const std::uint32_t end = p.max_magnitude ^ (negative & p.max_flip);
    code = grid | ((grid | p.signed_zero) != 0 ? sign : 0u);
    code = above(grid, end) ? p.overflow ^ (negative & p.overflow_flip) : code;
    code = abs == kInfinity ? p.infinity ^ (negative & p.infinity_flip) : code;
  }
  return select(above(abs, kInfinity), p.nan ^ (negative & p.nan_flip), code);
}

/// What nearest even makes of an fp32 pattern, as an fp32 pattern: the code's value.
struct RoundPlan {
  LanePlan lanes;
  std::uint32_t largest, overflow, nan, nan_flip;  ///< fp32 patterns of what the codes are worth
};

/// has_minus_zero: whether the format has -0.
template <bool has_minus_zero>
[[gnu::always_inline]] inline std::uint32_t lane_round_value(const RoundPlan& p,
                                                             std::uint32_t bits) {
  const std::uint32_t abs = bits & 0x7fffffff;
  const std::uint32_t mask = (1u << p.lanes.fraction) - 1;
  const std::uint32_t odd = ((abs - p.lanes.rebias) >> p.lanes.fraction) & 1;
  const std::uint32_t normal = (abs + (mask >> 1) + odd) & ~mask;
  const float magic = p.lanes.subnormal_magic;
  const auto subnormal = bit_cast<std::uint32_t>((bit_cast<float>(abs) + magic) - magic);
  const std::uint32_t rounded = above(p.lanes.emin_pattern, abs) ? subnormal : normal;
  const std::uint32_t largest = above(rounded, p.largest) ? p.overflow : rounded;
  const auto negative = static_cast<std::uint32_t>(static_cast<std::int32_t>(bits) >> 31);
  const std::uint32_t sign = bits & 0x80000000;
  const std::uint32_t number = largest | select(has_minus_zero || largest != 0, sign, 0u);
  return above(abs, 0x7f800000) ? p.nan ^ (negative & p.nan_flip) : number;
}

}  // namespace binade::detail

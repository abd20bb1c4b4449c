// Encode to nearest even by fused multiply-adds, for formats of at most 16 bits with 1 to 7 mantissa
// bits, and FP16 and BF16 by their own shorter ways: the numbers that the loops of narrow_avx512.hpp
// keep in registers, and when they serve.
//
// Let E be the exponent of x or emin, whichever is larger, and m the format's mantissa bits. The
// fused operation
//     r = 2^E * c + x,    c = 2^(23-m) + K * 2^-m
// rounds to a multiple of 2^(E-m), which is the format's last place at x, for normal numbers and
// subnormals alike: there is nothing to select. The lower bits of r hold q + K, where q is the
// rounded significand |x| / 2^(E-m), and its exponent field holds E + 150 - m. A code's magnitude
// is
//     code = (E - emin) * 2^m + q,
// so K = -(emin + 150 - m) * 2^m takes the unwanted bias off within the same operation. Modulo
// 2^16, which K is taken by, the lower half of r is q + K as a signed word and the upper half the
// sign and the exponent field over seven zeros. One multiplication of pairs of words,
//     (upper half) + 2^(7-m) * (lower half),
// leaves in 16 bits the sign and, below it, the magnitude * 2^(7-m), not yet cut at the format's
// end.
//
// Bounds. K is even for m >= 1, so that ties go to even q. q <= 2^(m+1), and emin >= -126 gives
// -K >= (24-m) * 2^m > q for m <= 7: q + K stays negative, above -2^15 for emin <= 100. So r stays
// in the binade of 2^E * c. The magnitude lies in 15 bits: the exponent field is below 255, and
// what is added to it negative. Where 2^E * c overflows r is infinite and the word 0x7f80, beyond
// any number: emax <= 101 + m puts that beyond the last binade that is not cut. NaN is looked for
// apart. The unit rounds to nearest even and keeps subnormals, as for all of encode_lanes.hpp.
#pragma once

#include <cstdint>

#include "binade/formats/catalog.hpp"
#include "binade/formats/codec.hpp"
#include "encode_lanes.hpp"

namespace binade::detail {

/// Which loop: bytes and words by the above, FP16 by the processor's conversion, BF16 by addition.
enum class NarrowKind : std::uint8_t { kBytes, kWords, kFp16, kBf16, kNone };
inline constexpr int kNarrowKinds = 4;

struct NarrowPlan {
  NarrowKind kind = NarrowKind::kNone;
  float smallest;      ///< 2^emin
  float multiplier;    ///< c
  std::uint32_t pair;  ///< the two words' multipliers
  int fraction;        ///< 7 - m, bits of a word below the code
  float end;           ///< what FP16 and BF16 cut magnitudes at: the value of `overflow`
  std::uint32_t overflow;
  std::uint32_t sign_bit;
  bool signed_zero;  ///< whether the format has -0
  std::uint32_t nan, nan_flip;
};

constexpr NarrowKind narrow_kind(FloatFormat f, CastRules r) {
  if (r.rounding != Rounding::kNearestEven || !lanes_serve(f, r) || f.padding_bits != 0) {
    return NarrowKind::kNone;
  }
  if (f == Fp16::format) return NarrowKind::kFp16;
  if (f == Bf16::format) return NarrowKind::kBf16;
  const bool fits =
      f.mantissa_bits >= 1 && f.mantissa_bits <= 7 && f.emax() <= 101 + f.mantissa_bits;
  if (!fits || f.container_bits() > 16) return NarrowKind::kNone;
  return f.container_bits() == 8 ? NarrowKind::kBytes : NarrowKind::kWords;
}

inline NarrowPlan make_narrow_plan(FloatFormat f, CastRules r, const LanePlan& lanes) {
  NarrowPlan p{};
  p.kind = lanes.kind() == LaneKind::kAny ? NarrowKind::kNone : narrow_kind(f, r);
  if (p.kind == NarrowKind::kNone) return p;
  const auto power = [](int e) {
    return bit_cast<float>(static_cast<std::uint32_t>(e + 127) << 23);
  };
  const int m = f.mantissa_bits;
  p.smallest = power(f.emin());
  p.multiplier =
      power(23 - m) + static_cast<float>(65536 - ((f.emin() + 150 - m) << m)) * power(-m);
  p.fraction = 7 - m;
  p.pair = 0x10000u | (1u << (p.fraction & 15));
  p.overflow = lanes.overflow;
  p.sign_bit = lanes.sign_bit;
  p.signed_zero = lanes.signed_zero != 0;
  p.nan = lanes.nan;
  p.nan_flip = lanes.nan_flip;
  const auto end = convert(f, lanes.overflow, kFp32Format, kIeeeRules);
  p.end = bit_cast<float>(static_cast<std::uint32_t>(end));
  return p;
}

}  // namespace binade::detail

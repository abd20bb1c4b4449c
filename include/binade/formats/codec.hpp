// The scalar core: what a code is worth, and which code a number rounds to.
//
// One text serves CPU, vector loops, CUDA kernels and compile time. Nothing here passes through
// another floating-point format: a number is an integer significand times a power of two, and it is
// rounded once.
#pragma once

#include <climits>
#include <cstdint>

#include "binade/formats/float_format.hpp"

namespace binade {

enum class Rounding : std::uint8_t {
  kNearestEven,
  kNearestAway,
  kTowardZero,
  kUp,           ///< toward +infinity
  kDown,         ///< toward -infinity
  kToOdd,        ///< inexact results take the odd neighbour
  kStochasticA,  ///< P3109 A: up iff floor(v 2^N) + R >= 2^N, v the discarded fraction
  kStochasticB,  ///< P3109 B: up iff floor(v 2^(N+1)) + 2R + 1 >= 2^(N+1)
  kStochasticC,  ///< P3109 C: up iff nearest-even(v 2^N) + R >= 2^N
};

/// What a finite number beyond the largest finite one becomes.
enum class Overflow : std::uint8_t {
  kSaturate,  ///< the largest finite number of its sign
  kSpecial,   ///< infinity, else NaN, else as kSaturate; roundings that point back into the range
              ///< stop at its end, as IEEE 754 has it
};

/// What an infinity becomes.
enum class InfinityRule : std::uint8_t {
  kSaturate,   ///< the largest finite number of its sign
  kPropagate,  ///< infinity, else what Overflow says of numbers: its end of the range, or NaN
};

enum class NanRule : std::uint8_t {
  kCanonical,  ///< as CUDA: the positive all-ones code whatever came in
  kKeepSign,   ///< as ml_dtypes: the quiet NaN under the sign of the input
};

/// Every choice that a cast leaves open. The default is `cvt.rn.satfinite` of PTX.
struct CastRules {
  Rounding rounding = Rounding::kNearestEven;
  Overflow overflow = Overflow::kSaturate;
  InfinityRule infinity = InfinityRule::kSaturate;
  NanRule nan = NanRule::kCanonical;
  int random_bits = 8;  ///< N of the stochastic roundings, 1 to 30

  friend constexpr bool operator==(const CastRules&, const CastRules&) = default;
};

inline constexpr int kMaxRandomBits = 30;

BINADE_HD constexpr bool is_stochastic(Rounding r) { return r >= Rounding::kStochasticA; }

enum class ValueClass : std::uint8_t { kFinite, kInfinity, kNan };

/// A number taken apart: (-1)^negative * significand * 2^exponent, exactly.
///
/// For a finite code of a format, significand is the stored significand with its hidden bit (below
/// 2^precision) and exponent that of its last place, so that `exponent + mantissa_bits` is the
/// stored exponent, which for subnormals is emin and is not renormalised.
struct Unpacked {
  ValueClass value_class = ValueClass::kFinite;
  bool negative = false;
  int exponent = 0;
  std::uint64_t significand = 0;
};

/// Decode: the exact value of a code.
/// Special values: NaN and infinity by class; the sign of a NaN code is kept.
/// Errors: none; bits above the format's width are ignored. Source: IEEE 754-2019 3.4; OCP
/// OFP8 1.0.
BINADE_HD constexpr Unpacked unpack(FloatFormat f, std::uint64_t code) {
  Unpacked u;
  code &= f.code_mask();
  u.negative = f.is_negative(code);
  if (f.is_nan(code)) {
    u.value_class = ValueClass::kNan;
    return u;
  }
  if (f.is_infinity(code)) {
    u.value_class = ValueClass::kInfinity;
    return u;
  }
  const std::uint64_t magnitude = code & f.magnitude_mask();
  const auto field = static_cast<int>(magnitude >> f.mantissa_bits);
  const bool normal = field != 0 || !f.specials.has_zero;
  u.significand =
      (magnitude & f.mantissa_mask()) | (normal ? std::uint64_t{1} << f.mantissa_bits : 0);
  u.exponent = (normal ? field - f.bias : f.emin()) - f.mantissa_bits;
  return u;
}

namespace detail {

/// The rules of one cast turned into numbers, so that the loop below has no branch on a rule.
/// Index 0 is for positive inputs, 1 for negative ones.
template <class Word>
struct EncodePlan {
  int mantissa_bits;
  int emin;
  int zero_offset;   ///< 1 where the format has no zero, and its codes start one grid point higher
  Word signed_zero;  ///< 1 where the format has -0 (a bool would keep g++ from vectorising)
  int random_bits;
  Word max_magnitude[2];  ///< in grid points, zero being point 0
  Word sign[2];
  Word overflow[2];
  Word infinity[2];
  Word nan[2];
};

template <class Word>
BINADE_HD constexpr EncodePlan<Word> make_plan(FloatFormat f, CastRules r) {
  EncodePlan<Word> p{};
  p.mantissa_bits = f.mantissa_bits;
  p.emin = f.emin();
  p.zero_offset = f.specials.has_zero ? 0 : 1;
  p.signed_zero = f.has_negative_zero() ? 1 : 0;
  p.random_bits = r.random_bits;
  for (int negative = 0; negative < 2; ++negative) {
    const bool representable = f.is_signed || negative == 0;
    const std::uint64_t sign = negative != 0 ? f.sign_bit() : 0;
    // The end of the axis on this side; an unsigned format ends at its smallest code.
    const std::uint64_t last = representable ? f.max_finite_code() | sign : 0;
    const std::uint64_t signed_nan =
        f.specials.nan == NanCodes::kNegativeZero ? f.sign_bit() : f.magnitude_mask() | sign;
    const bool infinite = f.has_infinity() && representable;
    const std::uint64_t special = infinite      ? f.infinity_code() | sign
                                  : f.has_nan() ? signed_nan
                                                : last;
    // Between the largest finite number and infinity, to-odd takes the odd code.
    const bool inward =
        r.rounding == Rounding::kTowardZero ||
        r.rounding == (negative != 0 ? Rounding::kUp : Rounding::kDown) ||
        (r.rounding == Rounding::kToOdd && infinite && (f.max_finite_code() & 1) != 0);
    const bool saturates = r.overflow == Overflow::kSaturate;
    p.max_magnitude[negative] = static_cast<Word>(
        representable ? f.max_finite_code() + static_cast<unsigned>(p.zero_offset) : 0);
    p.sign[negative] = static_cast<Word>(sign);
    p.overflow[negative] = static_cast<Word>(saturates || inward ? last : special);
    p.infinity[negative] = static_cast<Word>(
        r.infinity == InfinityRule::kSaturate || (saturates && !infinite) ? last : special);
    if (!f.has_nan()) {
      // PTX: NaN becomes +MAX_NORM where the format has no NaN.
      p.nan[negative] = static_cast<Word>(
          r.nan == NanRule::kCanonical ? f.max_finite_code() : f.max_finite_code() | sign);
    } else if (r.nan == NanRule::kCanonical || f.specials.nan == NanCodes::kNegativeZero) {
      p.nan[negative] = static_cast<Word>(f.canonical_nan_code());
    } else {
      p.nan[negative] = static_cast<Word>(f.quiet_nan_code() | sign);
    }
  }
  return p;
}

/// 1 where the discarded fraction rem / 2^shift rounds the magnitude up by one grid point, else 0.
/// `odd` is the last bit of the truncated code; `amount` is the true shift, of which `shift` is the
/// part below the word size. Words of 32 bits hold significands below 2^24, of 64 bits below 2^53.
template <Rounding rounding, class Word>
BINADE_HD constexpr Word round_increment(Word rem, int shift, int amount, Word odd, bool negative,
                                         int random_bits, Word random) {
  const Word mask = static_cast<Word>((Word{1} << shift) - 1);
  const Word below_half = mask >> 1;  // half a grid step, less one; 0 where nothing is discarded
  if constexpr (rounding == Rounding::kNearestEven) {
    return (rem + below_half + (odd & mask & 1)) >> shift;
  } else if constexpr (rounding == Rounding::kNearestAway) {
    return (rem + below_half + (mask & 1)) >> shift;
  } else if constexpr (rounding == Rounding::kTowardZero) {
    return 0;
  } else if constexpr (rounding == Rounding::kUp) {
    return negative ? 0 : (rem + mask) >> shift;
  } else if constexpr (rounding == Rounding::kDown) {
    return negative ? (rem + mask) >> shift : 0;
  } else if constexpr (rounding == Rounding::kToOdd) {
    return ((rem + mask) >> shift) & (odd ^ 1);
  } else {
    constexpr int kWordBits = static_cast<int>(sizeof(Word) * 8);
    // B asks for one more bit of the fraction than there are random bits.
    const int digits = random_bits + (rounding == Rounding::kStochasticB ? 1 : 0);
    const int down = min_of(max_of(amount - digits, 0), kWordBits - 1);
    const int up = max_of(digits - amount, 0);
    Word fraction = static_cast<Word>((rem >> down) << up);
    if constexpr (rounding == Rounding::kStochasticC) {
      const Word lost = static_cast<Word>((Word{1} << down) - 1);
      fraction += ((rem & lost) + (lost >> 1) + (fraction & lost & 1)) >> down;
    }
    const Word draw =
        rounding == Rounding::kStochasticB ? static_cast<Word>(2 * random + 1) : random;
    return (fraction + draw) >> digits;
  }
}

/// condition ? a : b, spelt without a branch: g++ keeps a branch on the conditional operator where
/// it judges one side costly, and then does not vectorise the loop.
template <class Word>
BINADE_HD constexpr Word select(bool condition, Word a, Word b) {
  return static_cast<Word>(b ^ ((a ^ b) & (Word{0} - static_cast<Word>(condition))));
}

/// The entry of a plan for the sign at hand. (As an index it would be a load at a computed
/// address.)
template <class Word>
BINADE_HD constexpr Word for_sign(const Word (&entry)[2], bool negative) {
  return select(negative, entry[1], entry[0]);
}

/// Encode: the one text that rounds. The input is (-1)^negative * significand * 2^(exponent - top)
/// with significand < 2^(top + 1), and either its bit `top` set or exponent <= plan.emin.
template <Rounding rounding, class Word, int top>
BINADE_HD constexpr Word encode_finite(const EncodePlan<Word>& p, bool negative, int exponent,
                                       Word significand, Word random) {
  constexpr int kWordBits = static_cast<int>(sizeof(Word) * 8);
  const int above_emin = max_of(exponent - p.emin, 0);
  const int amount = top - p.mantissa_bits + max_of(p.emin - exponent, 0);
  const int shift = min_of(amount, kWordBits - 1);
  const Word kept = significand >> shift;
  const Word rem = significand & static_cast<Word>((Word{1} << shift) - 1);
  const Word base = static_cast<Word>((static_cast<Word>(above_emin) << p.mantissa_bits) + kept);
  const Word odd = (base - static_cast<Word>(p.zero_offset)) & 1;
  const Word grid = base + round_increment<rounding, Word>(rem, shift, amount, odd, negative,
                                                           p.random_bits, random);
  const Word offset = static_cast<Word>(p.zero_offset);
  const Word magnitude = max_of(grid, offset) - offset;
  const Word sign = select((grid | p.signed_zero) != 0, for_sign(p.sign, negative), Word{0});
  return select(grid > for_sign(p.max_magnitude, negative), for_sign(p.overflow, negative),
                static_cast<Word>(magnitude | sign));
}

/// Encode from the bits of an fp32 (Word = uint32_t) or fp64 (uint64_t) number. The plan's format
/// must satisfy source_word_suffices<Word>.
template <Rounding rounding, class Word>
BINADE_HD constexpr Word encode_word(const EncodePlan<Word>& p, Word bits, Word random) {
  constexpr bool kSingle = sizeof(Word) == 4;
  constexpr int kTop = kSingle ? 23 : 52;
  constexpr int kBias = kSingle ? 127 : 1023;
  constexpr Word kHidden = Word{1} << kTop;
  constexpr Word kAbs = static_cast<Word>(~Word{0}) >> 1;
  constexpr Word kInfinity = kAbs & ~(kHidden - 1);
  const bool negative = (bits & ~kAbs) != 0;
  const Word abs = bits & kAbs;
  const int field = static_cast<int>(abs >> kTop);
  // Subnormal inputs keep their stored exponent: their last place is right as it stands, and the
  // target's emin is not below the source's.
  const Word significand = (abs & (kHidden - 1)) | (field != 0 ? kHidden : Word{0});
  const int exponent = max_of(field, 1) - kBias;
  const Word finite =
      encode_finite<rounding, Word, kTop>(p, negative, exponent, significand, random);
  const Word number = select(abs == kInfinity, for_sign(p.infinity, negative), finite);
  return select(abs > kInfinity, for_sign(p.nan, negative), number);
}

/// Whether an fp32 (fp64) word can be encoded into `f` without being widened first.
template <class Word>
BINADE_HD constexpr bool source_word_suffices(FloatFormat f) {
  return sizeof(Word) == 4 ? f.mantissa_bits <= 23 && f.emin() >= -126 && f.bits() <= 32
                           : f.mantissa_bits <= 52 && f.emin() >= -1022;
}

/// Calls body with the rounding as a compile-time constant: body.template operator()<rounding>().
template <class Body>
BINADE_HD constexpr auto with_rounding(Rounding rounding, Body&& body) {
  switch (rounding) {
    case Rounding::kNearestAway:
      return body.template operator()<Rounding::kNearestAway>();
    case Rounding::kTowardZero:
      return body.template operator()<Rounding::kTowardZero>();
    case Rounding::kUp:
      return body.template operator()<Rounding::kUp>();
    case Rounding::kDown:
      return body.template operator()<Rounding::kDown>();
    case Rounding::kToOdd:
      return body.template operator()<Rounding::kToOdd>();
    case Rounding::kStochasticA:
      return body.template operator()<Rounding::kStochasticA>();
    case Rounding::kStochasticB:
      return body.template operator()<Rounding::kStochasticB>();
    case Rounding::kStochasticC:
      return body.template operator()<Rounding::kStochasticC>();
    default:
      return body.template operator()<Rounding::kNearestEven>();
  }
}

}  // namespace detail

/// Encode: the code of `f` that the number `u` rounds to under `r`.
///
/// Arithmetic: one rounding of the exact value, then overflow, then the sign; a format without -0
/// gets +0. A negative number that does not round to zero is an overflow of an unsigned format,
/// whose range ends at its smallest code. E8M0 has no zero: what rounds to zero becomes its
/// smallest code, 2^-127. To-odd overflows to infinity where that is the odd code, and stops at the
/// largest finite number where that is.
/// Special values: infinities and NaN by r.infinity and r.nan; a format without NaN turns NaN into
/// its largest finite number (PTX: +MAX_NORM), under the input's sign with NanRule::kKeepSign.
/// Libraries differ on both: ml_dtypes 0.6 makes a zero of NaN in E2M1, E2M3 and E3M2. For E8M0,
/// cuda_fp8.h sends 0 to 2^-127 as here, drops the sign of negative numbers and cannot round to
/// nearest; ml_dtypes sends 0 and negative numbers to NaN and rounds ties up.
/// Determinism: a pure function; stochastic rounding takes its `random_bits` bits in `random`.
/// Errors: none (total). Source: IEEE 754-2019 4.3; PTX ISA cvt; IEEE P3109 interim report 4.0.
/// Tests: tests/formats/rounding_test.cpp, cases_test.cpp; tests/oracles/ml_dtypes_test.py.
/// Requires significand < 2^53 and f.mantissa_bits <= 52.
BINADE_HD constexpr std::uint64_t encode(FloatFormat f, Unpacked u, CastRules r = {},
                                         std::uint64_t random = 0) {
  const auto plan = detail::make_plan<std::uint64_t>(f, r);
  if (u.value_class == ValueClass::kNan) return plan.nan[u.negative];
  if (u.value_class == ValueClass::kInfinity) return plan.infinity[u.negative];
  constexpr int kTop = 52;
  std::uint64_t significand = u.significand;
  int exponent = INT_MIN / 4;  // zero lies below every binade
  if (significand != 0) {
    const int lift = kTop + 1 - bit_width_of(significand);
    significand <<= lift;
    // Far beyond the last binade all is one; a nearer end keeps the grid point within its word.
    exponent = min_of(u.exponent - lift + kTop, f.emin() + (1 << f.exponent_bits));
  }
  return detail::with_rounding(r.rounding, [&]<Rounding rounding>() {
    return detail::encode_finite<rounding, std::uint64_t, kTop>(plan, u.negative, exponent,
                                                                significand, random);
  });
}

inline constexpr FloatFormat kFp32Format{8, 23, 127, true, kIeee};
inline constexpr FloatFormat kFp64Format{11, 52, 1023, true, kIeee};

/// Encode an fp32 or fp64 number, rounded once. See the overload above for the rules.
BINADE_HD constexpr std::uint64_t encode(FloatFormat f, float x, CastRules r = {},
                                         std::uint64_t random = 0) {
  return encode(f, unpack(kFp32Format, bit_cast<std::uint32_t>(x)), r, random);
}
BINADE_HD constexpr std::uint64_t encode(FloatFormat f, double x, CastRules r = {},
                                         std::uint64_t random = 0) {
  return encode(f, unpack(kFp64Format, bit_cast<std::uint64_t>(x)), r, random);
}

/// Convert a code of one format into a code of another, rounded once.
BINADE_HD constexpr std::uint64_t convert(FloatFormat from, std::uint64_t code, FloatFormat to,
                                          CastRules r = {}, std::uint64_t random = 0) {
  return encode(to, unpack(from, code), r, random);
}

/// Rules under which a widening conversion keeps infinities and the sign of NaN.
inline constexpr CastRules kIeeeRules{Rounding::kNearestEven, Overflow::kSpecial,
                                      InfinityRule::kPropagate, NanRule::kKeepSign, 8};

/// Decode a code to fp64: exact wherever the format embeds in fp64, else rounded to nearest even.
BINADE_HD constexpr double decode(FloatFormat f, std::uint64_t code) {
  return bit_cast<double>(convert(f, code, kFp64Format, kIeeeRules));
}

/// A container as arrays hold it, and the code inside (they differ for tf32 alone). Reading
/// discards the padding bits, which is how tensor cores read tf32 operands.
BINADE_HD constexpr std::uint64_t code_of_container(FloatFormat f, std::uint64_t word) {
  return (word >> f.padding_bits) & f.code_mask();
}
BINADE_HD constexpr std::uint64_t container_of_code(FloatFormat f, std::uint64_t code) {
  return code << f.padding_bits;
}

}  // namespace binade

// The scalar core of the dot model: one total text for host, device and compile time.
//
// An instruction is made into a DotPlan (numbers only, passed to kernels by value), its operands
// into DotOperands, and dot_instruction turns A, B and C into D. dot_model.hpp defines the
// arithmetic; the array entry `dot` and its trace call what stands here.
#pragma once

#include <cstdint>

#include "binade/emulation/dot_model.hpp"
#include "binade/formats/codec.hpp"

namespace binade {

/// One operand as the multiplier sees it: significand * 2^(exponent - mantissa_bits), 8 bytes.
struct DotOperand {
  std::int32_t significand = 0;  ///< signed; +-1 for infinities, 0 for zeros and NaN
  std::int16_t exponent = 0;     ///< the stored one (zeros and subnormals: emin)
  ValueClass value_class = ValueClass::kFinite;
};

BINADE_HD constexpr DotOperand dot_operand(FloatFormat f, std::uint64_t code) {
  const Unpacked u = unpack(f, code);
  const bool finite = u.value_class == ValueClass::kFinite;
  const auto magnitude = finite ? static_cast<std::int32_t>(u.significand)
                                : (u.value_class == ValueClass::kInfinity ? 1 : 0);
  DotOperand x;
  x.significand = u.negative ? -magnitude : magnitude;
  x.exponent = static_cast<std::int16_t>(finite ? u.exponent + f.mantissa_bits : f.emin());
  x.value_class = u.value_class;
  return x;
}

/// The zero that pads a ragged tail, for formats without a code of zero too.
BINADE_HD constexpr DotOperand zero_operand(FloatFormat f) {
  DotOperand x;
  x.exponent = static_cast<std::int16_t>(f.emin());
  return x;
}

/// All that evaluating an instruction needs.
struct DotPlan {
  DotModel model;
  FloatFormat c;
  int k;
  int steps;
  int a_mantissa_bits, b_mantissa_bits;
  int product_fraction_bits;  ///< of a product with its stored exponents: the sum of the two
  int result_padding;         ///< zero bits below a code of the result grid in the container c
  detail::EncodePlan<std::uint64_t> encode;
};

BINADE_HD constexpr DotPlan make_dot_plan(const DotModel& model, FloatFormat a, FloatFormat b,
                                          FloatFormat c, int k) {
  DotPlan p{};
  p.model = model;
  p.c = c;
  p.k = k;
  p.steps = k / model.step_k;
  p.a_mantissa_bits = a.mantissa_bits;
  p.b_mantissa_bits = b.mantissa_bits;
  p.product_fraction_bits = a.mantissa_bits + b.mantissa_bits;
  p.result_padding = c.mantissa_bits - model.result.mantissa_bits;
  // Beyond the range lies infinity even under truncation, and a zero result is +0: nearest even's
  // overflow, and no signed zero, whichever way the last bits are rounded.
  p.encode = detail::make_plan<std::uint64_t>(model.result, kIeeeRules);
  p.encode.signed_zero = 0;
  return p;
}
inline DotPlan make_dot_plan(const Instruction& i) {
  return make_dot_plan(i.model, i.a, i.b, i.c, i.k);
}

/// Index within the instruction of product i of a step.
BINADE_HD constexpr int step_index(const DotModel& m, int step, int i) {
  return m.order == StepOrder::kConsecutive ? step * m.step_k + i : 4 * (i / 2) + 2 * step + i % 2;
}

BINADE_HD constexpr int leading_bit(std::int64_t significand) {
  return bit_width_of(static_cast<std::uint64_t>(significand < 0 ? -significand : significand)) - 1;
}

/// An operand's exponent in front of the multiplier.
BINADE_HD constexpr int operand_exponent(const DotModel& m, DotOperand x, int mantissa_bits) {
  if (x.exponent <= m.multiplier_emin) return x.exponent;
  if (x.significand == 0) return m.multiplier_emin;
  return max_of(x.exponent - mantissa_bits + leading_bit(x.significand), m.multiplier_emin);
}

/// e_k of the product of two finite operands.
BINADE_HD constexpr int product_exponent(const DotPlan& p, DotOperand x, DotOperand y) {
  const std::int64_t product = std::int64_t{x.significand} * y.significand;
  if (p.model.normalize_products && product != 0) {
    return x.exponent + y.exponent + leading_bit(product) - p.product_fraction_bits;
  }
  return operand_exponent(p.model, x, p.a_mantissa_bits) +
         operand_exponent(p.model, y, p.b_mantissa_bits);
}

/// Whether products and aligned terms of an instruction fit in 32 bits (not their sums): what a
/// fast kernel wants to know.
BINADE_HD constexpr bool terms_fit_in_32_bits(const DotPlan& p, FloatFormat a, FloatFormat b) {
  const int product_bits = a.precision() + b.precision();
  const int f = p.model.alignment_fraction_bits;
  return product_bits + max_of(f - p.product_fraction_bits, 0) < 31 &&
         p.c.precision() + max_of(f - p.c.mantissa_bits, 0) < 31;
}

/// significand * 2^(exponent - fraction_bits) on the grid 2^(max_exponent - F), rounded as the
/// model says. Terms that matter have exponent <= max_exponent; a zero is zero anywhere. Term:
/// std::int64_t, or std::int32_t where terms_fit_in_32_bits.
template <class Term>
BINADE_HD constexpr Term align_term(const DotModel& m, Term significand, int exponent,
                                    int fraction_bits, int max_exponent) {
  const int drop = max_exponent - exponent + fraction_bits - m.alignment_fraction_bits;
  if (significand == 0) return 0;
  if (drop <= 0) return significand * (Term{1} << -drop);
  // Significands stay two bits below the sign: nothing is left of them at the longest shift.
  const int shift = min_of(drop, static_cast<int>(sizeof(Term)) * 8 - 2);
  const Term below = significand >> shift;
  const Term rest = significand - below * (Term{1} << shift);
  const Term half = Term{1} << (shift - 1);
  switch (m.alignment) {
    case AlignmentRounding::kTruncate:
      return below + (significand < 0 && rest != 0 ? 1 : 0);
    case AlignmentRounding::kNearestEven:
      return below + (rest > half || (rest == half && (below & 1) != 0) ? 1 : 0);
    default:
      return below;
  }
}

/// sum * 2^exponent rounded once to the result grid, as a code of the container.
BINADE_HD constexpr std::uint64_t round_sum(const DotPlan& p, Rounding rounding, std::int64_t sum,
                                            int exponent) {
  constexpr int kTop = 52;
  const bool negative = sum < 0;
  std::uint64_t magnitude = static_cast<std::uint64_t>(sum);
  if (negative) magnitude = 0 - magnitude;
  const int lift = kTop + 1 - bit_width_of(magnitude);
  if (lift >= 0) {
    magnitude <<= lift;
  } else {
    // The grid has at most 24 bits: one sticky bit stands for those that leave.
    const std::uint64_t lost = magnitude & ((std::uint64_t{1} << -lift) - 1);
    magnitude = (magnitude >> -lift) | (lost != 0 ? 1 : 0);
  }
  const int top_exponent = magnitude == 0 ? INT_MIN / 4 : exponent - lift + kTop;
  const std::uint64_t code =
      rounding == Rounding::kNearestEven
          ? detail::encode_finite<Rounding::kNearestEven, std::uint64_t, kTop>(
                p.encode, negative, top_exponent, magnitude, 0)
          : detail::encode_finite<Rounding::kTowardZero, std::uint64_t, kTop>(
                p.encode, negative, top_exponent, magnitude, 0);
  return code << p.result_padding;
}

/// What has been seen of NaN and infinity among the terms of a sum.
struct SpecialTerms {
  bool nan = false, positive = false, negative = false;

  BINADE_HD constexpr void see(ValueClass worst, std::int64_t significand) {
    nan |= worst == ValueClass::kNan || (worst == ValueClass::kInfinity && significand == 0);
    positive |= worst == ValueClass::kInfinity && significand > 0;
    negative |= worst == ValueClass::kInfinity && significand < 0;
  }
  BINADE_HD constexpr bool any() const { return nan || positive || negative; }
  BINADE_HD constexpr std::uint64_t code(FloatFormat c) const {
    if (nan || (positive && negative)) return c.canonical_nan_code();
    return c.infinity_code() | (negative ? c.sign_bit() : 0);
  }
};

/// What a step finds before it sums: E, and the special values.
struct StepSurvey {
  int max_exponent = kNoExponentClamp;
  SpecialTerms special;
};

/// Whether a term counts in the maximum.
BINADE_HD constexpr bool counts(const DotModel& m, std::int64_t significand) {
  return significand != 0 || m.zeros_join_maximum;
}

template <class A, class B>
BINADE_HD constexpr StepSurvey survey_step(const DotPlan& p, const A& a, const B& b, int step,
                                           DotOperand c) {
  StepSurvey s;
  s.max_exponent = p.model.min_exponent;
  s.special.see(c.value_class, c.significand);
  if (counts(p.model, c.significand)) {
    s.max_exponent = max_of<int>(s.max_exponent, c.exponent);
  }
  for (int i = 0; i < p.model.step_k; ++i) {
    const DotOperand x = a[step_index(p.model, step, i)], y = b[step_index(p.model, step, i)];
    const std::int64_t product = std::int64_t{x.significand} * y.significand;
    if (x.value_class != ValueClass::kFinite || y.value_class != ValueClass::kFinite) {
      s.special.see(max_of(x.value_class, y.value_class), product);
    } else if (counts(p.model, product)) {
      s.max_exponent = max_of(s.max_exponent, product_exponent(p, x, y));
    }
  }
  return s;
}

/// One step: D of the products of `step` and C, as a code of p.c. a and b give the instruction's k
/// operands by index: pointers, or what decodes as it goes.
template <class Term = std::int64_t, class A, class B>
BINADE_HD constexpr std::uint64_t dot_step(const DotPlan& p, const A& a, const B& b, int step,
                                           std::uint64_t c_code) {
  const DotOperand c = dot_operand(p.c, c_code);
  const StepSurvey s = survey_step(p, a, b, step, c);
  if (s.special.any()) return s.special.code(p.c);
  std::int64_t sum =
      align_term(p.model, Term{c.significand}, c.exponent, p.c.mantissa_bits, s.max_exponent);
  for (int i = 0; i < p.model.step_k; ++i) {
    const DotOperand x = a[step_index(p.model, step, i)], y = b[step_index(p.model, step, i)];
    sum += align_term(p.model, Term{x.significand} * y.significand, x.exponent + y.exponent,
                      p.product_fraction_bits, s.max_exponent);
  }
  return round_sum(p, p.model.result_rounding, sum,
                   s.max_exponent - p.model.alignment_fraction_bits);
}

/// Two codes of c on one grid, for an exact addition: significands in units of 2^unit_exponent.
struct AlignedPair {
  std::int64_t large = 0, small = 0;
  int unit_exponent = 0;
  bool lost_bits = false;  ///< `small` is a unit of its sign that stands for less
};

/// Requires large.exponent >= small.exponent.
BINADE_HD constexpr AlignedPair align_pair(FloatFormat c, DotOperand large, DotOperand small) {
  // Further apart than this, `large` is a normal number, and only the sign of `small` can matter:
  // it lies below a thousandth of the last place of `large`.
  constexpr int kReach = 36;
  const int distance = large.exponent - small.exponent;
  const int shift = min_of(distance, kReach);
  AlignedPair r;
  r.lost_bits = distance > kReach && small.significand != 0;
  r.large = large.significand * (std::int64_t{1} << shift);
  r.small = r.lost_bits ? (small.significand > 0 ? 1 : -1) : small.significand;
  r.unit_exponent = large.exponent - shift - c.mantissa_bits;
  return r;
}

/// chain + c, both codes of p.c, rounded once to nearest even in the result format.
BINADE_HD constexpr std::uint64_t add_last(const DotPlan& p, std::uint64_t chain_code,
                                           std::uint64_t c_code) {
  const DotOperand x = dot_operand(p.c, chain_code), y = dot_operand(p.c, c_code);
  SpecialTerms special;
  special.see(x.value_class, x.significand);
  special.see(y.value_class, y.significand);
  if (special.any()) return special.code(p.c);
  const AlignedPair r = x.exponent >= y.exponent ? align_pair(p.c, x, y) : align_pair(p.c, y, x);
  return round_sum(p, Rounding::kNearestEven, r.large + r.small, r.unit_exponent);
}

/// One instruction: k products and C, in the model's steps. a and b give p.k operands.
template <class Term = std::int64_t, class A, class B>
BINADE_HD constexpr std::uint64_t dot_instruction(const DotPlan& p, const A& a, const B& b,
                                                  std::uint64_t c_code) {
  const bool added_last = p.model.addend == AddendRule::kAddedLast;
  std::uint64_t d = added_last ? 0 : c_code;
  for (int step = 0; step < p.steps; ++step) d = dot_step<Term>(p, a, b, step, d);
  return added_last ? add_last(p, d, c_code) : d;
}

}  // namespace binade

// Model cards drawn over every parameter, and operands that meet their corners.
#pragma once

#include <random>
#include <string>

#include "binade/emulation/dot_model.hpp"
#include "binade/formats/catalog.hpp"
#include "gemm_reference.hpp"

namespace reference {

inline constexpr Stratum kStrata[] = {Stratum::kUniform, Stratum::kNormal, Stratum::kSparse,
                                      Stratum::kSpecial, Stratum::kWide};

/// A valid instruction on operands a and b.
inline Instruction random_card(FloatFormat a, FloatFormat b, std::mt19937_64& g) {
  const auto below = [&](int n) { return static_cast<int>(g() % static_cast<unsigned>(n)); };
  const auto one_in = [&](int n) { return below(n) == 0; };
  while (true) {
    Instruction i;
    DotModel& m = i.model;
    i.a = a;
    i.b = b;
    i.c = one_in(4) ? Fp16::format : Fp32::format;
    m.step_k = 1 << below(6);
    if (one_in(3)) m.step_k = 1 + below(40);
    i.k = m.step_k * (1 + below(2));
    if (one_in(5)) {
      i.k = 2 * m.step_k;
      m.order = StepOrder::kInterleavedPairs;
    }
    m.alignment_fraction_bits = one_in(3) ? 13 : 1 + below(48);
    m.alignment = static_cast<AlignmentRounding>(one_in(2) ? 0 : below(3));
    if (one_in(3)) m.min_exponent = below(300) - 150;
    if (one_in(20)) m.min_exponent = below(1 << 15) - (1 << 14);
    m.zeros_join_maximum = one_in(3);
    m.normalize_products = one_in(3);
    if (one_in(4)) m.multiplier_emin = a.emin() - below(30);
    if (one_in(4)) m.addend = AddendRule::kAddedLast;
    m.result = i.c;
    m.result.mantissa_bits = one_in(3) ? i.c.mantissa_bits : 1 + below(i.c.mantissa_bits);
    if (one_in(2)) m.result_rounding = Rounding::kNearestEven;
    i.name = "card of F " + std::to_string(m.alignment_fraction_bits);
    if (is_valid(i)) return i;  // else too wide a sum, or an order that does not fit
  }
}

/// All that a failure of a test wants to say of a card.
inline std::string describe(const Instruction& i) {
  const DotModel& m = i.model;
  return format_name(i.a) + " x " + format_name(i.b) + " + " + format_name(i.c) + ", k " +
         std::to_string(i.k) + ", step_k " + std::to_string(m.step_k) + ", F " +
         std::to_string(m.alignment_fraction_bits) + ", alignment " +
         std::to_string(static_cast<int>(m.alignment)) + ", order " +
         std::to_string(static_cast<int>(m.order)) + ", min_exponent " +
         std::to_string(m.min_exponent) + ", zeros " + std::to_string(m.zeros_join_maximum) +
         ", normalised " + std::to_string(m.normalize_products) + ", multiplier_emin " +
         std::to_string(m.multiplier_emin) + ", added last " +
         std::to_string(m.addend == AddendRule::kAddedLast) + ", result " +
         std::to_string(m.result.mantissa_bits) + " bits, nearest " +
         std::to_string(m.result_rounding == Rounding::kNearestEven);
}

}  // namespace reference

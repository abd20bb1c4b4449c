// Exact sums of products: a fixed-point accumulator wide enough that nothing is ever rounded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "binade/formats/codec.hpp"

namespace binade {

/// A signed sum of numbers significand * 2^exponent, held exactly (a Kulisch accumulator).
///
/// Range: terms whose bits lie in 2^-1408 .. 2^1408, at least 2^60 of them. That covers products of
/// two fp32 values times two fp32 scales. Arithmetic: positive and negative terms are summed apart,
/// so that a carry seldom travels, and meet when the sum is read.
/// Special values: a NaN or infinite term makes the sum NaN or infinite as IEEE 754 addition would;
/// infinity times zero is NaN. Determinism: exact, so the order of the terms does not matter.
/// Errors: std::out_of_range for a term beyond the range. Source: Kulisch, Computer Arithmetic and
/// Validity, 2013. Tests: tests/emulation/exact_* against Boost.Multiprecision.
class ExactSum {
 public:
  void add(const Unpacked& x);
  void subtract(const Unpacked& x);
  /// x * y and x * y * s * t without rounding.
  void add_product(const Unpacked& x, const Unpacked& y);
  void add_scaled_product(const Unpacked& x, const Unpacked& y, const Unpacked& s,
                          const Unpacked& t);
  /// The sum of everything that went into `other` joins this one.
  void add(const ExactSum& other);
  /// Whether the sum is the number zero: not NaN, not infinite.
  bool is_zero() const;
  /// The sum rounded once into `f`; zero is +0. Stochastic roundings take their bits in `random`.
  std::uint64_t round(FloatFormat f, CastRules rules = kIeeeRules, std::uint64_t random = 0) const;
  double to_double() const;

 private:
  static constexpr int kLowest = -1408, kHighest = 1408;
  static constexpr int kLimbs = 46;
  using Limbs = std::array<std::uint64_t, kLimbs>;  // little-endian, in units of 2^kLowest

  void add_bits(bool negative, unsigned __int128 significand, int exponent);
  void add_special(ValueClass worst, bool negative, bool has_zero);

  Limbs positive_{}, negative_{};
  bool has_nan_ = false, has_positive_infinity_ = false, has_negative_infinity_ = false;
};

}  // namespace binade

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
/// two fp32 values times two fp32 scales. Errors: std::out_of_range beyond it.
/// Special values: add() of a NaN or infinite Unpacked makes the sum NaN or infinite as IEEE 754
/// addition would. Source: Kulisch, Computer Arithmetic and Validity, 2013. Tests: tests/emulation/
/// against Boost.Multiprecision.
class ExactSum {
 public:
  void add(const Unpacked& x);
  void subtract(const Unpacked& x);
  /// x * y and x * y * s * t without rounding.
  void add_product(const Unpacked& x, const Unpacked& y);
  void add_scaled_product(const Unpacked& x, const Unpacked& y, const Unpacked& s,
                          const Unpacked& t);
  bool is_zero() const;
  /// The sum rounded once into `f`; zero is +0.
  std::uint64_t round(FloatFormat f, CastRules rules = kIeeeRules) const;
  double to_double() const;

 private:
  static constexpr int kLowest = -1408;
  static constexpr int kLimbs = 46;
  void add_bits(bool negative, unsigned __int128 significand, int exponent);
  std::array<std::uint64_t, kLimbs> limbs_{};  // two's complement, little-endian
  bool has_nan_ = false, has_positive_infinity_ = false, has_negative_infinity_ = false;
};

}  // namespace binade

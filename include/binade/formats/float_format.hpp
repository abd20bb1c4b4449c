// The description of a binary floating-point format: six primary fields, everything else derived.
//
// A code is an integer of bits() bits: [sign] exponent mantissa. Codes of one sign are ordered as
// their values are, so the whole positive axis is the run 0 .. max_finite_code(), and infinity,
// where a format has one, is the very next code. Every function below leans on that.
#pragma once

#include <cstdint>

#include "binade/formats/host_device.hpp"

namespace binade {

/// Which codes are NaN.
enum class NanCodes : std::uint8_t {
  kNone,          ///< every code is a number (OCP MXFP6, MXFP4)
  kTopRow,        ///< all-ones exponent, mantissa not zero (IEEE 754)
  kTopCode,       ///< the all-ones magnitude alone (OCP E4M3, E8M0, unsigned P3109)
  kNegativeZero,  ///< the code of -0, which therefore does not exist (fnuz, signed P3109)
};

/// The codes that are not ordinary finite numbers.
struct Specials {
  NanCodes nan = NanCodes::kTopRow;
  bool has_infinity = true;
  bool has_zero = true;  ///< false only for E8M0: code 0 is 2^(-bias), there are no subnormals

  friend constexpr bool operator==(const Specials&, const Specials&) = default;
};

inline constexpr Specials kIeee{NanCodes::kTopRow, true};
inline constexpr Specials kFn{NanCodes::kTopCode, false};
inline constexpr Specials kFnuz{NanCodes::kNegativeZero, false};
inline constexpr Specials kFiniteOnly{NanCodes::kNone, false};
inline constexpr Specials kExponentOnly{NanCodes::kTopCode, false, false};

/// A binary floating-point format.
///
/// value = (-1)^S * 2^(E - bias) * (1 + M / 2^mantissa_bits)     for E > 0
///       = (-1)^S * 2^(1 - bias) * (M / 2^mantissa_bits)         for E = 0 (zero and subnormals)
/// Without a zero (E8M0) every E is a normal exponent.
struct FloatFormat {
  int exponent_bits = 0;
  int mantissa_bits = 0;  ///< the stored ones
  int bias = 0;
  bool is_signed = true;
  Specials specials{};
  /// Zero bits below the code in its container: 13 for tf32, which registers and memory hold as
  /// the upper 19 bits of an fp32 word. Arrays hold containers, scalar functions take codes.
  int padding_bits = 0;

  friend constexpr bool operator==(const FloatFormat&, const FloatFormat&) = default;

  BINADE_HD constexpr int magnitude_bits() const { return exponent_bits + mantissa_bits; }
  BINADE_HD constexpr int bits() const { return (is_signed ? 1 : 0) + magnitude_bits(); }
  BINADE_HD constexpr int precision() const { return mantissa_bits + 1; }
  /// Whether the fields describe a format that codec.hpp can work with. Every format that has a
  /// name is one; functions that take arrays refuse the others.
  BINADE_HD constexpr bool is_valid() const {
    return exponent_bits >= 1 && exponent_bits <= 16 && mantissa_bits >= 0 && mantissa_bits <= 52 &&
           bias >= -kMostBias && bias <= kMostBias && padding_bits >= 0 &&
           bits() + padding_bits <= 64 && magnitude_bits() <= 63 &&
           (specials.nan != NanCodes::kTopRow || mantissa_bits >= 1) &&
           (specials.nan != NanCodes::kNegativeZero || is_signed);
  }
  static constexpr int kMostBias = 1 << 16;

  /// Bits of the unsigned integer that holds one element of an array: 8, 16, 32 or 64.
  BINADE_HD constexpr int container_bits() const {
    const int used = bits() + padding_bits;
    return used <= 8 ? 8 : used <= 16 ? 16 : used <= 32 ? 32 : 64;
  }

  /// Exponent of the smallest normal number, and of the subnormals' leading digit position.
  BINADE_HD constexpr int emin() const { return (specials.has_zero ? 1 : 0) - bias; }
  /// Exponent of the unit in the last place of the subnormals: all values are multiples of 2^this.
  BINADE_HD constexpr int min_ulp_exponent() const { return emin() - mantissa_bits; }
  /// Exponent of the largest finite number.
  BINADE_HD constexpr int emax() const {
    const auto field = static_cast<int>(max_finite_code() >> mantissa_bits);
    return specials.has_zero && field == 0 ? emin() - 1 : field - bias;
  }

  BINADE_HD constexpr std::uint64_t magnitude_mask() const {
    return (std::uint64_t{1} << magnitude_bits()) - 1;
  }
  BINADE_HD constexpr std::uint64_t mantissa_mask() const {
    return (std::uint64_t{1} << mantissa_bits) - 1;
  }
  BINADE_HD constexpr std::uint64_t sign_bit() const {
    return is_signed ? std::uint64_t{1} << magnitude_bits() : 0;
  }
  BINADE_HD constexpr std::uint64_t code_mask() const { return magnitude_mask() | sign_bit(); }

  BINADE_HD constexpr bool has_nan() const { return specials.nan != NanCodes::kNone; }
  BINADE_HD constexpr bool has_infinity() const { return specials.has_infinity; }
  BINADE_HD constexpr bool has_negative_zero() const {
    return is_signed && specials.nan != NanCodes::kNegativeZero;
  }

  BINADE_HD constexpr std::uint64_t max_finite_code() const {
    const std::uint64_t infinity = specials.has_infinity ? 1 : 0;
    switch (specials.nan) {
      case NanCodes::kTopRow:
        return (magnitude_mask() & ~mantissa_mask()) - 1;
      case NanCodes::kTopCode:
        return magnitude_mask() - 1 - infinity;
      default:
        return magnitude_mask() - infinity;
    }
  }
  /// The code of +infinity; meaningful only where has_infinity().
  BINADE_HD constexpr std::uint64_t infinity_code() const { return max_finite_code() + 1; }
  /// The NaN that CUDA writes: positive, all ones (or the one there is).
  BINADE_HD constexpr std::uint64_t canonical_nan_code() const {
    return specials.nan == NanCodes::kNegativeZero ? sign_bit() : magnitude_mask();
  }
  /// The NaN that IEEE software writes before it adds the sign: quiet bit alone, where there is
  /// one.
  BINADE_HD constexpr std::uint64_t quiet_nan_code() const {
    return specials.nan == NanCodes::kTopRow
               ? infinity_code() | (std::uint64_t{1} << (mantissa_bits - 1))
               : canonical_nan_code();
  }

  BINADE_HD constexpr bool is_nan(std::uint64_t code) const {
    const std::uint64_t magnitude = code & magnitude_mask();
    switch (specials.nan) {
      case NanCodes::kNone:
        return false;
      case NanCodes::kTopRow:
        return magnitude > (magnitude_mask() & ~mantissa_mask());
      case NanCodes::kTopCode:
        return magnitude == magnitude_mask();
      default:
        return code == sign_bit();
    }
  }
  BINADE_HD constexpr bool is_infinity(std::uint64_t code) const {
    return specials.has_infinity && (code & magnitude_mask()) == infinity_code();
  }
  BINADE_HD constexpr bool is_finite(std::uint64_t code) const {
    return !is_nan(code) && !is_infinity(code);
  }
  BINADE_HD constexpr bool is_negative(std::uint64_t code) const {
    return (code & sign_bit()) != 0;
  }
};

/// A format whose every value, subnormals included, is a value of `wide`.
BINADE_HD constexpr bool embeds_in(FloatFormat narrow, FloatFormat wide) {
  return narrow.mantissa_bits <= wide.mantissa_bits && narrow.emax() <= wide.emax() &&
         narrow.min_ulp_exponent() >= wide.min_ulp_exponent() &&
         (wide.is_signed || !narrow.is_signed);
}

}  // namespace binade

// The fixed-point accumulator: 2944 bits for each sign, three limbs touched by a term.
#include "binade/emulation/exact.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace binade {
namespace {

using Wide = unsigned __int128;

int width_of(Wide v) {
  const auto high = static_cast<std::uint64_t>(v >> 64);
  return high != 0 ? 64 + bit_width_of(high) : bit_width_of(static_cast<std::uint64_t>(v));
}

template <class Limbs>
void add_limb(Limbs& limbs, std::size_t i, std::uint64_t value) {
  limbs[i] += value;
  bool carry = limbs[i] < value;
  while (carry) carry = ++limbs[++i] == 0;
}

template <class Limbs>
Limbs difference(const Limbs& large, const Limbs& small) {
  Limbs r{};
  std::uint64_t borrow = 0;
  for (std::size_t i = 0; i < r.size(); ++i) {
    const std::uint64_t taken = large[i] - small[i];
    r[i] = taken - borrow;
    borrow = (large[i] < small[i] || taken < borrow) ? 1 : 0;
  }
  return r;
}

/// Number of significant bits of the whole number.
template <class Limbs>
int width_of_limbs(const Limbs& limbs) {
  for (std::size_t i = limbs.size(); i-- > 0;) {
    if (limbs[i] != 0) return static_cast<int>(i) * 64 + bit_width_of(limbs[i]);
  }
  return 0;
}

/// The 126 leading bits of a number of `width` bits, its top bit in bit 125; the last one is
/// sticky.
template <class Limbs>
Wide leading_bits(const Limbs& limbs, int width) {
  constexpr int kBits = 126;
  Wide bits = 0;
  bool lost = false;
  for (int i = 0; i < static_cast<int>(limbs.size()); ++i) {
    const Wide limb = limbs[static_cast<std::size_t>(i)];
    const int shift = i * 64 - (width - kBits);  // where the limb's bit 0 lands
    if (shift >= kBits) break;
    if (shift >= 0) {
      bits |= limb << shift;
    } else {
      bits |= shift > -64 ? limb >> -shift : 0;
      lost |= (shift > -64 ? limb & ((Wide{1} << -shift) - 1) : limb) != 0;
    }
  }
  return bits | (lost ? 1 : 0);
}

ValueClass worst_of(const Unpacked& x, const Unpacked& y) {
  return std::max(x.value_class, y.value_class);
}

bool is_zero_number(const Unpacked& x) {
  return x.value_class == ValueClass::kFinite && x.significand == 0;
}

}  // namespace

void ExactSum::add_bits(bool negative, Wide significand, int exponent) {
  if (significand == 0) return;
  while (exponent < kLowest && (significand & 1) == 0) {
    significand >>= 1;
    ++exponent;
  }
  if (exponent < kLowest || exponent + width_of(significand) > kHighest) {
    throw std::out_of_range("exact sum: a term of " + std::to_string(width_of(significand)) +
                            " bits times 2^" + std::to_string(exponent) +
                            " reaches beyond 2^-1408 .. 2^1408");
  }
  Limbs& limbs = negative ? negative_ : positive_;
  const auto position = static_cast<unsigned>(exponent - kLowest);
  const std::size_t i = position / 64;
  const unsigned shift = position % 64;
  const Wide low = significand << shift;
  add_limb(limbs, i, static_cast<std::uint64_t>(low));
  add_limb(limbs, i + 1, static_cast<std::uint64_t>(low >> 64));
  if (shift != 0) add_limb(limbs, i + 2, static_cast<std::uint64_t>(significand >> (128 - shift)));
}

void ExactSum::add_special(ValueClass worst, bool negative, bool has_zero) {
  if (worst == ValueClass::kNan || has_zero) {
    has_nan_ = true;
  } else {
    (negative ? has_negative_infinity_ : has_positive_infinity_) = true;
  }
}

void ExactSum::add(const Unpacked& x) {
  if (x.value_class != ValueClass::kFinite) return add_special(x.value_class, x.negative, false);
  add_bits(x.negative, x.significand, x.exponent);
}

void ExactSum::subtract(const Unpacked& x) {
  Unpacked minus = x;
  minus.negative = !x.negative;
  add(minus);
}

void ExactSum::add_product(const Unpacked& x, const Unpacked& y) {
  const bool negative = x.negative != y.negative;
  if (const ValueClass worst = worst_of(x, y); worst != ValueClass::kFinite) {
    return add_special(worst, negative, is_zero_number(x) || is_zero_number(y));
  }
  add_bits(negative, Wide{x.significand} * y.significand, x.exponent + y.exponent);
}

void ExactSum::add_scaled_product(const Unpacked& x, const Unpacked& y, const Unpacked& s,
                                  const Unpacked& t) {
  const bool negative = (x.negative != y.negative) != (s.negative != t.negative);
  const ValueClass worst = std::max(worst_of(x, y), worst_of(s, t));
  if (worst != ValueClass::kFinite) {
    return add_special(
        worst, negative,
        is_zero_number(x) || is_zero_number(y) || is_zero_number(s) || is_zero_number(t));
  }
  // Two products of up to 128 bits, multiplied by halves: for fp32 factors the high ones are 0.
  const Wide p = Wide{x.significand} * y.significand, q = Wide{s.significand} * t.significand;
  const int exponent = x.exponent + y.exponent + s.exponent + t.exponent;
  for (int i = 0; i < 2; ++i) {
    const auto p_half = static_cast<std::uint64_t>(p >> (64 * i));
    for (int j = 0; j < 2 && p_half != 0; ++j) {
      const auto q_half = static_cast<std::uint64_t>(q >> (64 * j));
      add_bits(negative, Wide{p_half} * q_half, exponent + 64 * (i + j));
    }
  }
}

void ExactSum::add(const ExactSum& other) {
  for (std::size_t i = 0; i < kLimbs; ++i) {
    if (other.positive_[i] != 0) add_limb(positive_, i, other.positive_[i]);
    if (other.negative_[i] != 0) add_limb(negative_, i, other.negative_[i]);
  }
  has_nan_ |= other.has_nan_;
  has_positive_infinity_ |= other.has_positive_infinity_;
  has_negative_infinity_ |= other.has_negative_infinity_;
}

bool ExactSum::is_zero() const {
  return !has_nan_ && !has_positive_infinity_ && !has_negative_infinity_ && positive_ == negative_;
}

std::uint64_t ExactSum::round(FloatFormat f, CastRules rules, std::uint64_t random) const {
  Unpacked special;
  special.negative = has_negative_infinity_;
  if (has_nan_ || (has_positive_infinity_ && has_negative_infinity_)) {
    special.value_class = ValueClass::kNan;
    special.negative = false;
    return encode(f, special, rules);
  }
  if (has_positive_infinity_ || has_negative_infinity_) {
    special.value_class = ValueClass::kInfinity;
    return encode(f, special, rules);
  }
  const bool negative = std::lexicographical_compare(positive_.rbegin(), positive_.rend(),
                                                     negative_.rbegin(), negative_.rend());
  const Limbs magnitude =
      negative ? difference(negative_, positive_) : difference(positive_, negative_);
  const int width = width_of_limbs(magnitude);
  if (width == 0) return encode(f, Unpacked{}, rules, random);
  constexpr int kTop = 125;
  const auto plan = detail::make_plan<Wide>(f, rules);
  const Wide significand = leading_bits(magnitude, width);
  return detail::with_rounding(rules.rounding, [&]<Rounding rounding>() {
    return static_cast<std::uint64_t>(detail::encode_finite<rounding, Wide, kTop>(
        plan, negative, kLowest + width - 1, significand, Wide{random}));
  });
}

double ExactSum::to_double() const { return bit_cast<double>(round(kFp64Format)); }

}  // namespace binade

// The exact accumulator against Boost's arbitrary-precision integers, and its single rounding
// against a rational that is compared with the two neighbours.
#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "binade/emulation/exact.hpp"
#include "binade/formats/catalog.hpp"
#include "catch.hpp"

using namespace binade;
using Integer = boost::multiprecision::cpp_int;

namespace {

constexpr int kUnit = -1500;  // the oracle counts in units of 2^kUnit

Integer oracle_of(const Unpacked& x) {
  REQUIRE(x.exponent >= kUnit);
  Integer v = x.significand;
  v <<= x.exponent - kUnit;
  return x.negative ? Integer(-v) : v;
}

/// Rounds value = sum * 2^kUnit into f by searching its codes: nearest, ties to the even code,
/// beyond the middle between the largest number and the next step infinity (or NaN).
class NearestCode {
 public:
  explicit NearestCode(FloatFormat f) : f_(f) {}

  std::uint64_t operator()(const Integer& sum) const {
    const Integer magnitude = abs(sum);
    std::uint64_t low = 0,
                  high = f_.max_finite_code() + 1;  // value(low) <= magnitude < value(high)
    if (magnitude >= value(high)) low = high;
    while (high - low > 1 && low < high) {
      const std::uint64_t middle = low + (high - low) / 2;
      (value(middle) <= magnitude ? low : high) = middle;
    }
    if (low < high) {
      const Integer below = magnitude - value(low), above = value(high) - magnitude;
      if (above < below || (above == below && (low & 1) != 0)) low = high;
    }
    std::uint64_t code = low;
    if (low > f_.max_finite_code()) {
      code = f_.has_infinity() ? f_.infinity_code() : f_.canonical_nan_code();
    }
    return sum < 0 && code != 0 ? code | f_.sign_bit() : (sum < 0 ? f_.sign_bit() : code);
  }

 private:
  /// In units of 2^kUnit, from the definition of the format; the code after the last finite one
  /// stands for the next number of the same spacing.
  Integer value(std::uint64_t code) const {
    const std::uint64_t field = code >> f_.mantissa_bits;
    Integer v = code & ((std::uint64_t{1} << f_.mantissa_bits) - 1);
    if (field != 0) v += std::uint64_t{1} << f_.mantissa_bits;
    const int exponent = static_cast<int>(field == 0 ? 1 : field) - f_.bias - f_.mantissa_bits;
    return v << (exponent - kUnit);
  }
  FloatFormat f_;
};

Unpacked random_number(std::mt19937_64& bits, int spread, int width) {
  Unpacked x;
  x.negative = bits() % 2 != 0;
  x.significand = bits() >> (64 - width) >> (bits() % static_cast<unsigned>(width));
  x.exponent =
      static_cast<int>(bits() % static_cast<unsigned>(2 * spread + 1)) - spread - width / 2;
  return x;
}

const std::vector<FloatFormat>& targets() {
  static const std::vector<FloatFormat> list{Fp64::format, Fp32::format, Bf16::format,
                                             Fp16::format, E4M3::format, E5M2::format};
  return list;
}

void check_rounding(const ExactSum& sum, const Integer& oracle) {
  for (const FloatFormat f : targets()) {
    const std::uint64_t want = oracle == 0 ? 0 : NearestCode(f)(oracle);
    INFO(format_name(f));
    CHECK(sum.round(f) == want);
  }
  CHECK(bit_cast<std::uint64_t>(sum.to_double()) == sum.round(Fp64::format));
  CHECK(sum.is_zero() == (oracle == 0));
}

}  // namespace

TEST_CASE("exact sums of random terms, products and scaled products") {
  std::mt19937_64 bits(3);
  for (int trial = 0; trial < 1500; ++trial) {
    const int spread = trial % 3 == 0 ? 8 : trial % 3 == 1 ? 60 : 300;
    ExactSum sum, half;
    Integer oracle = 0;
    const int terms = 1 + static_cast<int>(bits() % 40);
    for (int i = 0; i < terms; ++i) {
      const Unpacked x = random_number(bits, spread, 53), y = random_number(bits, spread, 53);
      const Unpacked s = random_number(bits, spread, 24), t = random_number(bits, spread, 53);
      switch (bits() % 5) {
        case 0:
          sum.add(x);
          oracle += oracle_of(x);
          break;
        case 1:
          half.subtract(x);
          oracle -= oracle_of(x);
          break;
        case 2:
          sum.add_product(x, y);
          oracle += (oracle_of(x) * oracle_of(y)) >> -kUnit;
          break;
        case 3:
          sum.add_scaled_product(x, y, s, t);
          oracle += (oracle_of(x) * oracle_of(y) * oracle_of(s) * oracle_of(t)) >> (-3 * kUnit);
          break;
        default:  // take almost all of it away again
          half.subtract(unpack(Fp64::format, sum.round(Fp64::format)));
          oracle -= oracle_of(unpack(Fp64::format, sum.round(Fp64::format)));
      }
    }
    sum.add(half);
    check_rounding(sum, oracle);
  }
}

TEST_CASE("one rounding: ties, and ties broken by the smallest bit far below") {
  std::mt19937_64 bits(4);
  for (const FloatFormat f : targets()) {
    INFO(format_name(f));
    for (int trial = 0; trial < 400; ++trial) {
      // A number of f (often a subnormal or the largest), half a unit of its last place, and a
      // distant bit of either sign, or none.
      std::uint64_t code = bits() % (f.max_finite_code() + 1);
      if (trial % 4 == 0) code %= std::uint64_t{1} << f.mantissa_bits;
      if (trial % 16 == 1) code = f.max_finite_code();
      if (trial % 2 == 1) code |= f.sign_bit();
      const Unpacked x = unpack(f, code);
      Unpacked half = x, dust = x;
      half.significand = 1;
      half.exponent = x.exponent - 1;
      dust.significand = 1;
      dust.exponent = std::max(x.exponent - 1 - static_cast<int>(bits() % 300), -1400);
      dust.negative = bits() % 2 != 0;
      ExactSum sum;
      Integer oracle = oracle_of(x) + oracle_of(half);
      sum.add(x);
      sum.add(half);
      if (trial % 3 != 0) {
        sum.add(dust);
        oracle += oracle_of(dust);
      }
      const std::uint64_t want = NearestCode(f)(oracle);
      CHECK(sum.round(f) == want);
    }
  }
}

TEST_CASE("directed roundings and stochastic ones see the whole sum") {
  ExactSum sum;
  const Unpacked one = unpack(kFp32Format, 0x3f800000u);
  Unpacked dust = one;
  dust.exponent = -1300;
  dust.significand = 1;
  sum.add(one);
  sum.add(dust);
  CastRules rules = kIeeeRules;
  rules.rounding = Rounding::kUp;
  CHECK(sum.round(Fp32::format, rules) == 0x3f800001u);
  rules.rounding = Rounding::kTowardZero;
  CHECK(sum.round(Fp32::format, rules) == 0x3f800000u);
  rules.rounding = Rounding::kToOdd;
  CHECK(sum.round(Fp32::format, rules) == 0x3f800001u);
  sum.subtract(dust);
  sum.subtract(dust);
  rules.rounding = Rounding::kDown;
  CHECK(sum.round(Fp32::format, rules) == 0x3f7fffffu);
  // 1 + 3/8 ulp with 3 random bits goes up for 3 draws of 8.
  ExactSum eighths;
  eighths.add(one);
  dust.exponent = -26;
  dust.significand = 3;
  eighths.add(dust);
  rules.rounding = Rounding::kStochasticA;
  rules.random_bits = 3;
  int up = 0;
  for (std::uint64_t r = 0; r < 8; ++r) up += eighths.round(Fp32::format, rules, r) & 1 ? 1 : 0;
  CHECK(up == 3);
}

TEST_CASE("carries and borrows travel through every limb") {
  // 2^1400 - 2^-1400, and back; then a sum whose positive and negative parts are huge and cancel.
  Unpacked big, small;
  big.significand = small.significand = 1;
  big.exponent = 1400;
  small.exponent = -1400;
  ExactSum sum;
  sum.add(big);
  sum.subtract(small);
  sum.subtract(big);
  CHECK(!sum.is_zero());
  CastRules up = kIeeeRules;
  up.rounding = Rounding::kDown;
  CHECK(sum.round(Fp32::format, up) == 0x80000001u);
  sum.add(small);
  CHECK(sum.is_zero());
  CHECK(sum.round(Fp32::format) == 0);
  ExactSum full;
  Unpacked ones;
  ones.significand = ~std::uint64_t{0};
  for (ones.exponent = -1408; ones.exponent < 1344; ones.exponent += 64) full.add(ones);
  Unpacked unit;
  unit.significand = 1;
  unit.exponent = -1408;
  full.add(unit);  // the carry runs to the top
  Unpacked top;
  top.significand = 1;
  top.exponent = 1344;
  full.subtract(top);
  CHECK(full.is_zero());
}

TEST_CASE("special values as IEEE addition, terms beyond the range throw") {
  const Unpacked inf = unpack(kFp32Format, 0x7f800000u),
                 minus_inf = unpack(kFp32Format, 0xff800000u);
  const Unpacked one = unpack(kFp32Format, 0x3f800000u), zero = unpack(kFp32Format, 0);
  const Unpacked nan = unpack(kFp32Format, 0x7fc00001u);
  ExactSum a;
  a.add(inf);
  a.add(one);
  CHECK(a.round(Fp32::format) == 0x7f800000u);
  CHECK(a.to_double() == std::numeric_limits<double>::infinity());
  CHECK(!a.is_zero());
  a.subtract(inf);
  CHECK(std::isnan(a.to_double()));
  ExactSum b;
  b.add_product(minus_inf, one);
  CHECK(b.round(Fp16::format) == 0xfc00u);
  b.add_scaled_product(one, one, one, nan);
  CHECK(std::isnan(b.to_double()));
  ExactSum c;
  c.add_product(inf, zero);
  CHECK(std::isnan(c.to_double()));
  ExactSum d;
  d.add_scaled_product(inf, one, one, zero);
  CHECK(std::isnan(d.to_double()));
  ExactSum e;
  e.add_product(zero, unpack(kFp32Format, 0x80000000u));
  CHECK(e.round(Fp32::format) == 0);
  const Unpacked tiny = unpack(kFp64Format, 1);  // 2^-1074
  CHECK_THROWS_AS(e.add_product(tiny, tiny), std::out_of_range);
  const Unpacked huge = unpack(kFp64Format, 0x7fe0000000000000u);
  CHECK_THROWS_AS(e.add_product(huge, huge), std::out_of_range);
  CHECK(e.is_zero());
  // Four fp32 subnormals, four largest numbers: within.
  const Unpacked least = unpack(kFp32Format, 1), most = unpack(kFp32Format, 0x7f7fffffu);
  e.add_scaled_product(least, least, least, least);
  CHECK(!e.is_zero());
  e.add_scaled_product(most, most, most, most);
  CHECK(e.to_double() == std::ldexp(std::ldexp(1.0, 24) - 1, 104) * (std::ldexp(1.0, 24) - 1) *
                             std::ldexp(1.0, 104) * (std::ldexp(1.0, 24) - 1) *
                             std::ldexp(1.0, 104) * (std::ldexp(1.0, 24) - 1) *
                             std::ldexp(1.0, 104));
}

// The slow oracle: every code of a format listed with its exact value, and rounding by looking for
// the two neighbours in that list. Written from the tables of IEEE 754, OCP OFP8, OCP MX and IEEE
// P3109, in arbitrary-precision integers; it shares no code with include/binade.
#pragma once

#include <algorithm>
#include <boost/multiprecision/cpp_int.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace oracle {

using boost::multiprecision::cpp_int;

/// integer * 2^exponent, integer >= 0.
struct Dyadic {
  cpp_int integer;
  int exponent = 0;
};

inline int compare(const Dyadic& a, const Dyadic& b) {
  if (a.integer == 0 || b.integer == 0) return (a.integer != 0) - (b.integer != 0);
  const long top_a = static_cast<long>(msb(a.integer)) + a.exponent;
  const long top_b = static_cast<long>(msb(b.integer)) + b.exponent;
  if (top_a != top_b) return top_a < top_b ? -1 : 1;
  const int common = std::min(a.exponent, b.exponent);
  const cpp_int x = a.integer << static_cast<unsigned>(a.exponent - common);
  const cpp_int y = b.integer << static_cast<unsigned>(b.exponent - common);
  return x < y ? -1 : x > y ? 1 : 0;
}

enum class Kind { kIeee, kFn, kFnuz, kFinite, kE8m0, kP3109Extended, kP3109Finite };

struct Format {
  std::string name;
  int exponent_bits;
  int mantissa_bits;
  int bias;
  bool is_signed;
  Kind kind;

  int bits() const { return (is_signed ? 1 : 0) + exponent_bits + mantissa_bits; }
};

inline Format p3109(int width, int precision, bool is_signed, bool extended) {
  const int bias = 1 << (width - precision - (is_signed ? 1 : 0));
  return {"binary" + std::to_string(width) + "p" + std::to_string(precision) +
              (is_signed ? "s" : "u") + (extended ? "e" : "f"),
          width - precision + (is_signed ? 0 : 1),
          precision - 1,
          bias,
          is_signed,
          extended ? Kind::kP3109Extended : Kind::kP3109Finite};
}

enum class What { kFinite, kInfinity, kNan };

struct Value {
  What what;
  bool negative;
  Dyadic magnitude;
};

/// The textbook: which special a code is, else its value.
inline Value value_of(const Format& f, std::uint64_t code) {
  const std::uint64_t one = 1;
  const std::uint64_t sign_place = one << (f.exponent_bits + f.mantissa_bits);
  const bool negative = f.is_signed && code >= sign_place;
  const std::uint64_t rest = negative ? code - sign_place : code;
  const std::uint64_t exponent = rest >> f.mantissa_bits;
  const std::uint64_t mantissa = rest - (exponent << f.mantissa_bits);
  const bool top_exponent = exponent == (one << f.exponent_bits) - 1;
  const bool top_mantissa = mantissa == (one << f.mantissa_bits) - 1;
  const bool last = rest == sign_place - 1;
  const bool negative_zero = negative && rest == 0;
  const bool extended = f.kind == Kind::kP3109Extended;
  What what = What::kFinite;
  switch (f.kind) {
    case Kind::kIeee:
      if (top_exponent) what = mantissa == 0 ? What::kInfinity : What::kNan;
      break;
    case Kind::kFn:
    case Kind::kE8m0:
      if (top_exponent && top_mantissa) what = What::kNan;
      break;
    case Kind::kFnuz:
      if (negative_zero) what = What::kNan;
      break;
    case Kind::kFinite:
      break;
    case Kind::kP3109Extended:
    case Kind::kP3109Finite:
      if (f.is_signed) {
        if (negative_zero) what = What::kNan;
        if (extended && last) what = What::kInfinity;
      } else {
        if (last) what = What::kNan;
        if (extended && rest == sign_place - 2) what = What::kInfinity;
      }
      break;
  }
  const bool hidden = exponent > 0 || f.kind == Kind::kE8m0;  // E8M0 has no subnormals
  const int field = hidden ? static_cast<int>(exponent) : 1;
  return {what,
          negative,
          {cpp_int(mantissa + (hidden ? one << f.mantissa_bits : 0)),
           field - f.bias - f.mantissa_bits}};
}

/// The grid points of one sign, smallest first, with the code of each. E8M0 gets a point for the
/// zero that it lacks: the place of code -1, which the smallest code stands in for.
struct Axis {
  std::vector<Dyadic> points;
  std::vector<std::int64_t> codes;
  Dyadic next;  ///< where the point after the last would be, did the exponents not end
};

inline Axis positive_axis(const Format& f) {
  Axis axis;
  if (f.kind == Kind::kE8m0) {
    axis.points.push_back({0, 0});
    axis.codes.push_back(-1);
  }
  const std::int64_t count = std::int64_t{1} << (f.exponent_bits + f.mantissa_bits);
  for (std::int64_t code = 0; code < count; ++code) {
    const Value v = value_of(f, static_cast<std::uint64_t>(code));
    if (v.what != What::kFinite) continue;
    axis.points.push_back(v.magnitude);
    axis.codes.push_back(code);
  }
  // The formula writes each number in units of its last place.
  axis.next = axis.points.back();
  axis.next.integer += 1;
  return axis;
}

/// Where a magnitude lies: at or above point `low`, by `numerator / denominator` of the gap to the
/// next one. Beyond `next` the last point is `low` and `beyond` is set.
struct Place {
  std::size_t low = 0;
  bool beyond = false;
  cpp_int numerator;
  cpp_int denominator = 1;
};

inline Place locate(const Axis& axis, const Dyadic& x) {
  Place place;
  const auto above =
      std::upper_bound(axis.points.begin(), axis.points.end(), x,
                       [](const auto& a, const auto& b) { return compare(a, b) < 0; });
  place.low = static_cast<std::size_t>(above - axis.points.begin()) - 1;
  const Dyadic& low = axis.points[place.low];
  const Dyadic& high = above == axis.points.end() ? axis.next : *above;
  if (compare(x, high) >= 0) {
    place.beyond = true;
    return place;
  }
  const int common = std::min({x.exponent, low.exponent, high.exponent});
  const auto in_units = [&](const Dyadic& d) {
    return cpp_int(d.integer << static_cast<unsigned>(d.exponent - common));
  };
  place.numerator = in_units(x) - in_units(low);
  place.denominator = in_units(high) - in_units(low);
  return place;
}

enum class Mode { kEven, kAway, kZero, kUp, kDown, kOdd, kA, kB, kC };

/// a / b rounded to the nearest integer, ties to the even one.
inline cpp_int nearest_integer(const cpp_int& a, const cpp_int& b) {
  const cpp_int whole = a / b;
  const cpp_int twice = 2 * (a - whole * b);
  const bool up = twice > b || (twice == b && (whole & 1) != 0);
  return whole + (up ? 1 : 0);
}

/// Whether the magnitude goes to the neighbour farther from zero.
inline bool goes_up(const Place& p, Mode mode, bool negative, bool low_is_odd, int random_bits,
                    std::uint64_t random) {
  if (p.numerator == 0) return false;
  const cpp_int one_n = cpp_int(1) << static_cast<unsigned>(random_bits);
  switch (mode) {
    case Mode::kEven:
      return 2 * p.numerator > p.denominator || (2 * p.numerator == p.denominator && low_is_odd);
    case Mode::kAway:
      return 2 * p.numerator >= p.denominator;
    case Mode::kZero:
      return false;
    case Mode::kUp:
      return !negative;
    case Mode::kDown:
      return negative;
    case Mode::kOdd:
      return !low_is_odd;
    case Mode::kA:
      return (p.numerator * one_n) / p.denominator + random >= one_n;
    case Mode::kB:
      return (p.numerator * 2 * one_n) / p.denominator + 2 * random + 1 >= 2 * one_n;
    default:
      return nearest_integer(p.numerator * one_n, p.denominator) + random >= one_n;
  }
}

/// The index of the point that a magnitude rounds to; axis.points.size() for an overflow, whatever
/// its rules make of it.
inline std::size_t round_index(const Axis& axis, const Place& p, Mode mode, bool negative,
                               int random_bits = 1, std::uint64_t random = 0) {
  if (p.beyond) return axis.points.size();
  const bool odd = (axis.codes[p.low] & 1) != 0;
  return p.low + (goes_up(p, mode, negative, odd, random_bits, random) ? 1 : 0);
}

}  // namespace oracle

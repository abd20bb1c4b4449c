// The dot model once more, straight from its definition, in arbitrary-precision integers. Nothing
// of the library is used here: not its formats, not its table of instructions.
#pragma once

#include <boost/multiprecision/cpp_int.hpp>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace oracle {

using Integer = boost::multiprecision::cpp_int;

/// A binary format with subnormals: 1 sign bit, then exponent and mantissa.
struct Format {
  int exponent_bits, mantissa_bits, bias;
  bool ieee;        ///< the top exponent is Inf and NaN; else only the all-ones magnitude is NaN
  int padding = 0;  ///< unused low bits of the container
  int bytes() const { return (1 + exponent_bits + mantissa_bits + padding) / 8; }
  std::uint32_t top_field() const { return (1u << exponent_bits) - 1; }
};
inline Format format_of(const std::string& name) {
  if (name == "e4m3") return {4, 3, 7, false};
  if (name == "e5m2") return {5, 2, 15, true};
  if (name == "f16") return {5, 10, 15, true};
  if (name == "bf16") return {8, 7, 127, true};
  if (name == "tf32") return {8, 10, 127, true, 13};
  if (name == "f32") return {8, 23, 127, true};
  throw std::logic_error("no format " + name);
}

/// value = n * 2^e; `exponent` is the stored one: that of the leading digit, emin for subnormals.
struct Number {
  enum Kind { kFinite, kInf, kNan } kind = kFinite;
  bool negative = false;
  std::int64_t n = 0;
  int e = 0, exponent = 0;
  bool zero() const { return kind == kFinite && n == 0; }
};

inline Number decode(const Format& f, std::uint32_t container) {
  const std::uint32_t code = container >> f.padding;
  const std::uint32_t mantissa = code & ((1u << f.mantissa_bits) - 1);
  const std::uint32_t field = (code >> f.mantissa_bits) & f.top_field();
  Number x;
  x.negative = ((code >> (f.mantissa_bits + f.exponent_bits)) & 1) != 0;
  const bool all_ones = mantissa == (1u << f.mantissa_bits) - 1;
  if (field == f.top_field() && (f.ieee || all_ones)) {
    x.kind = f.ieee && mantissa == 0 ? Number::kInf : Number::kNan;
    return x;
  }
  x.n = field == 0 ? mantissa : mantissa + (1u << f.mantissa_bits);
  if (x.negative) x.n = -x.n;
  x.exponent = static_cast<int>(field == 0 ? 1 : field) - f.bias;
  x.e = x.exponent - f.mantissa_bits;
  return x;
}

/// What the definition leaves open, for one instruction.
struct Spec {
  Format a{}, b{}, c{};
  int k = 0;
  std::vector<std::vector<int>> steps;  ///< the k of each step, in order
  int fraction_bits = 0;                ///< F
  std::optional<int> clamp;             ///< E is at least this
  bool floor = false;                   ///< two's complement shift
  int result_mantissa_bits = 0;
  bool nearest = false;    ///< the result is rounded to nearest even, else toward zero
  bool from_zero = false;  ///< C is added at the end, to nearest even
  bool via_half = false;   ///< operands are converted to FP16 first
};

/// n * 2^e in units of 2^unit; the fraction is cut off toward zero (or toward minus infinity).
inline Integer align(const Integer& n, int e, int unit, bool floor) {
  if (e >= unit) return n << (e - unit);
  const Integer divisor = Integer(1) << (unit - e);
  Integer q = n / divisor;  // toward zero
  if (floor && q * divisor > n) q -= 1;
  return q;
}
/// The same for the terms, whose digits fit a machine word (most of the time goes here).
inline Integer align(std::int64_t n, int e, int unit, bool floor) {
  if (e >= unit) return Integer(n) << (e - unit);
  if (unit - e > 60) return floor && n < 0 ? -1 : 0;
  const std::int64_t divisor = std::int64_t{1} << (unit - e);
  return n / divisor - (floor && n % divisor < 0 ? 1 : 0);
}

/// The container code of n * 2^e: RNE or RZ to `mantissa_bits`, infinity beyond the range, +0.
inline std::uint32_t encode(const Format& c, int mantissa_bits, bool nearest, const Integer& n,
                            int e) {
  if (n == 0) return 0;
  const Integer magnitude = abs(n);
  const int leading = static_cast<int>(msb(magnitude)) + e;
  const int emin = 1 - c.bias, emax = static_cast<int>(c.top_field()) - 1 - c.bias;
  const int unit = std::max(leading, emin) - mantissa_bits;
  Integer q = align(magnitude, e, unit, false);
  if (nearest && e < unit) {
    const Integer twice_rest = (magnitude - (q << (unit - e))) * 2;
    const Integer one = Integer(1) << (unit - e);
    if (twice_rest > one || (twice_rest == one && q % 2 != 0)) q += 1;
  }
  if (q == 0) return 0;
  const std::uint32_t sign = n < 0 ? 1u << (c.exponent_bits + c.mantissa_bits) : 0;
  const std::uint32_t infinity = c.top_field() << c.mantissa_bits;
  // q * 2^unit: a carry to the next power of two keeps its value.
  const int top = static_cast<int>(msb(q)) + unit;
  if (top > emax) return infinity | sign;
  const Integer significand = q << (c.mantissa_bits - mantissa_bits);
  const int spare = top >= emin ? static_cast<int>(msb(significand)) - c.mantissa_bits : 0;
  const auto digits = static_cast<std::uint32_t>(significand >> spare);
  const std::uint32_t mantissa = digits & ((1u << c.mantissa_bits) - 1);
  const std::uint32_t field = top >= emin ? static_cast<std::uint32_t>(top - emin + 1) : 0;
  return (field << c.mantissa_bits) | mantissa | sign;
}

struct Special {
  bool nan = false, plus = false, minus = false;
  void infinity(bool negative) { (negative ? minus : plus) = true; }
  std::optional<std::uint32_t> code(const Format& c) const {
    const std::uint32_t infinity = c.top_field() << c.mantissa_bits;
    if (nan || (plus && minus)) return infinity | ((1u << c.mantissa_bits) - 1);
    if (plus) return infinity;
    if (minus) return infinity | 1u << (c.exponent_bits + c.mantissa_bits);
    return std::nullopt;
  }
};

inline std::uint32_t step(const Spec& s, const std::vector<Number>& a, const std::vector<Number>& b,
                          const std::vector<int>& which, std::uint32_t c_code) {
  struct Term {
    std::int64_t n;
    int e, exponent;
  };
  const Number c = decode(s.c, c_code);
  std::vector<Term> terms;
  Special special;
  special.nan = c.kind == Number::kNan;
  if (c.kind == Number::kInf) special.infinity(c.negative);
  if (c.kind == Number::kFinite && c.n != 0) terms.push_back({c.n, c.e, c.exponent});
  for (const int k : which) {
    const Number &x = a[static_cast<std::size_t>(k)], &y = b[static_cast<std::size_t>(k)];
    if (x.kind == Number::kNan || y.kind == Number::kNan) {
      special.nan = true;
    } else if (x.kind == Number::kInf || y.kind == Number::kInf) {
      if (x.zero() || y.zero())
        special.nan = true;
      else
        special.infinity(x.negative != y.negative);
    } else if (x.n != 0 && y.n != 0) {
      terms.push_back({x.n * y.n, x.e + y.e, x.exponent + y.exponent});
    }
  }
  if (const auto code = special.code(s.c)) return *code;
  if (terms.empty()) return 0;
  int largest = terms.front().exponent;
  for (const Term& t : terms) largest = std::max(largest, t.exponent);
  if (s.clamp) largest = std::max(largest, *s.clamp);
  const int unit = largest - s.fraction_bits;
  Integer sum = 0;
  for (const Term& t : terms) sum += align(t.n, t.e, unit, s.floor);
  return encode(s.c, s.result_mantissa_bits, s.nearest, sum, unit);
}

inline std::uint32_t add(const Spec& s, std::uint32_t x_code, std::uint32_t y_code) {
  const Number x = decode(s.c, x_code), y = decode(s.c, y_code);
  Special special;
  for (const Number& v : {x, y}) {
    if (v.kind == Number::kNan) special.nan = true;
    if (v.kind == Number::kInf) special.infinity(v.negative);
  }
  if (const auto code = special.code(s.c)) return *code;
  const int unit = std::min(x.e, y.e);
  const Integer sum = align(x.n, x.e, unit, false) + align(y.n, y.e, unit, false);
  return encode(s.c, s.result_mantissa_bits, true, sum, unit);
}

/// An operand as the multiplier sees it. Every FP8 number is one of FP16, whose normal numbers
/// reach down to 2^-14.
inline Number operand(const Spec& s, const Format& f, std::uint32_t code) {
  Number x = decode(f, code);
  if (s.via_half && x.kind == Number::kFinite && x.n != 0) {
    const int leading = static_cast<int>(msb(abs(Integer(x.n)))) + x.e;
    x.exponent = std::max(leading, -14);
  }
  return x;
}

/// A row of any length; the tail of the last instruction is zeros.
inline std::uint32_t dot(const Spec& s, const std::vector<std::uint32_t>& a,
                         const std::vector<std::uint32_t>& b, std::uint32_t c) {
  std::uint32_t d = c;
  for (std::size_t first = 0; first < a.size(); first += static_cast<std::size_t>(s.k)) {
    std::vector<Number> x(static_cast<std::size_t>(s.k)), y(x.size());
    for (std::size_t i = 0; i < x.size() && first + i < a.size(); ++i) {
      x[i] = operand(s, s.a, a[first + i]);
      y[i] = operand(s, s.b, b[first + i]);
    }
    std::uint32_t chain = s.from_zero ? 0 : d;
    for (const std::vector<int>& which : s.steps) chain = step(s, x, y, which, chain);
    d = s.from_zero ? add(s, chain, d) : chain;
  }
  return d;
}

/// The definitions by name: an own copy, so that a slip in the library's table shows.
inline Spec spec_of(const std::string& name) {
  std::vector<std::string> words{""};
  for (const char ch : name) {
    if (ch == '.')
      words.emplace_back();
    else
      words.back() += ch;
  }
  const std::string unit = words[0] + "." + words[1];
  const bool reference = words[0] == "reference";
  Spec s;
  s.a = format_of(words[words.size() - 2]);
  s.b = format_of(words.back());
  s.c = format_of(reference ? "f32" : words[2]);
  const int bytes = s.a.bytes();
  const bool fp8 = bytes == 1, fp16_out = s.c.mantissa_bits == 10;
  s.k = unit == "volta.mma" ? 4 : 32 / bytes;
  s.nearest = fp16_out;
  s.result_mantissa_bits = s.c.mantissa_bits;
  int step_k = s.k;
  if (unit == "hopper.wgmma" || unit == "hopper.mma" || unit == "blackwell.tcgen05") {
    s.fraction_bits = 25;
    s.clamp = fp16_out && unit != "blackwell.tcgen05" ? -21 : -133;
  } else if (unit == "volta.mma") {
    s.fraction_bits = 23;
  } else if (unit == "ampere.mma" || unit == "ada.mma") {
    s.fraction_bits = 24;
    step_k = s.k / 2;
  }
  if (fp8 && (unit == "hopper.wgmma" || unit == "ada.mma" || unit == "reference.floor14")) {
    s.fraction_bits = 13;
    s.clamp.reset();
    if (!fp16_out) s.result_mantissa_bits = 13;
    s.floor = unit == "reference.floor14";
  }
  if (unit == "reference.wide") {
    s.fraction_bits = 48;
    s.nearest = true;
  }
  for (int k = 0; k < s.k; ++k) {
    const bool pairs = fp8 && unit == "hopper.mma";
    const auto which = static_cast<std::size_t>(pairs ? (k % 4) / 2 : k / step_k);
    if (s.steps.size() <= which) s.steps.resize(which + 1);
    s.steps[which].push_back(k);
    s.from_zero = s.via_half = pairs;
  }
  return s;
}

}  // namespace oracle

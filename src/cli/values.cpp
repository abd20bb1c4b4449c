#include "cli/values.hpp"

#include <cfenv>
#include <cfloat>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <vector>

#include "binade/formats/catalog.hpp"
#include "cli/terminal.hpp"

namespace binade::cli {
namespace {

static_assert(LDBL_MANT_DIG >= 64 && LDBL_MAX_EXP >= 16384, "to_wide is exact");

std::string printed(const char* format, int digits, Wide value) {
  std::vector<char> buffer(64);
  for (;;) {
    const int length = std::snprintf(buffer.data(), buffer.size(), format, digits, value);
    if (static_cast<std::size_t>(length) < buffer.size()) return buffer.data();
    buffer.resize(static_cast<std::size_t>(length) + 1);
  }
}

std::string special_text(Wide value) {
  return std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
}

/// d.ddde+xx without the zeros at the end of its digits.
std::string trimmed_scientific(std::string text) {
  const std::size_t e = text.find('e');
  std::size_t end = text.find_last_not_of('0', e - 1) + 1;
  if (text[end - 1] == '.') --end;
  return text.substr(0, end) + text.substr(e);
}

/// Turns d.ddde+xx into plain digits where these are few.
std::string plain_if_short(const std::string& scientific) {
  const std::size_t e = scientific.find('e');
  const int exponent = std::stoi(scientific.substr(e + 1));
  const bool negative = scientific[0] == '-';
  std::string digits;
  for (const char c : scientific.substr(0, e)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  if (exponent < -6 || exponent > 20) return scientific;
  std::string text;
  if (exponent < 0) {
    text = "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  } else {
    const auto whole = static_cast<std::size_t>(exponent) + 1;
    if (digits.size() <= whole) {
      text = digits + std::string(whole - digits.size(), '0');
    } else {
      text = digits.substr(0, whole) + "." + digits.substr(whole);
    }
  }
  return (negative ? "-" : "") + text;
}

std::string binary(std::uint64_t bits, int width) {
  std::string text;
  for (int i = width; i-- > 0;) text += (bits >> i & 1) != 0 ? '1' : '0';
  return text;
}

/// Reads under one rounding direction of the C library, which is exact to the last digit.
Wide read_toward(int direction, const std::string& text, std::size_t& used) {
  const int before = std::fegetround();
  std::fesetround(direction);
  char* end = nullptr;
  const Wide value = std::strtold(text.c_str(), &end);
  std::fesetround(before);
  used = static_cast<std::size_t>(end - text.c_str());
  return value;
}

/// A magnitude cut to 53 bits, the last of which is set when anything was cut (or `inexact`).
Unpacked to_odd(Wide magnitude, bool inexact) {
  Unpacked u;
  int exponent = 0;
  const auto bits = static_cast<std::uint64_t>(std::ldexp(std::frexp(magnitude, &exponent), 64));
  u.significand = bits >> 11 | ((bits & 0x7ff) != 0 || inexact ? 1 : 0);
  u.exponent = exponent - 53;
  if (bits == 0) u.exponent = LDBL_MIN_EXP - LDBL_MANT_DIG;
  return u;
}

}  // namespace

Wide to_wide(const Unpacked& value) {
  const Wide sign = value.negative ? -1 : 1;
  if (value.value_class == ValueClass::kNan) return std::copysign(Wide(NAN), sign);
  if (value.value_class == ValueClass::kInfinity) return sign * Wide(INFINITY);
  return sign * std::ldexp(static_cast<Wide>(value.significand), value.exponent);
}

std::string exact_decimal(Wide value) {
  if (!std::isfinite(value)) return special_text(value);
  // A value with its last bit at 2^-n has at most as many digits as 2^-n has places.
  return plain_if_short(trimmed_scientific(printed("%.*Le", 16500, value)));
}

std::string short_decimal(Wide value, int digits) {
  if (!std::isfinite(value)) return special_text(value);
  const std::string all = trimmed_scientific(printed("%.*Le", 16500, value));
  const std::size_t end = all.find('e');
  const std::size_t kept = static_cast<std::size_t>(digits) + (value < 0 ? 2 : 1);  // and the point
  if (end <= kept) return plain_if_short(all);
  const std::string text = plain_if_short(all.substr(0, kept) + all.substr(end));
  const std::size_t e = std::min(text.find('e'), text.size());
  return text.substr(0, e) + "..." + text.substr(e);
}

std::string hex_float(Wide value) {
  if (!std::isfinite(value)) return special_text(value);
  if (value == 0) return std::signbit(value) ? "-0x0p+0" : "0x0p+0";
  // x87's own %La puts four bits before the point; 0x1.xxxp is how everyone else writes it.
  int exponent = 0;
  const Wide fraction = std::frexp(std::fabs(value), &exponent) * 2;
  auto bits = static_cast<std::uint64_t>(std::ldexp(fraction, 63)) << 1;
  std::string text = value < 0 ? "-0x1" : "0x1";
  if (bits != 0) text += '.';
  for (; bits != 0; bits <<= 4) text += "0123456789abcdef"[bits >> 60];
  return text + "p" + (exponent - 1 < 0 ? "" : "+") + std::to_string(exponent - 1);
}

std::string power_or_decimal(Wide value) {
  int exponent = 0;
  if (std::frexp(value, &exponent) == 0.5L) return "2^" + std::to_string(exponent - 1);
  return plain_if_short(trimmed_scientific(printed("%.*Le", 8, value)));
}

std::string bit_fields(FloatFormat f, std::uint64_t code) {
  std::string text = f.is_signed ? ink(Ink::kSign, f.is_negative(code) ? "1" : "0") + " " : "";
  text +=
      ink(Ink::kExponent, binary((code & f.magnitude_mask()) >> f.mantissa_bits, f.exponent_bits));
  if (f.mantissa_bits == 0) return text;
  return text + " " + ink(Ink::kMantissa, binary(code & f.mantissa_mask(), f.mantissa_bits));
}

std::string code_text(FloatFormat f, std::uint64_t code) {
  char buffer[24];
  std::snprintf(buffer, sizeof buffer, "0x%0*llx", (f.bits() + 3) / 4,
                static_cast<unsigned long long>(code));
  return buffer;
}

std::string class_name(FloatFormat f, std::uint64_t code) {
  if (f.is_nan(code)) return "NaN";
  if (f.is_infinity(code)) return "infinity";
  const Unpacked u = unpack(f, code);
  if (u.significand == 0) return "zero";
  return (u.significand >> f.mantissa_bits) != 0 ? "normal" : "subnormal";
}

std::optional<std::uint64_t> neighbour(FloatFormat f, std::uint64_t code, int direction) {
  if (f.is_nan(code)) return std::nullopt;
  const auto last = static_cast<std::int64_t>(f.max_finite_code() + (f.has_infinity() ? 1 : 0));
  const auto magnitude = static_cast<std::int64_t>(code & f.magnitude_mask());
  const std::int64_t next = (f.is_negative(code) ? -magnitude : magnitude) + direction;
  if (next > last || next < (f.is_signed ? -last : 0)) return std::nullopt;
  return next < 0 ? static_cast<std::uint64_t>(-next) | f.sign_bit()
                  : static_cast<std::uint64_t>(next);
}

TypedValue parse_value(std::string_view text) {
  std::string word(text);
  word.erase(0, word.find_first_not_of(' '));
  std::size_t used = 0, again = 0;
  const Wide toward_zero = read_toward(FE_TOWARDZERO, word, used);
  if (word.empty() || used != word.size() || word.find('(') != word.npos) {
    throw std::invalid_argument("'" + word + "' is no number, expected for instance -0.5, 1e-3, " +
                                "0x1.8p-3, inf or nan (a bit pattern goes to --code)");
  }
  TypedValue value;
  value.nearest = read_toward(FE_TONEAREST, word, again);
  value.nearest_fp64 = std::strtod(word.c_str(), nullptr);
  const bool named_infinity = word.find_first_of("iI") != word.npos;
  const Wide magnitude = std::fabs(toward_zero);
  if (std::isnan(toward_zero)) {
    value.exact.value_class = ValueClass::kNan;
  } else if (named_infinity) {
    value.exact.value_class = ValueClass::kInfinity;
  } else {
    const bool inexact =
        read_toward(FE_UPWARD, word, again) != read_toward(FE_DOWNWARD, word, again);
    value.exact = to_odd(magnitude, inexact);
  }
  value.exact.negative = std::signbit(toward_zero);
  return value;
}

std::uint64_t parse_code(std::string_view text, FloatFormat f) {
  std::string_view digits = text;
  int base = 10;
  if (digits.starts_with("0x") || digits.starts_with("0X")) base = 16;
  if (digits.starts_with("0b") || digits.starts_with("0B")) base = 2;
  if (base != 10) digits.remove_prefix(2);
  std::uint64_t code = 0;
  const char* end = digits.data() + digits.size();
  const auto result = std::from_chars(digits.data(), end, code, base);
  if (digits.empty() || result.ec != std::errc{} || result.ptr != end || code > f.code_mask()) {
    throw std::invalid_argument("'" + std::string(text) + "' is no code of " + format_name(f) +
                                ", expected 0x0 to " + code_text(f, f.code_mask()));
  }
  return code;
}

}  // namespace binade::cli

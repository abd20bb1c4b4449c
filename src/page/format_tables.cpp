// Every code of every format up to 16 bits with its value, and every decision of its rounding.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "binade/formats/cast.hpp"
#include "page/tables.hpp"

namespace binade::page {
namespace {

constexpr CastRules kSaturating{};
constexpr CastRules kSpecial{Rounding::kNearestEven, Overflow::kSpecial, InfinityRule::kPropagate,
                             NanRule::kCanonical, 8};
constexpr int kWidestTable = 16;

std::string base64(const void* data, std::size_t size) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto* bytes = static_cast<const unsigned char*>(data);
  std::string out;
  for (std::size_t i = 0; i < size; i += 3) {
    const std::size_t left = size - i;
    const unsigned group = static_cast<unsigned>(bytes[i]) << 16 |
                           (left > 1 ? static_cast<unsigned>(bytes[i + 1]) << 8 : 0u) |
                           (left > 2 ? static_cast<unsigned>(bytes[i + 2]) : 0u);
    out += kDigits[group >> 18];
    out += kDigits[group >> 12 & 63];
    out += left > 1 ? kDigits[group >> 6 & 63] : '=';
    out += left > 2 ? kDigits[group & 63] : '=';
  }
  return out;
}

/// fp32 words, little-endian. Every number of the tables embeds in fp32, which this checks.
std::string pack(const std::vector<double>& numbers) {
  std::vector<float> words;
  for (const double x : numbers) {
    words.push_back(static_cast<float>(x));
    if (!std::isnan(x) && static_cast<double>(words.back()) != x) {
      throw std::logic_error("page tables: " + std::to_string(x) + " is no fp32 number");
    }
  }
  return base64(words.data(), words.size() * sizeof(float));
}

std::string pack_bits(const std::vector<bool>& bits) {
  std::vector<unsigned char> bytes((bits.size() + 7) / 8);
  for (std::size_t i = 0; i < bits.size(); ++i) {
    if (bits[i]) bytes[i / 8] = static_cast<unsigned char>(bytes[i / 8] | 1u << i % 8);
  }
  return base64(bytes.data(), bytes.size());
}

/// The codes that leave the run of finite positive numbers, each as the library encodes it.
Json exits(FloatFormat f) {
  const double huge = std::numeric_limits<double>::max();
  const double infinity = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Json out;
  for (const auto& [name, rules] : {std::pair{"saturate", kSaturating}, {"special", kSpecial}}) {
    out[name] = {
        {"over", encode(f, huge, rules)},         {"under", encode(f, -huge, rules)},
        {"infinity", encode(f, infinity, rules)}, {"minusInfinity", encode(f, -infinity, rules)},
        {"nan", encode(f, nan, rules)},           {"minusZero", encode(f, -0.0, rules)},
        {"minusOne", encode(f, -1.0, rules)}};
  }
  return out;
}

/// An unsigned format overflows below zero, but for what is so small that it rounds to zero.
Json negative_fence(FloatFormat f) {
  const double at = std::ldexp(1.0, f.min_ulp_exponent() - 1);
  const std::uint64_t zero = encode(f, -0.0, kSpecial), over = encode(f, -1.0, kSpecial);
  if (encode(f, std::nextafter(-at, 0.0), kSpecial) != zero ||
      encode(f, std::nextafter(-at, -1.0), kSpecial) != over) {
    throw std::logic_error("page tables: no fence below zero in " + format_name(f));
  }
  return {{"at", at}, {"tieIsZero", encode(f, -at, kSpecial) == zero}};
}

Json decisions(FloatFormat f) {
  std::vector<double> at;
  std::vector<bool> ties;
  for (std::uint64_t code = 0; code <= f.max_finite_code(); ++code) {
    const Boundary b = boundary_above(f, code);
    at.push_back(b.at);
    ties.push_back(b.tie_goes_up);
  }
  return {{"boundaries", pack(at)}, {"ties", pack_bits(ties)}, {"exits", exits(f)}};
}

Json describe(const FormatInfo& info) {
  const FloatFormat f = info.format;
  Json out{{"name", info.name},
           {"aliases", info.aliases},
           {"source", info.source},
           {"bits", f.bits()},
           {"exponentBits", f.exponent_bits},
           {"mantissaBits", f.mantissa_bits},
           {"bias", f.bias},
           {"signed", f.is_signed},
           {"hasZero", f.specials.has_zero},
           {"hasInfinity", f.has_infinity()},
           {"hasNan", f.has_nan()},
           {"negativeZero", f.has_negative_zero()},
           {"paddingBits", f.padding_bits},
           {"emin", f.emin()},
           {"emax", f.emax()},
           {"minUlpExponent", f.min_ulp_exponent()},
           {"maxFinite", decode(f, f.max_finite_code())},
           {"minNormal", std::ldexp(1.0, f.emin())},
           {"minPositive", std::ldexp(1.0, f.min_ulp_exponent())}};
  if (f.bits() > kWidestTable) return out;
  std::vector<double> values;
  for (std::uint64_t code = 0; code <= f.code_mask(); ++code) values.push_back(decode(f, code));
  out["values"] = pack(values);
  out["maxFiniteCode"] = f.max_finite_code();
  out.update(decisions(f));
  if (!f.is_signed) out["negativeFence"] = negative_fence(f);
  return out;
}

}  // namespace

Boundary boundary_above(FloatFormat f, std::uint64_t lower) {
  const bool last = lower == f.max_finite_code();
  const double beyond = std::numeric_limits<double>::max();
  // Where nothing marks an overflow, the same format with one exponent bit more tells it apart.
  if (last && encode(f, beyond, kSpecial) == lower) {
    ++f.exponent_bits;
    return boundary_above(f, lower);
  }
  const double low = decode(f, lower);
  const double high =
      last ? low + std::ldexp(1.0, f.emax() - f.mantissa_bits) : decode(f, lower + 1);
  Boundary b{(low + high) / 2.0, false};
  const std::uint64_t upper = encode(f, beyond, kSpecial);
  const std::uint64_t above = last ? upper : lower + 1;
  b.tie_goes_up = encode(f, b.at, kSpecial) != lower;
  const double before = std::nextafter(b.at, 0.0);
  const double after = std::nextafter(b.at, std::numeric_limits<double>::infinity());
  const std::uint64_t tie = b.tie_goes_up ? above : lower;
  if (encode(f, before, kSpecial) != lower || encode(f, after, kSpecial) != above ||
      encode(f, b.at, kSpecial) != tie) {
    throw std::logic_error("page tables: no boundary above code " + std::to_string(lower) + " of " +
                           format_name(f));
  }
  return b;
}

std::vector<FormatInfo> page_formats() {
  std::vector<FormatInfo> formats = catalog();
  for (const char* name : {"binary8p4se", "binary8p3se"}) formats.push_back(parse_format(name));
  return formats;
}

Json format_tables() {
  Json out = Json::array();
  for (const FormatInfo& info : page_formats()) out.push_back(describe(info));
  return out;
}

}  // namespace binade::page

// Every code of every format: its value is what the textbook formula says, codes are ordered as
// values, and a value is its own rounding.
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "../oracles/format_list.hpp"
#include "bits.hpp"
#include "catch.hpp"

using namespace binade;

namespace {

std::vector<oracle::Format> listed_formats() {
  return oracle::joined(oracle::catalogue(), oracle::all_p3109(3, 8), oracle::wide_p3109(),
                        oracle::all_exmy(4, 3));
}

oracle::Dyadic exact(const Unpacked& u) { return {oracle::cpp_int(u.significand), u.exponent}; }

/// Nothing where the code is what the formula says, else what is wrong.
std::string fault_of_code(const oracle::Format& textbook, FloatFormat f, std::uint64_t code) {
  const oracle::Value want = oracle::value_of(textbook, code);
  const Unpacked got = unpack(f, code);
  if ((got.value_class == ValueClass::kNan) != (want.what == oracle::What::kNan)) return "NaN";
  if ((got.value_class == ValueClass::kInfinity) != (want.what == oracle::What::kInfinity)) {
    return "infinity";
  }
  if (got.negative != want.negative) return "sign";
  const bool finite = want.what == oracle::What::kFinite;
  if (finite && oracle::compare(exact(got), want.magnitude) != 0) return "value";
  if (finite && embeds_in(f, kFp64Format)) {
    const double v =
        std::ldexp(want.magnitude.integer.convert_to<double>(), want.magnitude.exponent);
    if (bit_cast<std::uint64_t>(decode(f, code)) !=
        bit_cast<std::uint64_t>(want.negative ? -v : v)) {
      return "decode to fp64";
    }
  }
  return "";
}

std::vector<CastRules> every_rule() {
  std::vector<CastRules> list;
  for (const std::string& rounding : rounding_names()) {
    for (const char* overflow : {"saturate", "special", "sat_propagate"}) {
      list.push_back(rules_of(rounding, overflow));
    }
  }
  return list;
}

}  // namespace

TEST_CASE("every code is worth what the formula of its format says") {
  for (const oracle::Format& textbook : listed_formats()) {
    const FloatFormat f = parse_format(textbook.name).format;
    CAPTURE(textbook.name);
    REQUIRE(f.bits() == textbook.bits());
    for (std::uint64_t code = 0; code <= f.code_mask(); ++code) {
      const std::string fault = fault_of_code(textbook, f, code);
      if (!fault.empty()) {
        CAPTURE(hex(code));
        REQUIRE(fault.empty());
      }
    }
  }
}

TEST_CASE("a sample of the codes of fp32, fp64 and wide eXmY") {
  using oracle::Kind;
  std::mt19937_64 bits(5);
  for (const oracle::Format& textbook : {oracle::Format{"fp32", 8, 23, 127, true, Kind::kIeee},
                                         {"fp64", 11, 52, 1023, true, Kind::kIeee},
                                         {"e11m20", 11, 20, 1023, true, Kind::kIeee},
                                         {"e15m48fn", 15, 48, 16383, true, Kind::kFn},
                                         {"e1m52fnuz", 1, 52, 1, true, Kind::kFnuz}}) {
    const FloatFormat f = parse_format(textbook.name).format;
    for (int i = 0; i < 100000; ++i) {
      const std::uint64_t any = bits();
      // Half of them near the ends of the axes, where the specials and the subnormals are.
      const std::uint64_t code = (i % 2 == 0   ? any
                                  : i % 4 == 1 ? any % 64
                                               : f.magnitude_mask() - any % 64) &
                                 f.code_mask();
      const std::string fault = fault_of_code(textbook, f, code);
      if (!fault.empty()) {
        CAPTURE(textbook.name, hex(code));
        REQUIRE(fault.empty());
      }
    }
  }
}

TEST_CASE("hardware agrees with fp32 and fp64 decoding") {
  std::mt19937_64 bits(6);
  for (int i = 0; i < 100000; ++i) {
    const std::uint64_t any = bits();
    const float x = bit_cast<float>(static_cast<std::uint32_t>(any));
    const double y = bit_cast<double>(any);
    if (std::isnan(x) || std::isnan(y)) continue;
    REQUIRE(bit_cast<std::uint64_t>(decode(kFp32Format, any & 0xffffffff)) ==
            bit_cast<std::uint64_t>(static_cast<double>(x)));
    REQUIRE(bit_cast<std::uint64_t>(decode(kFp64Format, any)) == any);
    REQUIRE(encode(kFp32Format, y, kIeeeRules) ==
            bit_cast<std::uint32_t>(static_cast<float>(y)));  // one IEEE rounding
  }
}

TEST_CASE("codes of one sign are ordered as their values") {
  for (const oracle::Format& textbook : listed_formats()) {
    const FloatFormat f = parse_format(textbook.name).format;
    CAPTURE(textbook.name);
    for (std::uint64_t code = 0; code < f.max_finite_code(); ++code) {
      if (oracle::compare(exact(unpack(f, code)), exact(unpack(f, code + 1))) >= 0) {
        CAPTURE(hex(code));
        REQUIRE(false);
      }
    }
    CHECK(f.is_finite(f.max_finite_code()));
    CHECK((f.max_finite_code() == f.magnitude_mask() || !f.is_finite(f.max_finite_code() + 1)));
  }
}

TEST_CASE("every finite code is its own rounding under every rule, whatever the random bits") {
  const std::vector<CastRules> rules = every_rule();
  for (const oracle::Format& textbook : listed_formats()) {
    const FloatFormat f = parse_format(textbook.name).format;
    const std::uint64_t step = f.bits() <= 8 ? 1 : 37;
    for (std::uint64_t code = 0; code <= f.code_mask(); code += step) {
      if (!f.is_finite(code)) continue;
      for (const CastRules& r : rules) {
        if (convert(f, code, f, r, code & 0xff) != code) {
          CAPTURE(textbook.name, hex(code), name_of(r.rounding));
          REQUIRE(false);
        }
      }
    }
  }
  SUCCEED();
}

TEST_CASE("arrays decode to fp32 as the formula says") {
  for (const oracle::Format& textbook : listed_formats()) {
    const FloatFormat f = parse_format(textbook.name).format;
    if (!embeds_in(f, kFp32Format)) {
      float out = 0;
      const std::uint64_t code = 0;
      CHECK_THROWS_AS(decode(f, &code, {&out, 1}), std::invalid_argument);
      continue;
    }
    const auto width = static_cast<std::size_t>(f.container_bits()) / 8;
    const std::size_t count = static_cast<std::size_t>(f.code_mask()) + 1;
    std::vector<std::byte> codes(count * width);
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t word = container_of_code(f, i);
      std::memcpy(&codes[i * width], &word, width);
    }
    std::vector<float> values(count);
    decode(f, codes.data(), values);
    for (std::size_t i = 0; i < count; ++i) {
      const oracle::Value v = oracle::value_of(textbook, i);
      double want = v.what == oracle::What::kFinite
                        ? std::ldexp(v.magnitude.integer.convert_to<double>(), v.magnitude.exponent)
                        : HUGE_VAL;
      if (v.negative) want = -want;
      const bool right =
          v.what == oracle::What::kNan
              ? bit_cast<std::uint32_t>(values[i]) == (v.negative ? 0xffc00000u : 0x7fc00000u)
              : bit_cast<std::uint32_t>(values[i]) ==
                    bit_cast<std::uint32_t>(static_cast<float>(want));
      if (!right) {
        CAPTURE(textbook.name, hex(i), values[i], want);
        REQUIRE(false);
      }
    }
  }
}

// Cases that other libraries were seen to get wrong or to disagree on, one TEST_CASE each, and the
// published constants of the FP8 formats.
#include <cmath>
#include <cstring>
#include <random>
#include <set>
#include <vector>

#include "binade/formats/visit.hpp"
#include "bits.hpp"
#include "catch.hpp"

using namespace binade;

namespace {

constexpr FloatFormat kE4m3 = E4M3::format;
constexpr FloatFormat kE5m2 = E5M2::format;
constexpr FloatFormat kBf16 = Bf16::format;
constexpr FloatFormat kFp16 = Fp16::format;
const CastRules kSaturating = rules_of("nearest_even", "saturate");
const CastRules kNonSaturating = rules_of("nearest_even", "special");

/// The code by the scalar core and by the array cast, which must agree.
std::uint64_t code_of(FloatFormat f, float x, CastRules rules = {}) {
  const std::uint64_t code = encode(f, x, rules);
  std::uint64_t from_array = 0;
  cast(kFp32Format, &x, f, &from_array, 1, rules);
  REQUIRE(hex(from_array >> f.padding_bits) == hex(code));
  return code;
}

float next_up(float x) { return std::nextafter(x, kInf); }
float next_down(float x) { return std::nextafter(x, -kInf); }
float with_sign(float x, bool negative) { return negative ? -x : x; }

float rounded(FloatFormat f, float x, CastRules rules = {}) {
  float y = 0;
  round_to(f, {&x, 1}, {&y, 1}, rules);
  return y;
}

/// fp32 -> middle -> target, both nearest even: what must not happen inside one cast.
std::uint64_t detour(FloatFormat middle, FloatFormat target, float x) {
  return convert(middle, encode(middle, x, kNonSaturating), target, kSaturating);
}

std::vector<float> positive_finite_bf16() {
  std::vector<float> list;
  for (std::uint32_t code = 1; code <= kBf16.max_finite_code(); ++code) {
    list.push_back(bit_cast<float>(code << 16));
  }
  return list;
}

struct Counts {
  int to_zero = 0, subnormal = 0, exact = 0, beyond = 0;
};

Counts count_bf16(FloatFormat f) {
  Counts n;
  const double largest = decode(f, f.max_finite_code());
  const double smallest_normal = std::ldexp(1.0, f.emin());
  for (const float x : positive_finite_bf16()) {
    const float y = rounded(f, x);
    n.to_zero += y == 0;
    n.subnormal += y > 0 && y < smallest_normal;
    n.exact += y == x;
    n.beyond += x > largest;
  }
  return n;
}

}  // namespace

TEST_CASE("published constants of E4M3 and E5M2") {
  // "FP8 Formats for Deep Learning" (arXiv 2209.05433), Table 1.
  CHECK(decode(kE4m3, 0x7e) == 448);
  CHECK(decode(kE4m3, 0x08) == std::ldexp(1.0, -6));
  CHECK(decode(kE4m3, 0x07) == 7 * std::ldexp(1.0, -9));
  CHECK(decode(kE4m3, 0x01) == 0.001953125);
  CHECK(kE4m3.emin() == -6);
  CHECK(kE4m3.emax() == 8);
  CHECK(std::isnan(decode(kE4m3, 0x7f)));
  CHECK(std::isnan(decode(kE4m3, 0xff)));
  CHECK(decode(kE5m2, 0x7b) == 57344);
  CHECK(decode(kE5m2, 0x04) == std::ldexp(1.0, -14));
  CHECK(decode(kE5m2, 0x03) == 3 * std::ldexp(1.0, -16));
  CHECK(decode(kE5m2, 0x01) == std::ldexp(1.0, -16));
  CHECK(kE5m2.emin() == -14);
  CHECK(kE5m2.emax() == 15);
  CHECK(decode(kE5m2, 0x7c) == kInf);
  CHECK(decode(kE5m2, 0xfc) == -kInf);
  for (const std::uint64_t nan : {0x7d, 0x7e, 0x7f, 0xfd, 0xfe, 0xff}) {
    CHECK(std::isnan(decode(kE5m2, nan)));
  }
  CHECK(decode(parse_format("e4m3ieee").format, 0x77) == 240);
}

TEST_CASE("distinct finite values of E4M3 and E5M2") {
  for (const auto& [f, positive, distinct] : {std::tuple{kE4m3, 126, 253}, {kE5m2, 123, 247}}) {
    std::set<double> values;
    int above_zero = 0;
    for (std::uint64_t code = 0; code < 256; ++code) {
      const double v = decode(f, code);
      if (!std::isfinite(v)) continue;
      values.insert(v);
      above_zero += v > 0;
    }
    CHECK(above_zero == positive);
    CHECK(static_cast<int>(values.size()) == distinct);
  }
}

TEST_CASE("all positive BF16 inputs: how many vanish, become subnormal, are exact, overflow") {
  CHECK(positive_finite_bf16().size() == 32639);
  const Counts e4m3 = count_bf16(kE4m3);
  CHECK(e4m3.to_zero == 14976);
  CHECK(e4m3.subnormal == 495);
  CHECK(e4m3.exact == 126);
  CHECK(e4m3.beyond == 15263);
  const Counts e5m2 = count_bf16(kE5m2);
  CHECK(e5m2.to_zero == 14080);
  CHECK(e5m2.subnormal == 351);
  CHECK(e5m2.exact == 123);
  CHECK(e5m2.beyond == 14367);
}

TEST_CASE("the worst relative error on normal numbers is 1/17 and 1/9, at 1.0625 and 1.125") {
  for (const auto& [f, worst, at] :
       {std::tuple{kE4m3, 1.0 / 17, 1.0625f}, {kE5m2, 1.0 / 9, 1.125f}}) {
    const double largest = decode(f, f.max_finite_code());
    double seen = 0;
    for (const float x : positive_finite_bf16()) {
      if (x < std::ldexp(1.0, f.emin()) || x > largest) continue;
      seen = std::max(seen, std::fabs(static_cast<double>(rounded(f, x)) - x) / x);
    }
    CHECK(seen == worst);
    CHECK(std::fabs(static_cast<double>(rounded(f, at)) - at) / at == worst);
  }
}

TEST_CASE("values to check by hand") {
  CHECK(rounded(kE4m3, 1.3f) == 1.25f);
  CHECK(rounded(kE4m3, 500.0f) == 448.0f);
  CHECK(rounded(kE4m3, 1.5e-5f) == 0.0f);
  CHECK(rounded(kE4m3, 0x1p-10f) == 0.0f);
  CHECK(rounded(kE4m3, next_up(0x1p-10f)) == 0x1p-9f);
  CHECK(rounded(kE4m3, 1.5f * 0x1p-9f) == 0x1p-8f);
  CHECK(rounded(kE4m3, 2.5f * 0x1p-9f) == 0x1p-8f);
  CHECK(rounded(kE5m2, 1.5e-5f) == 0x1p-16f);
  CHECK(rounded(kE5m2, 500.0f) == 512.0f);
  CHECK(encode(parse_format("binary8p4se").format, 2.0f) == 0x48);
}

TEST_CASE("C1 a double is rounded once, not by way of float") {
  const double below_tie = 431.99999999999994;
  CHECK(cast_one<std::uint8_t>(kFp64Format, below_tie, kE4m3) == 0x7d);
  CHECK(encode(kE4m3, below_tie) == 0x7d);
  CHECK(encode(kE4m3, static_cast<float>(below_tie)) == 0x7e);
  CHECK(cast_one<std::uint8_t>(kFp64Format, 1.0625 + 1e-12, kE4m3) == 0x39);
  CHECK(encode(kE4m3, static_cast<float>(1.0625 + 1e-12)) == 0x38);
}

TEST_CASE("C2 fp32 is not rounded by way of fp16") {
  const float x = 1.0625f + 0x1p-14f;
  CHECK(rounded(kE4m3, x) == 1.125f);
  CHECK(decode(kE4m3, detour(kFp16, kE4m3, x)) == 1.0);
  // The first input above 0.01 on which the detour goes astray.
  float first = 0.01f;
  while (encode(kE4m3, first) == detour(kFp16, kE4m3, first)) first = next_up(first);
  CHECK(first == 0x1.5fep-7f);
  // Half of an fp16 step lies on the wrong side of each FP8 tie: the inputs that fp16 rounds onto
  // the tie, and that the tie then sends the other way.
  CHECK(code_of(kE4m3, first) != detour(kFp16, kE4m3, first));
}

TEST_CASE("C3 fp32 is not rounded by way of bf16") {
  CHECK(rounded(kE4m3, 1.31640625f) == 1.375f);
  CHECK(decode(kE4m3, detour(kBf16, kE4m3, 1.31640625f)) == 1.25);
}

TEST_CASE("C4 around the overflow of E4M3, under each policy") {
  struct Row {
    float x;
    std::uint64_t saturate, special, toward_zero, infinity_saturates;
  };
  const Row rows[] = {{448, 0x7e, 0x7e, 0x7e, 0x7e},          {464, 0x7e, 0x7e, 0x7e, 0x7e},
                      {next_up(464), 0x7e, 0x7f, 0x7e, 0x7f}, {465, 0x7e, 0x7f, 0x7e, 0x7f},
                      {480, 0x7e, 0x7f, 0x7e, 0x7f},          {3.4e38f, 0x7e, 0x7f, 0x7e, 0x7f},
                      {kInf, 0x7e, 0x7f, 0x7f, 0x7e}};
  CastRules infinity_saturates = kNonSaturating;
  infinity_saturates.infinity = InfinityRule::kSaturate;
  for (const Row& row : rows) {
    for (const bool negative : {false, true}) {
      CAPTURE(row.x, negative);
      const float x = with_sign(row.x, negative);
      const std::uint64_t sign = negative ? 0x80 : 0;
      const auto signed_unless_nan = [&](std::uint64_t code) {
        return hex(code == 0x7f ? code : code | sign);
      };
      CHECK(hex(code_of(kE4m3, x, kSaturating)) == signed_unless_nan(row.saturate));
      // An overflow is a number of a sign, and its NaN keeps that sign, as in cuda_fp8.h.
      CHECK(hex(code_of(kE4m3, x, kNonSaturating)) == hex(row.special | sign));
      CHECK(hex(code_of(kE4m3, x, rules_of("toward_zero", "special"))) ==
            hex(row.toward_zero | sign));
      CHECK(hex(code_of(kE4m3, x, infinity_saturates)) == hex(row.infinity_saturates | sign));
    }
  }
  // Directed roundings stop at the largest number on the side that they point away from.
  CHECK(code_of(kE4m3, 465, rules_of("down", "special")) == 0x7e);
  CHECK(code_of(kE4m3, -465, rules_of("up", "special")) == 0xfe);
  CHECK(code_of(kE4m3, 449, rules_of("up", "special")) == 0x7f);
  CHECK(code_of(kE4m3, -449, rules_of("down", "special")) == 0xff);
  CHECK(code_of(kE4m3, 449, rules_of("up", "saturate")) == 0x7e);
}

TEST_CASE("C5 around the overflow of E5M2") {
  CHECK(code_of(kE5m2, 58000.0f, kNonSaturating) == 0x7b);
  CHECK(code_of(kE5m2, next_down(61440.0f), kNonSaturating) == 0x7b);
  CHECK(code_of(kE5m2, 61440.0f, kNonSaturating) == 0x7c);
  CHECK(code_of(kE5m2, 65504.0f, kNonSaturating) == 0x7c);
  CHECK(code_of(kE5m2, -65504.0f, kNonSaturating) == 0xfc);
  CHECK(code_of(kE5m2, kInf, kNonSaturating) == 0x7c);
  CHECK(code_of(kE5m2, kInf, kSaturating) == 0x7b);
  CHECK(code_of(kE5m2, -kInf, rules_of("nearest_even", "sat_propagate")) == 0xfc);
  CHECK(code_of(kE5m2, -1e9f, rules_of("nearest_even", "sat_propagate")) == 0xfb);
}

TEST_CASE("C6 no rule makes an E4M3 number above 448") {
  for (const std::string& rounding : rounding_names()) {
    for (const std::string& overflow : overflow_names()) {
      const CastRules rules = rules_of(rounding, overflow);
      for (std::uint32_t code = 0; code <= 0xffff; ++code) {
        const double v = decode(kE4m3, convert(kFp16, code, kE4m3, rules, code & 0xff));
        if (!(std::fabs(v) <= 448) && !std::isnan(v)) {
          CAPTURE(rounding, overflow, hex(code), v);
          REQUIRE(false);
        }
      }
    }
  }
  SUCCEED("every fp16 input, rounding and overflow rule");
}

TEST_CASE("C7 NaN stays NaN, or becomes the largest number where there is no NaN") {
  const std::uint32_t nans[] = {0x7fc00000, 0x7f800001, 0x7fffffff, 0xffc00000, 0xff800001};
  for (const FormatInfo& info : catalog()) {
    for (const std::uint32_t bits : nans) {
      for (const char* nan_rule : {"canonical", "keep_sign"}) {
        const FloatFormat f = info.format;
        const auto code = code_of(f, bit_cast<float>(bits), rules_of("up", "special", nan_rule));
        CAPTURE(info.name, hex(bits), nan_rule, hex(code));
        if (f.has_nan()) {
          CHECK(f.is_nan(code));
        } else {
          // PTX: +MAX_NORM; the sign only under keep_sign.
          const bool minus = nan_rule[0] == 'k' && bits >> 31 != 0;
          CHECK(hex(code) == hex(f.max_finite_code() | (minus ? f.sign_bit() : 0)));
        }
      }
    }
  }
}

TEST_CASE("C8 the sign of NaN is a rule of the cast") {
  const float minus_nan = bit_cast<float>(0xffc00000u);
  for (const auto& [f, canonical, kept] :
       {std::tuple<FloatFormat, std::uint64_t, std::uint64_t>{kE4m3, 0x7f, 0xff},
        {kE5m2, 0x7f, 0xfe},
        {kFp16, 0x7fff, 0xfe00},
        {kBf16, 0x7fff, 0xffc0}}) {
    CHECK(hex(code_of(f, minus_nan)) == hex(canonical));
    CHECK(hex(code_of(f, minus_nan, rules_of("nearest_even", "saturate", "keep_sign"))) ==
          hex(kept));
    CHECK(hex(code_of(f, -minus_nan)) == hex(canonical));
    CHECK(hex(code_of(f, -minus_nan, rules_of("nearest_even", "saturate", "keep_sign"))) ==
          hex(kept & ~f.sign_bit()));
  }
}

TEST_CASE("C9 minus zero and negative underflow") {
  for_each_format([]<class Tag>() {
    constexpr FloatFormat f = Tag::format;
    if constexpr (f.specials.has_zero) {
      CAPTURE(Tag::name);
      const std::uint64_t zero = f.has_negative_zero() ? f.sign_bit() : 0;
      CHECK(hex(code_of(f, -0.0f)) == hex(zero));
      if (f.min_ulp_exponent() > -148) {
        CHECK(hex(code_of(f, -0x1p-149f)) == hex(zero));
        CHECK(hex(code_of(f, -0x1p-149f, rules_of("down"))) == hex(1 | f.sign_bit()));
      }
    }
  });
  CHECK(code_of(E4M3Fnuz::format, -0x1p-11f) == 0x00);  // never 0x80, its NaN
  CHECK(code_of(parse_format("binary8p3se").format, -1e-30f) == 0x00);
  CHECK(code_of(parse_format("binary8p3uf").format, -1e-30f) == 0x00);
}

TEST_CASE("C10 ties and their neighbours, subnormals included") {
  for (const FloatFormat f : {kE4m3, kE5m2, E3M2::format, E2M3::format, E2M1::format}) {
    for (std::uint64_t code = 0; code < f.max_finite_code(); ++code) {
      const auto tie = static_cast<float>((decode(f, code) + decode(f, code + 1)) / 2);
      const std::uint64_t even = code + (code & 1);
      for (const bool negative : {false, true}) {
        const std::uint64_t sign = negative ? f.sign_bit() : 0;
        CAPTURE(format_name(f), tie, negative);
        REQUIRE(code_of(f, with_sign(tie, negative)) == (even | sign));
        REQUIRE(code_of(f, with_sign(next_down(tie), negative)) == (code | sign));
        REQUIRE(code_of(f, with_sign(next_up(tie), negative)) == ((code + 1) | sign));
        REQUIRE(code_of(f, with_sign(tie, negative), rules_of("nearest_away")) ==
                ((code + 1) | sign));
      }
    }
  }
}

TEST_CASE("C11 directed roundings never cross the input") {
  std::mt19937 bits(11);
  for (const FloatFormat f : {kE4m3, kE5m2, kBf16, kFp16, E2M1::format}) {
    const double largest = decode(f, f.max_finite_code());
    for (int i = 0; i < 200000; ++i) {
      const float x = bit_cast<float>(static_cast<std::uint32_t>(bits()));
      if (!(std::fabs(x) <= largest)) continue;
      const float up = rounded(f, x, rules_of("up"));
      const float down = rounded(f, x, rules_of("down"));
      const float nearest = rounded(f, x);
      const float inward = rounded(f, x, rules_of("toward_zero"));
      if (!(down <= x && x <= up && (nearest == up || nearest == down) &&
            inward == (x < 0 ? up : down))) {
        CAPTURE(format_name(f), x, up, down, nearest, inward);
        REQUIRE(false);
      }
    }
  }
  CHECK(rounded(kE4m3, 0x1p-149f, rules_of("up")) == 0x1p-9f);
  CHECK(rounded(kE4m3, -0x1p-149f, rules_of("down")) == -0x1p-9f);
}

TEST_CASE("C12 half of the smallest subnormal, and the next number") {
  for (const auto& [f, half] : {std::pair{kE4m3, 0x1p-10f}, {kE5m2, 0x1p-17f}}) {
    CHECK(code_of(f, half) == 0x00);
    CHECK(code_of(f, next_up(half)) == 0x01);
    CHECK(code_of(f, -half) == 0x80);
    CHECK(code_of(f, next_down(-half)) == 0x81);
  }
}

TEST_CASE("C13 all 256 codes: both ways, in order, and unchanged by a second rounding") {
  for (const FloatFormat f : {kE4m3, kE5m2, E4M3Fnuz::format, E5M2Fnuz::format}) {
    double previous = -1;
    for (std::uint64_t code = 0; code < 256; ++code) {
      CAPTURE(format_name(f), hex(code));
      if (!f.is_finite(code)) continue;
      const auto v = static_cast<float>(decode(f, code));
      CHECK(hex(code_of(f, v)) == hex(code));
      CHECK(bit_cast<std::uint32_t>(rounded(f, v)) == bit_cast<std::uint32_t>(v));
      if (code < 0x80) {
        CHECK(v > previous);
        previous = v;
      }
    }
  }
}

TEST_CASE("C14 E8M0: the ends of its range, its NaN and its reciprocals") {
  constexpr FloatFormat f = E8M0::format;
  CHECK(decode(f, 0) == 0x1p-127);
  std::uint8_t smallest = 0;
  float value = 0;
  decode(f, &smallest, {&value, 1});
  CHECK(bit_cast<std::uint32_t>(value) == 0x00400000u);  // a subnormal fp32, not 0
  CHECK(decode(f, 127) == 1);
  CHECK(decode(f, 134) == 128);
  CHECK(decode(f, 254) == 0x1p127);
  CHECK(std::isnan(decode(f, 255)));
  for (std::uint64_t code = 0; code <= 254; ++code) {
    CHECK(decode(f, code) * decode(f, 254 - code) == 1);  // 1 / 2^127 is there, and is code 0
    CHECK(code_of(f, static_cast<float>(decode(f, code))) == code);
  }
  CHECK(code_of(f, 0.0f) == 0);
  CHECK(code_of(f, 0.0f, kNonSaturating) == 0);
  CHECK(code_of(f, -1.0f) == 0);
  CHECK(code_of(f, -1.0f, kNonSaturating) == 255);
  CHECK(code_of(f, kInf) == 254);
  CHECK(code_of(f, kInf, kNonSaturating) == 255);
  CHECK(code_of(f, 0x1.8p127f, kNonSaturating) == 254);  // a tie: to the even code
  CHECK(code_of(f, next_up(0x1.8p127f), kNonSaturating) == 255);
  CHECK(code_of(f, next_up(0x1.8p127f)) == 254);
  CHECK(code_of(f, bit_cast<float>(0x7fc00000u)) == 255);
  CHECK(code_of(f, 1.5f) == 128);
  CHECK(code_of(f, 3.0f) == 128);
  CHECK(code_of(f, next_up(1.0f), rules_of("up")) == 128);
  CHECK(code_of(f, next_down(2.0f), rules_of("toward_zero")) == 127);
}

TEST_CASE("C15 stochastic rounding leaves exact values alone and goes up as often as it should") {
  for (const char* mode : {"stochastic_a", "stochastic_b", "stochastic_c"}) {
    CastRules rules = rules_of(mode);
    rules.random_bits = 6;
    for (std::uint64_t random = 0; random < 64; ++random) {
      for (std::uint64_t code = 0; code <= 0x7e; ++code) {
        REQUIRE(encode(kE4m3, static_cast<float>(decode(kE4m3, code)), rules, random) == code);
      }
    }
    // Just below a power of two the gap is that of the lower binade: 2 - 2^-4 is half-way, and
    // just above it is twice as wide: 2 + 2^-4 is a quarter of the way.
    int below = 0, above = 0;
    for (std::uint64_t random = 0; random < 64; ++random) {
      below += decode(kE4m3, encode(kE4m3, 1.9375f, rules, random)) == 2;
      above += decode(kE4m3, encode(kE4m3, 2.0625f, rules, random)) == 2.25;
    }
    CAPTURE(mode);
    CHECK(below == 32);
    CHECK(above == 16);
  }
}

TEST_CASE("C16 formats with similar names are different formats") {
  std::vector<FloatFormat> list;
  for (const char* name : {"e4m3", "e4m3fnuz", "e4m3ieee", "binary8p4se"}) {
    list.push_back(parse_format(name).format);
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) CHECK_FALSE(list[i] == list[j]);
  }
  CHECK(parse_format("e4m3fn").format == parse_format("e4m3").format);
  CHECK(decode(list[0], 0x38) == 1.0);
  CHECK(decode(list[1], 0x38) == 0.5);
  CHECK(decode(list[2], 0x38) == 1.0);
  CHECK(decode(list[3], 0x38) == 0.5);
  // Not every pair of names is a pair of formats: P3109's finite 8-bit format with 4 bits of
  // precision is what the fnuz paper proposed, code by code.
  CHECK(parse_format("binary8p4sf").format == parse_format("e4m3fnuz").format);
  CHECK(parse_format("binary8p3sf").format == parse_format("e5m2fnuz").format);
  CHECK(code_of(list[1], 240.0f, kSaturating) == 0x7f);
  CHECK(code_of(list[2], 300.0f, kSaturating) == 0x77);
}

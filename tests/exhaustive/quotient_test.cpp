// Quantisers divide by a scale in two or three operations (formats/scaled_avx512.hpp) that might
// miss fl(x / s) where x / s is next to a midpoint of two fp32 numbers, and then by one place. A
// code hangs on that only where one of the two is a tie of the format. So: every significand of s,
// every tie, the midpoint on either side of it, and the two numbers x beside scale times midpoint.
#include <cmath>
#include <cstdint>
#include <vector>

#include "binade/emulation/scale_recipe.hpp"
#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"
#include "binade/formats/scaled_cast.hpp"
#include "catch.hpp"

using namespace binade;

namespace {

struct Case {
  const char* name;
  int exponent;  ///< of a binade of normal numbers
};

/// How many quotients are cast otherwise than fl(x / s) is.
std::int64_t differences(FloatFormat f, int exponent, const detail::ScaledCast& scaled) {
  const std::size_t ties = std::size_t{1} << f.mantissa_bits;
  const std::size_t count = (4 * ties + 63) / 64 * 64;
  std::int64_t wrong = 0;
#pragma omp parallel reduction(+ : wrong)
  {
    std::vector<double> midpoints;
    for (std::size_t i = 0; i < ties; ++i) {
      const double tie = 1 + (2.0 * double(i) + 1) / (2.0 * double(ties));
      midpoints.push_back(tie - 0x1p-24);
      midpoints.push_back(tie + 0x1p-24);
    }
    std::vector<float> x(count, 1.0f), quotients(count);
    std::vector<std::uint8_t> got(count), want(count);
#pragma omp for
    for (std::int64_t bits = 0; bits < (1 << 23); ++bits) {
      const float s = bit_cast<float>(0x3f800000u | static_cast<std::uint32_t>(bits));
      for (std::size_t i = 0; i < midpoints.size(); ++i) {
        const double exact = std::ldexp(1.0, exponent) * midpoints[i] * double(s);  // 48 bits
        const auto near = static_cast<float>(exact);
        const bool above = double(near) > exact;
        x[2 * i] = near;
        x[2 * i + 1] = bit_cast<float>(bit_cast<std::uint32_t>(near) + (above ? -1u : 1u));
      }
      for (std::size_t i = 0; i < count; ++i) quotients[i] = x[i] / s;
      cast(kFp32Format, quotients.data(), f, want.data(), count);
      scaled.cast(x.data(), 1, count, 0, &s, true, got.data(), nullptr);
      for (std::size_t i = 0; i < count; ++i) wrong += got[i] != want[i];
    }
  }
  return wrong;
}

/// The same for all significands of a bf16 x.
std::int64_t differences_from_bf16(FloatFormat f, int exponent, const detail::ScaledCast& scaled) {
  constexpr std::size_t kCount = 256;  // two binades, for those of the quotients
  std::int64_t wrong = 0;
#pragma omp parallel reduction(+ : wrong)
  {
    std::vector<std::uint16_t> x(kCount);
    std::vector<float> values(kCount), quotients(kCount);
    std::vector<std::uint8_t> got(kCount), want(kCount);
    for (std::size_t i = 0; i < kCount; ++i) {
      const auto pattern = static_cast<std::uint32_t>(((127 + exponent) << 7) + int(i));
      x[i] = static_cast<std::uint16_t>(pattern);
      values[i] = bit_cast<float>(pattern << 16);
    }
#pragma omp for
    for (std::int64_t bits = 0; bits < (1 << 23); ++bits) {
      const float s = bit_cast<float>(0x3f800000u | static_cast<std::uint32_t>(bits));
      for (std::size_t i = 0; i < kCount; ++i) quotients[i] = values[i] / s;
      cast(kFp32Format, quotients.data(), f, want.data(), kCount);
      scaled.cast(x.data(), 1, kCount, 0, &s, true, got.data(), nullptr);
      for (std::size_t i = 0; i < kCount; ++i) wrong += got[i] != want[i];
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("an element over a scale is cast as the quotient is, at every tie under every scale") {
  for (const Case& c :
       {Case{"e2m1", 1}, {"e5m2", 0}, {"e4m3", 0}, {"e3m4", 0}, {"e2m5finite", 0}, {"int8", 6}}) {
    const FloatFormat f = parse_element_format(c.name);
    const detail::ScaledCast scaled(kFp32Format, f, CastRules{});
    if (!scaled) {
      WARN("skipped: no such loop for this instruction set");
      return;
    }
    CAPTURE(c.name);
    CHECK(differences(f, c.exponent, scaled) == 0);
    const detail::ScaledCast from_bf16(Bf16::format, f, CastRules{});
    CHECK(differences_from_bf16(f, c.exponent, from_bf16) == 0);
  }
}

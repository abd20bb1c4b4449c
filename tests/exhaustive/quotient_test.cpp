// Quantisers divide by a scale in two or three operations (formats/scaled_avx512.hpp) that might
// miss fl(x / s) by one place. All quotients where a code could hang on it, under every significand
// of s; all of them where x is bf16.
#include <algorithm>
#include <cstdint>
#include <tuple>
#include <vector>

#include "binade/emulation/scale_recipe.hpp"
#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"
#include "binade/formats/scaled_cast.hpp"
#include "catch.hpp"
#include "hard_quotients.hpp"

using namespace binade;

namespace {

/// How many of the codes of `x` under a scale are not those of the quotients.
class Judge {
 public:
  Judge(FloatFormat f, const detail::ScaledCast& scaled, std::size_t count)
      : f_(f), scaled_(scaled), quotients_(count), got_(count), want_(count) {}

  template <class Source>
  std::int64_t differences(const std::vector<Source>& x, const std::vector<float>& values, float s) {
    const std::size_t count = x.size();
    for (std::size_t i = 0; i < count; ++i) quotients_[i] = values[i] / s;
    cast(kFp32Format, quotients_.data(), f_, want_.data(), count);
    scaled_.cast(x.data(), 1, count, 0, &s, true, got_.data(), nullptr);
    std::int64_t wrong = 0;
    for (std::size_t i = 0; i < count; ++i) wrong += got_[i] != want_[i];
    return wrong;
  }

 private:
  FloatFormat f_;
  const detail::ScaledCast& scaled_;
  std::vector<float> quotients_;
  std::vector<std::uint8_t> got_, want_;
};

constexpr std::size_t kLine = 64;  ///< elements that the loops take at once

std::int64_t differences(FloatFormat f, const detail::ScaledCast& scaled) {
  const std::vector<double> midpoints = hard_quotients::midpoints(f);
  const std::size_t count = (2 * midpoints.size() + kLine - 1) / kLine * kLine;
  std::int64_t wrong = 0;
#pragma omp parallel reduction(+ : wrong)
  {
    Judge judge(f, scaled, count);
    std::vector<float> x(count, 1.0f);
#pragma omp for
    for (std::int64_t bits = 0; bits < (1 << 23); ++bits) {
      const float s = hard_quotients::scale(bits);
      for (std::size_t i = 0; i < midpoints.size(); ++i) {
        std::tie(x[2 * i], x[2 * i + 1]) = hard_quotients::around(s, midpoints[i]);
      }
      wrong += judge.differences(x, x, s);
    }
  }
  return wrong;
}

std::int64_t differences_from_bf16(FloatFormat f, const detail::ScaledCast& scaled) {
  const std::vector<std::uint16_t> x = hard_quotients::bf16_numbers(f);
  std::vector<float> values(x.size());
  std::ranges::transform(x, values.begin(), [](std::uint16_t bits) {
    return bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  });
  std::int64_t wrong = 0;
#pragma omp parallel reduction(+ : wrong)
  {
    Judge judge(f, scaled, x.size());
#pragma omp for
    for (std::int64_t bits = 0; bits < (1 << 23); ++bits) {
      wrong += judge.differences(x, values, hard_quotients::scale(bits));
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("an element over a scale is cast as the quotient is, at every tie under every scale") {
  for (const char* name : {"e2m1", "e5m2", "e4m3", "e3m4", "e2m5finite", "int8"}) {
    const FloatFormat f = parse_element_format(name);
    const detail::ScaledCast scaled(kFp32Format, f, CastRules{});
    if (!scaled) {
      WARN("skipped: no such loop for this instruction set");
      return;
    }
    CAPTURE(name);
    CHECK(differences(f, scaled) == 0);
    const detail::ScaledCast from_bf16(Bf16::format, f, CastRules{});
    CHECK(differences_from_bf16(f, from_bf16) == 0);
  }
}

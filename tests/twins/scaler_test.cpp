// The device's quotients in two or three operations (cuda/scaler.cuh), its own text compiled for the
// CPU: at every tie of the formats that it serves, under every significand of the scale, they are
// cast as fl(x / s) is.
#include "fibers.hpp"

#include "../exhaustive/hard_quotients.hpp"
#include "binade/formats/catalog.hpp"
#include "binade/formats/codec.hpp"
#include "catch.hpp"
#include "scaler.cuh"

using namespace binade;

namespace {

template <class E>
std::uint32_t code_of(float x) {
  constexpr auto kPlan = detail::make_plan<std::uint32_t>(E::format, CastRules{});
  return detail::encode_word<Rounding::kNearestEven, std::uint32_t>(
      kPlan, bit_cast<std::uint32_t>(x), 0);
}

/// How many of the numbers are cast otherwise. Those whose quotients agree to the bit need no cast.
template <class S, class E, class Numbers>
std::int64_t differences(const Numbers& numbers_under) {
  std::int64_t wrong = 0;
#pragma omp parallel for reduction(+ : wrong)
  for (std::int64_t bits = 0; bits < (1 << 23); ++bits) {
    const float s = hard_quotients::scale(bits);
    const auto scaler = cuda::Scaler<S, true>::of(s);
    numbers_under(s, [&](float x) {
      const float got = scaler(x), want = x / s;
      if (got != want) wrong += code_of<E>(got) != code_of<E>(want);
    });
  }
  return wrong;
}

template <class E>
void check() {
  CAPTURE(E::name);
  const std::vector<double> midpoints = hard_quotients::midpoints(E::format);
  CHECK(differences<Fp32, E>([&](float s, const auto& each) {
          for (const double midpoint : midpoints) {
            const auto [below, above] = hard_quotients::around(s, midpoint);
            each(below);
            each(above);
          }
        }) == 0);
  const std::vector<std::uint16_t> numbers = hard_quotients::bf16_numbers(E::format);
  CHECK(differences<Bf16, E>([&](float, const auto& each) {
          for (const std::uint16_t x : numbers) {
            each(bit_cast<float>(static_cast<std::uint32_t>(x) << 16));
          }
        }) == 0);
}

}  // namespace

TEST_CASE("the device's quotients are cast as fl(x / s) is, at every tie under every scale") {
  check<E4M3>();
  check<E5M2>();
}

// Stochastic rounding: over all 2^N random values, the inputs that go up are as many as the
// formulas of IEEE P3109 say.
#include <cmath>
#include <vector>

#include "../oracles/enumeration.hpp"
#include "bits.hpp"
#include "catch.hpp"

using namespace binade;
using oracle::cpp_int;

namespace {

constexpr FloatFormat kE4m3 = E4M3::format;
const char* const kNames[] = {"stochastic_a", "stochastic_b", "stochastic_c"};

/// How many of the 2^N random values send t / 2^20 of a gap up, by the closed forms:
/// A floor(v 2^N), B floor((floor(v 2^(N+1)) + 1) / 2), C nearest-even(v 2^N).
std::uint64_t ups_wanted(int variant, std::uint64_t t, int n) {
  const cpp_int v = t, one = cpp_int(1) << 20, two_n = cpp_int(1) << static_cast<unsigned>(n);
  const cpp_int a = v * two_n / one;
  const cpp_int b = (v * 2 * two_n / one + 1) / 2;
  const cpp_int c = oracle::nearest_integer(v * two_n, one);
  return (variant == 0 ? a : variant == 1 ? b : c).convert_to<std::uint64_t>();
}

std::uint64_t ups_seen(FloatFormat f, std::uint64_t low_code, std::uint64_t t, CastRules rules) {
  const Unpacked low = unpack(f, low_code);
  const Unpacked x{ValueClass::kFinite, false, low.exponent - 20, (low.significand << 20) + t};
  std::uint64_t ups = 0;
  for (std::uint64_t random = 0; random < (std::uint64_t{1} << rules.random_bits); ++random) {
    const std::uint64_t code = encode(f, x, rules, random);
    REQUIRE((code == low_code || code == low_code + 1));
    ups += code - low_code;
  }
  return ups;
}

}  // namespace

TEST_CASE("stochastic A, B and C go up exactly as often as their formulas say, for N to 8") {
  std::vector<std::uint64_t> fractions;
  for (std::uint64_t t = 0; t < (1u << 20); t += 21845) fractions.push_back(t);
  for (int k = 0; k < 20; ++k) {
    for (const int off : {-1, 0, 1}) fractions.push_back((1u << k) + static_cast<unsigned>(off));
  }
  for (const FloatFormat f : {kE4m3, E5M2::format, E2M1::format, Bf16::format}) {
    // In the subnormals, below a power of two, at one, and at the end of the range.
    for (const std::uint64_t low : {std::uint64_t{0}, std::uint64_t{2}, f.mantissa_mask(),
                                    f.mantissa_mask() + 1, f.max_finite_code() - 1}) {
      for (int variant = 0; variant < 3; ++variant) {
        for (int n = 1; n <= 8; ++n) {
          CastRules rules = rules_of(kNames[variant]);
          rules.random_bits = n;
          for (const std::uint64_t t : fractions) {
            const std::uint64_t seen = ups_seen(f, low, t, rules);
            if (seen != ups_wanted(variant, t, n)) {
              CAPTURE(format_name(f), hex(low), variant, n, t);
              REQUIRE(seen == ups_wanted(variant, t, n));
            }
          }
        }
      }
    }
  }
}

TEST_CASE("three tenths of a gap: probabilities of the variants with few random bits") {
  // v = 0.3: A gives 1/4, 1/4 and 76/256 for N = 2, 4 and 8: it leans toward zero by less than
  // 2^-N.
  struct Row {
    int n;
    int a, b, c;
  };
  const double x = 1 + 0.3 / 8;
  for (const Row& row : {Row{2, 1, 1, 1}, Row{4, 4, 5, 5}, Row{8, 76, 77, 77}}) {
    const int want[] = {row.a, row.b, row.c};
    for (int variant = 0; variant < 3; ++variant) {
      CastRules rules = rules_of(kNames[variant]);
      rules.random_bits = row.n;
      int ups = 0;
      for (std::uint64_t random = 0; random < (std::uint64_t{1} << row.n); ++random) {
        ups += encode(kE4m3, x, rules, random) == 0x39;
      }
      CAPTURE(variant, row.n);
      CHECK(ups == want[variant]);
    }
  }
}

TEST_CASE("a million draws of the array cast come near the exact probability") {
  for (const auto& [n, probability] : {std::pair{2, 0.25}, {4, 0.25}, {8, 0.296875}}) {
    CastRules rules = rules_of("stochastic_a");
    rules.random_bits = n;
    const std::vector<double> x(1000000, 1 + 0.3 / 8);
    std::vector<std::uint8_t> codes(x.size());
    cast(kFp64Format, x.data(), kE4m3, codes.data(), x.size(), rules, 2024);
    double ups = 0;
    for (const std::uint8_t code : codes) ups += code == 0x39;
    const double sigma = std::sqrt(probability * (1 - probability) / 1e6);
    CAPTURE(n, ups);
    CHECK(std::fabs(ups / 1e6 - probability) < 4 * sigma);
  }
}

TEST_CASE("random bits depend on the seed and the index alone") {
  CastRules rules = rules_of("stochastic_b");
  std::vector<float> x(5000, 1.05f);
  std::vector<std::uint8_t> whole(x.size()), other(x.size()), again(x.size());
  cast(kFp32Format, x.data(), kE4m3, whole.data(), x.size(), rules, 7);
  cast(kFp32Format, x.data(), kE4m3, again.data(), x.size(), rules, 7);
  cast(kFp32Format, x.data(), kE4m3, other.data(), x.size(), rules, 8);
  CHECK(whole == again);
  CHECK(whole != other);
  cast(kFp32Format, x.data(), kE4m3, again.data(), 1234, rules, 7);  // a prefix draws alike
  CHECK(whole == again);
}

TEST_CASE("stochastic rounding takes 1 to 30 random bits") {
  for (const int bits : {-1, 0, 31, 64}) {
    CastRules rules = rules_of("stochastic_a");
    rules.random_bits = bits;
    const float x = 1;
    std::uint8_t code = 0;
    CHECK_THROWS_WITH(cast(kFp32Format, &x, kE4m3, &code, 1, rules),
                      "stochastic rounding takes 1 to 30 random bits, not " + std::to_string(bits));
    float y = 0;
    CHECK_THROWS_AS(round_to(kE4m3, {&x, 1}, {&y, 1}, rules), std::invalid_argument);
  }
}

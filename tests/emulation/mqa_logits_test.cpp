// The indexer's scores against the threads of the kernel, each played out with the registers it
// holds; the dot products come from the oracle in arbitrary-precision integers.
#include "binade/emulation/mqa_logits.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "binade/formats/catalog.hpp"
#include "catch.hpp"
#include "dot_oracle.hpp"

using namespace binade;

namespace {

struct Problem {
  std::size_t queries, heads, width, keys;
  std::vector<std::uint8_t> q, k;
  std::vector<float> weights, scales;

  MqaQueries mqa_queries() const { return {q.data(), weights, queries, heads, width}; }
  MqaKeys mqa_keys() const { return {k.data(), scales, keys}; }
};

std::vector<std::uint8_t> random_codes(std::size_t count, std::mt19937& random, bool any) {
  std::normal_distribution<float> normal;
  std::vector<std::uint8_t> codes(count);
  for (std::uint8_t& c : codes) {
    c = any ? static_cast<std::uint8_t>(random())
            : static_cast<std::uint8_t>(encode(E4M3::format, normal(random) * 60.0f));
  }
  return codes;
}

Problem random_problem(std::size_t queries, std::size_t heads, std::size_t width, std::size_t keys,
                       unsigned seed, bool any_code = false) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Problem p{queries, heads, width, keys, {}, {}, {}, {}};
  p.q = random_codes(queries * heads * width, random, any_code);
  p.k = random_codes(keys * width, random, any_code);
  for (std::size_t i = 0; i < queries * heads; ++i) p.weights.push_back(normal(random) * 0.1f);
  for (std::size_t i = 0; i < keys; ++i) p.scales.push_back(std::fabs(normal(random)) * 0.01f);
  return p;
}

float oracle_dot(const std::uint8_t* a, const std::uint8_t* b, std::size_t width) {
  static const oracle::Spec spec = oracle::spec_of("hopper.wgmma.f32.e4m3.e4m3");
  return std::bit_cast<float>(oracle::dot(spec, {a, a + width}, {b, b + width}, 0));
}

/// Two keys, rows r and r + 8 of the instruction's tile, through the four threads that share them.
/// Register i of a thread holds row r + 8 * (i / 2 % 2) and column 8 * (i / 4) + 2 * thread + i %
/// 2; columns are heads.
std::array<float, 2> kernel_pair(const Problem& p, std::size_t m, std::size_t key0,
                                 std::size_t key1) {
  std::array<std::array<float, 2>, 4> value{};
  for (std::size_t thread = 0; thread < 4; ++thread) {
    const auto transform = [&](std::size_t i) {
      const std::size_t head = 8 * (i / 4) + 2 * thread + i % 2;
      const std::size_t key = i / 2 % 2 == 0 ? key0 : key1;
      const float dot = oracle_dot(p.q.data() + (m * p.heads + head) * p.width,
                                   p.k.data() + key * p.width, p.width);
      return std::array<float, 2>{std::fmax(dot, 0.0f), p.weights[m * p.heads + head]};
    };
    float sum[4];
    for (std::size_t i = 0; i < 4; ++i) sum[i] = transform(i)[0] * transform(i)[1];
    for (std::size_t j = 1; j < p.heads / 8; ++j) {
      for (std::size_t i = 0; i < 4; ++i) {
        const auto [positive, weight] = transform(4 * j + i);
        sum[i] = std::fma(positive, weight, sum[i]);
      }
    }
    value[thread] = {(sum[0] + sum[1]) * p.scales[key0], (sum[2] + sum[3]) * p.scales[key1]};
  }
  for (const std::size_t offset : {1u, 2u}) {  // each thread adds what its partner holds
    const auto before = value;
    for (std::size_t thread = 0; thread < 4; ++thread) {
      for (std::size_t i = 0; i < 2; ++i) {
        value[thread][i] = before[thread][i] + before[thread ^ offset][i];
      }
    }
  }
  return value[0];
}

std::vector<float> logits_of(const Problem& p, const MqaOptions& options = {}) {
  std::vector<float> logits(p.queries * p.keys);
  mqa_logits(p.mqa_queries(), p.mqa_keys(), logits, options);
  return logits;
}

std::uint32_t bits(float x) { return std::bit_cast<std::uint32_t>(x); }

}  // namespace

TEST_CASE("every bit of the kernel's threads, 64 heads of 128") {
  for (const bool any_code : {false, true}) {  // any code: NaN is 2 in 256
    const Problem p = random_problem(2, 64, 128, 6, 11, any_code);
    const std::vector<float> logits = logits_of(p);
    for (std::size_t m = 0; m < p.queries; ++m) {
      for (std::size_t n = 0; n < p.keys; n += 2) {
        const auto want = kernel_pair(p, m, n, n + 1);
        for (std::size_t i = 0; i < 2; ++i) {
          INFO(m << " " << n + i << " " << want[i]);
          REQUIRE(bits(logits[m * p.keys + n + i]) == bits(want[i]));
        }
      }
    }
  }
}

TEST_CASE("other numbers of heads and widths") {
  for (const std::size_t heads : {8u, 16u, 40u}) {
    for (const std::size_t width : {32u, 96u}) {
      const Problem p = random_problem(1, heads, width, 2, static_cast<unsigned>(heads + width));
      const auto want = kernel_pair(p, 0, 0, 1);
      const std::vector<float> logits = logits_of(p);
      CHECK(bits(logits[0]) == bits(want[0]));
      CHECK(bits(logits[1]) == bits(want[1]));
    }
  }
}

TEST_CASE("the order matters: summing the heads one after the other gives other bits") {
  const Problem p = random_problem(1, 64, 128, 40, 5);
  const std::vector<float> logits = logits_of(p);
  std::size_t differ = 0;
  for (std::size_t n = 0; n < p.keys; ++n) {
    float sum = 0;
    for (std::size_t h = 0; h < p.heads; ++h) {
      const float dot = oracle_dot(p.q.data() + h * p.width, p.k.data() + n * p.width, p.width);
      sum = std::fma(std::fmax(dot, 0.0f), p.weights[h], sum);
    }
    differ += bits(sum * p.scales[n]) != bits(logits[n]);
  }
  CHECK(differ > p.keys / 2);
}

TEST_CASE("keys outside a query's range are minus infinity; many keys go in parts") {
  const Problem p = random_problem(2, 8, 32, 5000, 3);
  const std::vector<std::uint32_t> begins{0, 4090}, ends{17, 5000};
  MqaOptions options;
  options.begins = begins;
  options.ends = ends;
  options.threads = 1;
  const std::vector<float> some = logits_of(p, options), all = logits_of(p);
  for (std::size_t m = 0; m < 2; ++m) {
    for (std::size_t n = 0; n < p.keys; ++n) {
      const bool inside = n >= begins[m] && n < ends[m];
      const float want = inside ? all[m * p.keys + n] : -std::numeric_limits<float>::infinity();
      REQUIRE(bits(some[m * p.keys + n]) == bits(want));
    }
  }
}

TEST_CASE("a NaN among the codes scores like a zero, a NaN among the weights is seen") {
  Problem p = random_problem(1, 8, 32, 2, 9);
  p.k[32] = 0x7f;  // the second key
  CHECK(bits(logits_of(p)[1]) == 0);
  p.weights[3] = -std::nanf("");
  CHECK(bits(logits_of(p)[0]) == 0x7fffffff);
}

TEST_CASE("operands that do not fit are refused with what was found") {
  const Problem good = random_problem(1, 8, 32, 2, 1);
  Problem p = good;
  p.heads = 12;
  CHECK_THROWS_WITH(logits_of(p), ContainsSubstring("12 heads, expected a multiple of 8"));
  p = good;
  p.width = 48;
  CHECK_THROWS_WITH(logits_of(p), ContainsSubstring("heads of 48 elements"));
  p = good;
  p.scales.push_back(1);
  CHECK_THROWS_WITH(logits_of(p), ContainsSubstring("3 scales, expected 2"));
  p = good;
  p.weights.pop_back();
  CHECK_THROWS_WITH(logits_of(p), ContainsSubstring("7 weights, expected 8"));
  MqaOptions options;
  options.instruction = &find_instruction("hopper.wgmma.f32.f16.f16");
  CHECK_THROWS_WITH(logits_of(good, options), ContainsSubstring("expected one of E4M3 operands"));
  const std::vector<std::uint32_t> ends{1, 2};
  options = {};
  options.ends = ends;
  CHECK_THROWS_WITH(logits_of(good, options), ContainsSubstring("2 bounds, expected 1"));
}

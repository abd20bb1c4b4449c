// X19: the routing of DeepSeek-V3, against a second way to do it and by hand.
#include "binade/emulation/moe_gate.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "catch.hpp"

using namespace binade;

namespace {

using Indices = std::vector<std::int32_t>;

/// logit whose sigmoid is p.
float logit(double p) { return static_cast<float>(std::log(p / (1 - p))); }

std::vector<float> logits_of(const std::vector<double>& scores) {
  std::vector<float> logits;
  for (const double p : scores) logits.push_back(logit(p));
  return logits;
}

/// The published steps with sorted lists: for one token, the chosen experts in order.
Indices reference(const GateRules& r, const std::vector<double>& scores,
                  const std::vector<double>& bias) {
  using Ranked = std::pair<double, std::int32_t>;  // negated, so that sorting is best first
  const std::size_t size = r.experts / r.groups;
  std::vector<Ranked> groups;
  for (std::size_t g = 0; g < r.groups; ++g) {
    std::multiset<double> values;
    for (std::size_t i = g * size; i < (g + 1) * size; ++i) {
      values.insert(scores[i] + (bias.empty() ? 0.0 : bias[i]));
    }
    const double first = *values.rbegin(), second = *std::next(values.rbegin());
    groups.emplace_back(bias.empty() ? -first : -(first + second), static_cast<std::int32_t>(g));
  }
  std::ranges::sort(groups);
  std::vector<Ranked> experts;
  for (std::size_t k = 0; k < r.kept_groups; ++k) {
    const auto g = static_cast<std::size_t>(groups[k].second);
    for (std::size_t i = g * size; i < (g + 1) * size; ++i) {
      experts.emplace_back(-(scores[i] + (bias.empty() ? 0.0 : bias[i])),
                           static_cast<std::int32_t>(i));
    }
  }
  std::ranges::sort(experts);
  Indices chosen;
  for (std::size_t k = 0; k < r.active; ++k) chosen.push_back(experts[k].second);
  return chosen;
}

}  // namespace

TEST_CASE("X19: two groups of three, one kept, by hand") {
  GateRules r{6, 2, 2, 1, GateScore::kSigmoid, 2.0};
  const std::vector<float> logits = logits_of({0.5, 0.9, 0.1, 0.6, 0.7, 0.7});
  const std::vector<float> none(6, 0.0f);
  // With a bias, even of zero, groups rank by the sum of two: 1.4 and 1.4 in fp32 differ by an ulp
  // at most, so the second group is made clearly better.
  std::vector<float> bias{0, 0, 0, 0.125f, 0, 0};
  const GateChoice<float> by_two = moe_gate(r, logits, bias);
  CHECK(by_two.experts == Indices{3, 4});  // 0.725 and 0.7, the lower of two equals
  // The weights know nothing of the bias: 0.6 and 0.7 over their sum, times 2.
  CHECK(by_two.weights[0] == Approx(2 * 0.6 / 1.3).epsilon(1e-6));
  CHECK(by_two.weights[1] == Approx(2 * 0.7 / 1.3).epsilon(1e-6));
  // Without a bias groups rank by their largest.
  const GateChoice<float> by_one = moe_gate(r, logits, {});
  CHECK(by_one.experts == Indices{1, 0});
  // All groups kept: grouping plays no part.
  r.kept_groups = 2;
  CHECK(moe_gate(r, logits, none).experts == Indices{1, 4});
}

TEST_CASE("X19: ties go to the lower index, of groups and of experts") {
  const GateRules r{8, 3, 4, 2, GateScore::kSigmoid, 1.0};
  const std::vector<float> equal(8, 0.25f), bias(8, 0.0f);
  const GateChoice<float> c = moe_gate(r, equal, bias);
  CHECK(c.experts == Indices{0, 1, 2});
  for (const float w : c.weights) CHECK(w == Approx(1.0 / 3).epsilon(1e-6));
}

TEST_CASE("X19: DeepSeek-V3's rules on random tokens; weights sum to 2.5") {
  std::mt19937 random(17);
  std::normal_distribution<double> normal;
  const std::size_t tokens = 300;
  for (const bool with_bias : {false, true}) {
    std::vector<double> logits(tokens * 256), bias;
    for (double& x : logits) x = normal(random) * 0.5;
    if (with_bias) {
      for (std::size_t i = 0; i < 256; ++i) bias.push_back(0.05 * normal(random));
    }
    const GateChoice<double> c = moe_gate(kDeepSeekV3Gate, std::span<const double>(logits), bias);
    const GateChoice<double> one =
        moe_gate(kDeepSeekV3Gate, std::span<const double>(logits), bias, 1);
    CHECK(c.experts == one.experts);
    CHECK(c.weights == one.weights);
    for (std::size_t t = 0; t < tokens; ++t) {
      std::vector<double> scores;
      for (std::size_t i = 0; i < 256; ++i)
        scores.push_back(1 / (1 + std::exp(-logits[t * 256 + i])));
      const auto first = c.experts.begin() + static_cast<std::ptrdiff_t>(8 * t);
      REQUIRE(Indices(first, first + 8) == reference(kDeepSeekV3Gate, scores, bias));
      double sum = 0;
      std::set<std::int32_t> groups;
      for (std::size_t k = 0; k < 8; ++k) {
        sum += c.weights[8 * t + k];
        groups.insert(c.experts[8 * t + k] / 32);
      }
      REQUIRE(sum == Approx(2.5).epsilon(1e-12));
      REQUIRE(groups.size() <= 4);
    }
  }
}

TEST_CASE("softmax weights are not made to sum to one; the root of softplus grows with x") {
  GateRules r{4, 2, 1, 1, GateScore::kSoftmax, 1.0};
  const std::vector<double> logits{1, 3, 2, 0};
  const GateChoice<double> soft = moe_gate(r, std::span<const double>(logits), {});
  CHECK(soft.experts == Indices{1, 2});
  const double sum = std::exp(1.0) + std::exp(3.0) + std::exp(2.0) + 1;
  CHECK(soft.weights[0] == Approx(std::exp(3.0) / sum).epsilon(1e-12));
  CHECK(soft.weights[1] == Approx(std::exp(2.0) / sum).epsilon(1e-12));
  r.score = GateScore::kSqrtSoftplus;
  const std::vector<double> wide{-50, 30, 0, 800};
  const GateChoice<double> root = moe_gate(r, std::span<const double>(wide), {});
  CHECK(root.experts == Indices{3, 1});
  CHECK(root.weights[1] / root.weights[0] == Approx(std::sqrt(30.0 / 800)).epsilon(1e-12));
}

TEST_CASE("rules that do not fit are refused with what was found") {
  const std::vector<float> logits(16), bias(4);
  GateRules r{8, 2, 2, 1, GateScore::kSigmoid, 1.0};
  CHECK_THROWS_WITH(moe_gate(r, std::span(logits).first(12), {}),
                    ContainsSubstring("12 logits, expected one or more tokens of 8"));
  CHECK_THROWS_WITH(moe_gate(r, logits, bias), ContainsSubstring("4 biases, expected none or 8"));
  r.groups = 3;
  CHECK_THROWS_WITH(moe_gate(r, logits, {}), ContainsSubstring("3 groups of 8 experts"));
  r.groups = 2;
  r.kept_groups = 3;
  CHECK_THROWS_WITH(moe_gate(r, logits, {}), ContainsSubstring("3 groups kept of 2"));
  r.kept_groups = 1;
  r.active = 5;
  CHECK_THROWS_WITH(moe_gate(r, logits, {}), ContainsSubstring("5 active experts of 4 kept"));
}

#include "binade/emulation/moe_gate.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "binade/emulation/top_k.hpp"

namespace binade {
namespace {

void require(bool holds, const std::string& what) {
  if (!holds) throw std::invalid_argument("gate: " + what);
}

void check(const GateRules& r, std::size_t logits, std::size_t bias, int threads) {
  const auto number = [](std::size_t n) { return std::to_string(n); };
  require(r.experts > 0 && logits > 0 && logits % r.experts == 0,
          number(logits) + " logits, expected one or more tokens of " + number(r.experts));
  require(bias == 0 || bias == r.experts,
          number(bias) + " biases, expected none or " + number(r.experts));
  require(r.groups > 0 && r.experts % r.groups == 0,
          number(r.groups) + " groups of " + number(r.experts) + " experts, expected equal ones");
  require(r.kept_groups > 0 && r.kept_groups <= r.groups,
          number(r.kept_groups) + " groups kept of " + number(r.groups));
  const std::size_t size = r.experts / r.groups;
  require(r.kept_groups == r.groups || bias == 0 || size >= 2,
          "groups of one expert, expected two or more to sum");
  require(r.active > 0 && r.active <= r.kept_groups * size,
          number(r.active) + " active experts of " + number(r.kept_groups * size) + " kept");
  require(threads >= 0, "threads: found " + std::to_string(threads) + ", expected 0 or more");
}

double score_of(GateScore score, double x) {
  if (score == GateScore::kSigmoid) return 1 / (1 + std::exp(-x));
  return std::sqrt(x > 20 ? x : std::log1p(std::exp(x)));
}

template <class Real>
std::vector<Real> scores_of(const GateRules& rules, std::span<const Real> logits) {
  std::vector<Real> scores(logits.size());
  if (rules.score != GateScore::kSoftmax) {
    std::ranges::transform(logits, scores.begin(), [&](Real x) {
      return static_cast<Real>(score_of(rules.score, static_cast<double>(x)));
    });
    return scores;
  }
  const auto largest = static_cast<double>(*std::ranges::max_element(logits));
  double sum = 0;
  for (const Real x : logits) sum += std::exp(static_cast<double>(x) - largest);
  std::ranges::transform(logits, scores.begin(), [&](Real x) {
    return static_cast<Real>(std::exp(static_cast<double>(x) - largest) / sum);
  });
  return scores;
}

/// Ranks of the experts of groups that are not kept become minus infinity.
template <class Real>
void drop_groups(const GateRules& rules, bool has_bias, std::span<Real> ranks) {
  if (rules.kept_groups == rules.groups) return;
  const std::size_t size = rules.experts / rules.groups;
  std::vector<Real> by_group(rules.groups);
  for (std::size_t g = 0; g < rules.groups; ++g) {
    const std::span<const Real> group = ranks.subspan(g * size, size);
    const auto best = stable_top_k(group, has_bias ? 2 : 1);
    by_group[g] = group[static_cast<std::size_t>(best[0])];
    if (has_bias) by_group[g] += group[static_cast<std::size_t>(best[1])];
  }
  std::vector<bool> kept(rules.groups);
  for (const std::int32_t g : stable_top_k(std::span<const Real>(by_group), rules.kept_groups)) {
    kept[static_cast<std::size_t>(g)] = true;
  }
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    if (!kept[i / size]) ranks[i] = -std::numeric_limits<Real>::infinity();
  }
}

template <class Real>
void choose(const GateRules& rules, std::span<const Real> logits, std::span<const Real> bias,
            std::int32_t* experts, Real* weights) {
  const std::vector<Real> scores = scores_of(rules, logits);
  std::vector<Real> ranks = scores;
  for (std::size_t i = 0; i < bias.size(); ++i) ranks[i] += bias[i];
  drop_groups<Real>(rules, !bias.empty(), ranks);
  const auto chosen = stable_top_k(std::span<const Real>(ranks), rules.active);
  std::ranges::copy(chosen, experts);
  Real sum = 0;
  for (std::size_t i = 0; i < rules.active; ++i) {
    weights[i] = scores[static_cast<std::size_t>(chosen[i])];
    sum += weights[i];
  }
  for (std::size_t i = 0; i < rules.active; ++i) {
    if (rules.score != GateScore::kSoftmax) weights[i] /= sum;
    weights[i] *= static_cast<Real>(rules.route_scale);
  }
}

template <class Real>
GateChoice<Real> gate(const GateRules& rules, std::span<const Real> logits,
                      std::span<const Real> bias, int threads) {
  check(rules, logits.size(), bias.size(), threads);
  const std::size_t tokens = logits.size() / rules.experts;
  GateChoice<Real> choice;
  choice.experts.resize(tokens * rules.active);
  choice.weights.resize(tokens * rules.active);
  const int team = threads > 0 ? threads : omp_get_max_threads();
#pragma omp parallel for num_threads(team) schedule(static)
  for (std::size_t t = 0; t < tokens; ++t) {
    choose(rules, logits.subspan(t * rules.experts, rules.experts), bias,
           choice.experts.data() + t * rules.active, choice.weights.data() + t * rules.active);
  }
  return choice;
}

}  // namespace

GateChoice<float> moe_gate(const GateRules& rules, std::span<const float> logits,
                           std::span<const float> bias, int threads) {
  return gate(rules, logits, bias, threads);
}

GateChoice<double> moe_gate(const GateRules& rules, std::span<const double> logits,
                            std::span<const double> bias, int threads) {
  return gate(rules, logits, bias, threads);
}

}  // namespace binade

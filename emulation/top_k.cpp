#include "binade/emulation/top_k.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>

namespace binade {
namespace {

/// Whether score a ranks before score b.
template <class Real>
bool greater(Real a, Real b) {
  return a > b || (std::isnan(a) && !std::isnan(b));
}

template <class Real>
std::vector<std::int32_t> top_k(std::span<const Real> scores, std::size_t k) {
  if (scores.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    throw std::invalid_argument("top k of " + std::to_string(scores.size()) +
                                " scores, expected at most 2^31 - 1");
  }
  std::vector<std::int32_t> indices(scores.size());
  std::iota(indices.begin(), indices.end(), 0);
  const auto before = [&](std::int32_t i, std::int32_t j) {
    const Real a = scores[static_cast<std::size_t>(i)], b = scores[static_cast<std::size_t>(j)];
    return greater(a, b) || (!greater(b, a) && i < j);
  };
  const auto kept = indices.begin() + static_cast<std::ptrdiff_t>(std::min(k, scores.size()));
  // `before` orders all indices strictly, so what is selected does not depend on the algorithm.
  if (kept != indices.end()) std::nth_element(indices.begin(), kept, indices.end(), before);
  indices.erase(kept, indices.end());
  std::ranges::sort(indices, before);
  return indices;
}

}  // namespace

std::vector<std::int32_t> stable_top_k(std::span<const float> scores, std::size_t k) {
  return top_k(scores, k);
}

std::vector<std::int32_t> stable_top_k(std::span<const double> scores, std::size_t k) {
  return top_k(scores, k);
}

double recall(std::span<const std::int32_t> found, std::span<const std::int32_t> reference) {
  if (reference.empty()) throw std::invalid_argument("recall of an empty reference");
  std::vector<std::int32_t> a(found.begin(), found.end());
  std::vector<std::int32_t> b(reference.begin(), reference.end());
  std::ranges::sort(a);
  std::ranges::sort(b);
  std::vector<std::int32_t> both;
  std::ranges::set_intersection(a, b, std::back_inserter(both));
  return static_cast<double>(both.size()) / static_cast<double>(reference.size());
}

}  // namespace binade

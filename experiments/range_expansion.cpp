#include "range_expansion.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "read_back.hpp"

namespace binade::experiments {

namespace {

double magnitude(float x) { return std::fabs(static_cast<double>(x)); }

double largest(std::span<const float> group) {
  double most = 0;
  for (const float v : group) most = std::max(most, magnitude(v));
  return most;
}

void round_group(std::span<const float> x, FloatFormat element, std::span<float> y) {
  const double most = largest(x);
  if (most == 0) {
    std::ranges::copy(x, y.begin());
    return;
  }
  const double k = expansion_exponent(x, element);
  std::vector<float> expanded(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double v = x[i];
    expanded[i] = static_cast<float>(std::copysign(std::pow(std::fabs(v) / most, k), v));
  }
  const std::vector<float> back =
      read_back(expanded, 1, x.size(), find_scaling("tensor"), element, 1);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double u = back[i];
    y[i] = static_cast<float>(std::copysign(most * std::pow(std::fabs(u), 1 / k), u));
  }
}

}  // namespace

double expansion_exponent(std::span<const float> group, FloatFormat element) {
  const double most = largest(group);
  double least = most;
  for (const float v : group) {
    if (v != 0) least = std::min(least, magnitude(v));
  }
  if (!(most > least)) return 1;
  const double smallest = std::ldexp(1.0, element.min_ulp_exponent());
  return std::log(static_cast<double>(largest_element(element)) / smallest) /
         std::log(most / least);
}

void round_expanded(std::span<const float> x, std::size_t group, FloatFormat element,
                    std::span<float> y) {
  if (x.size() != y.size() || group == 0) {
    throw std::invalid_argument("round_expanded: " + std::to_string(x.size()) + " and " +
                                std::to_string(y.size()) + " numbers in groups of " +
                                std::to_string(group));
  }
  for (std::size_t at = 0; at < x.size(); at += group) {
    const std::size_t count = std::min(group, x.size() - at);
    round_group(x.subspan(at, count), element, y.subspan(at, count));
  }
}

}  // namespace binade::experiments

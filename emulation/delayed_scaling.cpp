#include "binade/emulation/delayed_scaling.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace binade {
namespace {

float amax_without_nan(std::span<const float> x) {
  float amax = 0.0f;
  for (const float v : x) amax = std::fabs(v) > amax ? std::fabs(v) : amax;
  return amax;
}

}  // namespace

AmaxCompute parse_amax_compute(std::string_view name) {
  if (name == "max") return AmaxCompute::kMax;
  if (name == "most_recent") return AmaxCompute::kMostRecent;
  throw std::invalid_argument("unknown amax rule '" + std::string(name) +
                              "': expected one of max, most_recent");
}

std::string_view name_of(AmaxCompute compute) {
  return compute == AmaxCompute::kMax ? "max" : "most_recent";
}

DelayedScaling::DelayedScaling(const DelayedScalingOptions& options)
    : options_(options), history_(options.history_length) {
  if (options.history_length == 0 || options.margin < -126 || options.margin > 126) {
    throw std::invalid_argument(
        "delayed scaling takes a history of 1 or more and a margin from -126 to 126, not " +
        std::to_string(options.history_length) + " and " + std::to_string(options.margin));
  }
  check_element_format(options.element);
}

void DelayedScaling::record(float amax) {
  if (!(amax <= history_[0])) history_[0] = amax;
}

void DelayedScaling::update() {
  float amax = history_[0];
  if (options_.compute == AmaxCompute::kMax) amax = amax_without_nan(history_);
  if (std::isfinite(amax) && amax > 0.0f) {
    const float scaled_max = largest_element(options_.element) * std::ldexp(1.0f, -options_.margin);
    inv_scale_ = std::min(scaled_max / amax, kMaxFloat);
    scale_ = 1.0f / inv_scale_;
  }
  std::rotate(history_.begin(), history_.begin() + 1, history_.end());
  history_[0] = 0.0f;
}

Quantized DelayedScaling::quantize(std::span<const float> x, std::size_t rows, std::size_t cols,
                                   int threads) {
  Quantized q = quantize_with_scale(x, rows, cols, {scale_, inv_scale_}, options_.element, threads);
  record(amax_without_nan(x));
  return q;
}

}  // namespace binade

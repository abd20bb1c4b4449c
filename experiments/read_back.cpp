#include "read_back.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace binade::experiments {

Scaling find_scaling(const std::string& name, const std::string& recipe) {
  constexpr Granularity kMx{1, 32};
  if (name == "mx" || name == "mx-floor") {
    return {name, find_scale_recipe("ocp-mx"), kMx, ScaleType::kUe8m0};
  }
  if (name == "mx-ceil") return {name, find_scale_recipe("nvidia-mx"), kMx, ScaleType::kUe8m0};
  if (name == "nvfp4") return {name, find_scale_recipe("nvfp4"), {1, 16}, ScaleType::kE4M3};
  const std::string suffix = "-pow2";
  if (name.ends_with(suffix)) {
    return {name, find_scale_recipe(recipe),
            parse_granularity(name.substr(0, name.size() - suffix.size())), ScaleType::kPow2};
  }
  return {name, find_scale_recipe(recipe), parse_granularity(name), ScaleType::kFp32};
}

ReadBackError read_back_error(std::span<const float> x, std::span<const float> y, int threads) {
  if (x.size() != y.size() || x.empty()) {
    throw std::invalid_argument("read_back_error: " + std::to_string(x.size()) + " and " +
                                std::to_string(y.size()) + " elements, expected as many of both");
  }
  constexpr std::size_t kRun = 4096;
  struct Sums {
    double error = 0, signal = 0, max_rel = 0;
    std::size_t zeros = 0, not_zero = 0, changed = 0;
  };
  std::vector<Sums> by_run((x.size() + kRun - 1) / kRun);
  const int team = threads > 0 ? threads : omp_get_max_threads();
#pragma omp parallel for num_threads(team) schedule(static)
  for (std::size_t run = 0; run < by_run.size(); ++run) {
    Sums s;
    for (std::size_t i = run * kRun; i < std::min(x.size(), (run + 1) * kRun); ++i) {
      const double value = x[i], error = static_cast<double>(y[i]) - value;
      s.error += error * error;
      s.signal += value * value;
      s.changed += x[i] != y[i];
      if (value == 0) continue;
      s.max_rel = std::max(s.max_rel, std::fabs(error / value));
      s.zeros += y[i] == 0;
      ++s.not_zero;
    }
    by_run[run] = s;
  }
  Sums total;
  for (const Sums& s : by_run) {
    total.error += s.error;
    total.signal += s.signal;
    total.max_rel = std::max(total.max_rel, s.max_rel);
    total.zeros += s.zeros;
    total.not_zero += s.not_zero;
    total.changed += s.changed;
  }
  ReadBackError e;
  if (total.signal > 0) e.rel_rms = std::sqrt(total.error / total.signal);
  e.sqnr_db = -20 * std::log10(std::max(e.rel_rms, 1e-20));  // an exact result: 400 dB
  e.max_rel_error = total.max_rel;
  e.underflow = total.not_zero == 0
                    ? 0
                    : static_cast<double>(total.zeros) / static_cast<double>(total.not_zero);
  e.changed = static_cast<double>(total.changed) / static_cast<double>(x.size());
  return e;
}

std::vector<float> read_back(std::span<const float> x, std::size_t rows, std::size_t cols,
                             const Scaling& scaling, FloatFormat element, int threads) {
  const Quantized q = quantize(x, rows, cols, scaling.recipe, scaling.granularity,
                               scaling.scale_type, element, threads);
  std::vector<float> y(x.size());
  dequantize(q, y, threads);
  return y;
}

double saturated_share(std::span<const float> x, const Quantized& q) {
  const BlockGrid grid = block_grid(q.rows, q.cols, q.granularity);
  const double largest = static_cast<double>(largest_element(q.element)) * (1 + 0x1p-20);
  std::size_t count = 0;
  for (std::size_t row = 0; row < q.rows; ++row) {
    const float* scales = q.scales.data() + row / grid.block_rows * q.scale_cols;
    for (std::size_t col = 0; col < q.cols; ++col) {
      const double limit = largest * scales[col / grid.block_cols] * q.tensor_scale;
      count += std::fabs(x[row * q.cols + col]) > limit;
    }
  }
  return static_cast<double>(count) / static_cast<double>(x.size());
}

}  // namespace binade::experiments

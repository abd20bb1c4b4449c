#include "binade/emulation/quantization_stats.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace binade {

void QuantizationStats::add(std::span<const float> x, const Quantized& q, int threads) {
  std::vector<float> back(q.rows * q.cols);
  dequantize(q, back, threads);
  const FloatFormat f = q.element;
  const double half_ulp = std::ldexp(0.5, f.emax() - f.mantissa_bits);
  const double limit = decode(f, f.max_finite_code()) + half_ulp;
  const BlockGrid grid = block_grid(q.rows, q.cols, q.granularity);
  for (std::size_t r = 0; r < x.size() / q.cols; ++r) {
    const float* scales = q.scales.data() + r / grid.block_rows * grid.grid_cols;
    for (std::size_t c = 0; c < q.cols; ++c) {
      const std::size_t i = r * q.cols + c;
      const double value = x[i], error = static_cast<double>(back[i]) - value;
      if (!std::isfinite(value)) {
        ++nonfinite;
        continue;
      }
      const double scale = static_cast<double>(scales[c / grid.block_cols]) * q.tensor_scale;
      amax = std::max(amax, std::fabs(value));
      underflow += value != 0 && back[i] == 0;
      saturated += std::fabs(value) >= limit * scale;
      signal += value * value;
      noise += error * error;
    }
  }
  count += x.size();
}

double QuantizationStats::sqnr_db() const { return 10 * std::log10(signal / noise); }

double QuantizationStats::share(std::size_t part) const {
  return static_cast<double>(part) / static_cast<double>(count);
}

}  // namespace binade

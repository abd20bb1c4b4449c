#include "attention.hpp"

#include <omp.h>

#include <cmath>

namespace binade::experiments {

namespace {

/// The product of two rows in four interleaved partial sums, which a compiler can keep in lanes.
double dot_rows(const float* x, const float* y, std::size_t width) {
  double sums[4] = {};
  std::size_t i = 0;
  for (; i + 4 <= width; i += 4) {
    for (std::size_t j = 0; j < 4; ++j) {
      sums[j] += static_cast<double>(x[i + j]) * static_cast<double>(y[i + j]);
    }
  }
  for (; i < width; ++i) sums[0] += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace

std::vector<std::vector<double>> latent_attention(std::span<const float> queries,
                                                  std::span<const float> entries, std::size_t width,
                                                  std::size_t value_width,
                                                  const std::vector<std::size_t>& lengths,
                                                  int threads) {
  const std::size_t count = queries.size() / width;
  std::vector<std::vector<double>> outputs(lengths.size(),
                                           std::vector<double>(count * value_width));
  const int team = threads > 0 ? threads : omp_get_max_threads();
#pragma omp parallel for num_threads(team) schedule(static)
  for (std::size_t q = 0; q < count; ++q) {
    std::vector<double> sum(value_width);
    double total = 0;
    std::size_t token = 0;
    for (std::size_t part = 0; part < lengths.size(); ++part) {
      for (; token < lengths[part]; ++token) {
        const float* entry = entries.data() + token * width;
        const double p = std::exp(dot_rows(queries.data() + q * width, entry, width));
        total += p;
        for (std::size_t i = 0; i < value_width; ++i) sum[i] += p * static_cast<double>(entry[i]);
      }
      for (std::size_t i = 0; i < value_width; ++i) {
        outputs[part][q * value_width + i] = sum[i] / total;
      }
    }
  }
  return outputs;
}

}  // namespace binade::experiments

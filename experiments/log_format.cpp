#include "log_format.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace binade::experiments {

namespace {

/// The grid of one tile; without numbers other than zero `step` and `low` mean nothing.
struct Grid {
  double low = 0, step = 0;
  int last = 1;  ///< the highest code
  double value(int code) const { return code == 0 ? 0 : std::exp(low + (code - 1) * step); }
};

Grid grid_of(std::span<const float> tile, int bits) {
  float least = INFINITY, most = 0;
  for (const float v : tile) {
    const float magnitude = std::fabs(v);
    most = std::max(most, magnitude);
    if (magnitude > 0) least = std::min(least, magnitude);
  }
  Grid grid;
  grid.last = (1 << (bits - 1)) - 1;
  if (most == 0) return grid;
  const double high = std::log(static_cast<double>(most));
  grid.low = std::max(std::log(static_cast<double>(least)), high - 32 * std::log(2.0));
  grid.step = (high - grid.low) / (grid.last - 1);
  return grid;
}

float rounded(const Grid& grid, float x) {
  const double magnitude = std::fabs(static_cast<double>(x));
  if (magnitude == 0) return x;
  const double place = grid.step == 0 ? 0 : (std::log(magnitude) - grid.low) / grid.step;
  const int below = std::clamp(static_cast<int>(std::floor(place)) + 1, 0, grid.last);
  const double lower = grid.value(below), upper = grid.value(std::min(below + 1, grid.last));
  const double nearest = upper - magnitude < magnitude - lower ? upper : lower;
  return static_cast<float>(std::copysign(nearest, static_cast<double>(x)));
}

}  // namespace

void round_to_logfmt(std::span<const float> x, std::size_t rows, std::size_t cols, std::size_t tile,
                     int bits, std::span<float> y, int threads) {
  if (x.size() != rows * cols || y.size() != x.size() || x.empty() || tile == 0) {
    throw std::invalid_argument("round_to_logfmt: " + std::to_string(x.size()) + " and " +
                                std::to_string(y.size()) + " elements in tiles of " +
                                std::to_string(tile) + ", expected " + std::to_string(rows) +
                                " x " + std::to_string(cols));
  }
  if (bits < 3 || bits > 16) {
    throw std::invalid_argument("round_to_logfmt: " + std::to_string(bits) +
                                " bits, expected 3 to 16");
  }
  if (!std::ranges::all_of(x, [](float v) { return std::isfinite(v); })) {
    throw std::invalid_argument("round_to_logfmt: a number is NaN or infinite");
  }
  const int team = threads > 0 ? threads : omp_get_max_threads();
#pragma omp parallel for num_threads(team) schedule(static)
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t col = 0; col < cols; col += tile) {
      const std::size_t first = row * cols + col, count = std::min(tile, cols - col);
      const Grid grid = grid_of(x.subspan(first, count), bits);
      for (std::size_t i = first; i < first + count; ++i) y[i] = rounded(grid, x[i]);
    }
  }
}

}  // namespace binade::experiments

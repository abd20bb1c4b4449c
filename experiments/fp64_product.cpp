#include "fp64_product.hpp"

#include <omp.h>

#include <algorithm>

namespace binade::experiments {

std::vector<double> fp64_product(std::span<const double> a, std::span<const double> b,
                                 std::size_t k, int threads) {
  constexpr std::size_t kRows = 8, kColumns = 64;  // of one tile of outputs, held in lanes
  const std::size_t m = a.size() / k, n = b.size() / k;
  const std::size_t row_tiles = (m + kRows - 1) / kRows;
  std::vector<double> d(m * n);
  const int team = threads > 0 ? threads : omp_get_max_threads();
#pragma omp parallel for num_threads(team) schedule(static)
  for (std::size_t first = 0; first < n; first += kColumns) {
    const std::size_t columns = std::min(kColumns, n - first);
    std::vector<double> panel(k * kColumns);  // [k, columns]
    for (std::size_t j = 0; j < columns; ++j) {
      for (std::size_t i = 0; i < k; ++i) panel[i * kColumns + j] = b[(first + j) * k + i];
    }
    for (std::size_t tile = 0; tile < row_tiles; ++tile) {
      const std::size_t rows = std::min(kRows, m - tile * kRows);
      double sums[kRows][kColumns] = {};
      for (std::size_t i = 0; i < k; ++i) {
        for (std::size_t r = 0; r < rows; ++r) {
          const double x = a[(tile * kRows + r) * k + i];
          for (std::size_t j = 0; j < kColumns; ++j) sums[r][j] += x * panel[i * kColumns + j];
        }
      }
      for (std::size_t r = 0; r < rows; ++r) {
        std::copy(sums[r], sums[r] + columns,
                  d.begin() + static_cast<std::ptrdiff_t>((tile * kRows + r) * n + first));
      }
    }
  }
  return d;
}

}  // namespace binade::experiments

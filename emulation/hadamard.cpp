#include "binade/emulation/hadamard.hpp"

#include <omp.h>

#include <bit>
#include <stdexcept>
#include <string>

namespace binade {
namespace {

void transform_row(float* x, std::size_t width, float scale) {
  for (std::size_t stride = 1; stride < width; stride *= 2) {
    for (std::size_t start = 0; start < width; start += 2 * stride) {
      for (std::size_t i = start; i < start + stride; ++i) {
        const float a = x[i], b = x[i + stride];
        x[i] = a + b;
        x[i + stride] = a - b;
      }
    }
  }
  for (std::size_t i = 0; i < width; ++i) x[i] *= scale;
}

}  // namespace

void hadamard_transform(std::span<float> x, std::size_t width, float scale, int threads) {
  if (!std::has_single_bit(width) || x.size() % width != 0) {
    throw std::invalid_argument("Hadamard transform of " + std::to_string(x.size()) +
                                " elements in rows of " + std::to_string(width) +
                                ", expected whole rows of a power of two");
  }
  if (threads < 0) {
    throw std::invalid_argument("threads: found " + std::to_string(threads) +
                                ", expected 0 or more");
  }
  const int team = threads > 0 ? threads : omp_get_max_threads();
#pragma omp parallel for num_threads(team) schedule(static)
  for (std::size_t row = 0; row < x.size() / width; ++row) {
    transform_row(x.data() + row * width, width, scale);
  }
}

}  // namespace binade

// The rotation against the matrix of its definition: entry (i, j) is (-1)^popcount(i & j).
#include "binade/emulation/hadamard.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "catch.hpp"

using namespace binade;

namespace {

std::vector<double> by_matrix(const std::vector<float>& x, std::size_t width, double scale) {
  std::vector<double> y(x.size());
  for (std::size_t row = 0; row < x.size() / width; ++row) {
    for (std::size_t i = 0; i < width; ++i) {
      for (std::size_t j = 0; j < width; ++j) {
        const double sign = std::popcount(i & j) % 2 == 0 ? 1 : -1;
        y[row * width + i] += sign * static_cast<double>(x[row * width + j]);
      }
      y[row * width + i] *= scale;
    }
  }
  return y;
}

std::vector<float> small_integers(std::size_t count) {
  std::mt19937 random(3);
  std::vector<float> x(count);
  for (float& v : x) v = static_cast<float>(random() % 255) - 127.0f;
  return x;
}

}  // namespace

TEST_CASE("integers, which are never rounded, equal the matrix product in every bit") {
  for (const std::size_t width : {1u, 2u, 8u, 64u, 128u, 512u}) {
    std::vector<float> x = small_integers(3 * width);
    const std::vector<double> want = by_matrix(x, width, 0.125);
    hadamard_transform(x, width, 0.125f);
    for (std::size_t i = 0; i < x.size(); ++i) REQUIRE(static_cast<double>(x[i]) == want[i]);
  }
}

TEST_CASE("the strides ascend: an order that shows in the last bit") {
  // 2^24 + 1 is no FP32 number. (2^24 + 1) and (1 - 0) are formed first, then their sum.
  std::vector<float> x{0x1p24f, 1.0f, 1.0f, 0.0f};
  hadamard_transform(x, 4, 1.0f);
  CHECK(x[0] == 0x1p24f);         // fl(fl(2^24 + 1) + fl(1 + 0)): each 1 is lost
  CHECK(x[2] == 0x1p24f - 1.0f);  // fl(fl(2^24 + 1) - 1), not 2^24
}

TEST_CASE("twice with scale width^-0.5 is the identity, up to rounding; threads change no bit") {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  std::vector<float> x(128 * 40);
  for (float& v : x) v = normal(random);
  std::vector<float> y = x, z = x;
  const float scale = 1.0f / std::sqrt(128.0f);
  hadamard_transform(y, 128, scale, 1);
  hadamard_transform(z, 128, scale, 2);
  CHECK(y == z);
  double energy = 0, rotated = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    energy += static_cast<double>(x[i]) * x[i];
    rotated += static_cast<double>(y[i]) * y[i];
  }
  CHECK(rotated == Approx(energy).epsilon(1e-6));
  hadamard_transform(y, 128, scale);
  for (std::size_t i = 0; i < x.size(); ++i) REQUIRE(std::fabs(y[i] - x[i]) < 2e-6f);
}

TEST_CASE("an outlier is spread over its row") {
  std::vector<float> x(128, 0.0f);
  x[37] = 64.0f;
  hadamard_transform(x, 128, 0.125f);
  for (const float v : x) CHECK(std::fabs(v) == 8.0f);
}

TEST_CASE("widths that are no power of two are refused") {
  std::vector<float> x(96);
  CHECK_THROWS_WITH(hadamard_transform(x, 96, 1.0f),
                    ContainsSubstring("96 elements in rows of 96"));
  CHECK_THROWS_WITH(hadamard_transform(x, 64, 1.0f),
                    ContainsSubstring("96 elements in rows of 64"));
  CHECK_THROWS_WITH(hadamard_transform(x, 0, 1.0f), ContainsSubstring("rows of 0"));
  CHECK_THROWS_WITH(hadamard_transform(x, 32, 1.0f, -1), ContainsSubstring("threads: found -1"));
}

#include "sampling.hpp"

#include <omp.h>

#include <cmath>
#include <numbers>
#include <stdexcept>

#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

double cosine_of_turn(double v) { return std::cos(2.0 * std::numbers::pi * v); }
double normal(double u, double v) { return std::sqrt(-2.0 * std::log(u)) * cosine_of_turn(v); }
double uniform01(double, double v) { return v; }
double uniform(double, double v) { return 2.0 * v - 1.0; }
double abs_normal(double u, double v) { return std::fabs(normal(u, v)); }
double laplace(double u, double v) { return v < 0.5 ? std::log(u) : -std::log(u); }
double student_t3(double u, double v) {
  return std::sqrt(3.0 * (std::pow(u, -2.0 / 3.0) - 1.0)) * cosine_of_turn(v);
}

/// 53 random bits, as an integer below 2^53.
double bits53(std::uint64_t key, std::uint64_t counter) {
  const std::uint64_t word =
      std::uint64_t{random_at(key, counter)} << 32 | random_at(key, counter + 1);
  return static_cast<double>(word >> 11);
}

}  // namespace

const std::vector<Distribution>& distributions() {
  static const std::vector<Distribution> all = {
      {"normal", "N(0, 1)", normal},
      {"uniform01", "U[0, 1)", uniform01},
      {"uniform", "U[-1, 1)", uniform},
      {"abs_normal", "|N(0, 1)|", abs_normal},
      {"laplace", "Laplace, density exp(-|x|) / 2", laplace},
      {"student_t3", "Student's t with 3 degrees of freedom", student_t3},
  };
  return all;
}

std::vector<std::string> distribution_names() {
  std::vector<std::string> names;
  for (const Distribution& d : distributions()) names.push_back(d.name);
  return names;
}

const Distribution& find_distribution(std::string_view name) {
  for (const Distribution& d : distributions()) {
    if (d.name == name) return d;
  }
  std::string message = "no distribution '" + std::string(name) + "'; there are";
  for (const Distribution& d : distributions()) message += " " + d.name;
  throw std::invalid_argument(message);
}

std::vector<float> sample(std::string_view distribution, std::size_t count, std::uint64_t seed,
                          std::uint64_t stream, int threads) {
  const auto transform = find_distribution(distribution).transform;
  const std::uint64_t key = std::uint64_t{random_at(seed, stream)} << 32 | random_at(~seed, stream);
  std::vector<float> values(count);
  const int team = threads > 0 ? threads : omp_get_max_threads();
#pragma omp parallel for num_threads(team) schedule(static)
  for (std::size_t i = 0; i < count; ++i) {
    const double u = (bits53(key, 4 * i) + 0.5) * 0x1p-53;
    const double v = bits53(key, 4 * i + 2) * 0x1p-53;
    values[i] = static_cast<float>(transform(u, v));
  }
  return values;
}

InputTensor random_matrix(const std::string& distribution, std::size_t rows, std::size_t k,
                          const Arguments& arguments, std::uint64_t stream) {
  return {distribution,
          sample(distribution, rows * k, seed_argument(arguments), stream, arguments.threads), rows,
          k};
}

}  // namespace binade::experiments

// Random inputs of the experiments, by the name of their distribution.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "binade/experiments/experiment.hpp"

namespace binade::experiments {

/// A named distribution. Element i of a stream is transform(u, v) of two independent uniform
/// numbers, u in (0, 1) and v in [0, 1), rounded to fp32.
struct Distribution {
  std::string name;
  std::string meaning;
  double (*transform)(double u, double v);
};

/// normal, uniform01, uniform, abs_normal, laplace, student_t3.
const std::vector<Distribution>& distributions();
std::vector<std::string> distribution_names();
/// Errors: std::invalid_argument naming the choices.
const Distribution& find_distribution(std::string_view name);

/// `count` numbers of a distribution.
///
/// Shapes: returns [count]. Units: that of the distribution, whose scale is 1.
/// Arithmetic: element i draws the words random_at(key, 4i) .. random_at(key, 4i + 3) (cast.hpp),
/// key a hash of seed and stream; two words make the 53 bits of u, two those of v; the transform
/// runs in fp64 and is rounded to fp32 once.
/// Special values: never NaN or infinite; uniform and uniform01 may round up to their open end.
/// Determinism: a counter-based generator: the numbers depend on (distribution, seed, stream, i)
/// alone, not on count or threads. The transforms call log, cos and pow, so another C library may
/// move a rare number by one fp32 ulp.
/// Errors: std::invalid_argument if the distribution is unknown.
/// Source: Box and Muller 1958; Bailey 1994 (Student's t). Tests: tests/experiments/.
std::vector<float> sample(std::string_view distribution, std::size_t count, std::uint64_t seed,
                          std::uint64_t stream = 0, int threads = 0);

/// The same as a matrix [rows, k] under the arguments' seed and threads, named by its distribution.
InputTensor random_matrix(const std::string& distribution, std::size_t rows, std::size_t k,
                          const Arguments& arguments, std::uint64_t stream);

}  // namespace binade::experiments

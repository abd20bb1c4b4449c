// Matrix products in fp64 of values that are already rounded: what narrower arithmetic is compared
// with where an exact sum would take too long.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace binade::experiments {

/// A B^T.
///
/// Shapes: a [m, k], b [n, k]; returns [m, n]. Arithmetic: every output is a sum in ascending k of
/// products, each rounded to fp64; products of two fp32 values are exact.
/// Determinism: the same bits on any number of threads. Errors: none; sizes must fit.
std::vector<double> fp64_product(std::span<const double> a, std::span<const double> b,
                                 std::size_t k, int threads);

inline std::vector<double> widened(std::span<const float> x) { return {x.begin(), x.end()}; }

}  // namespace binade::experiments

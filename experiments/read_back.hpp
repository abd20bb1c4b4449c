// What a round trip through a narrow format leaves of an array.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "binade/emulation/block_scale.hpp"

namespace binade::experiments {

/// How elements share scales: a recipe, the block that has one scale, and how the scale is stored.
struct Scaling {
  std::string name;
  const ScaleRecipe& recipe;
  Granularity granularity;
  ScaleType scale_type;
};
/// mx, mx-floor (OCP MX 1x32), mx-ceil (the same rounded up), nvfp4 (1x16, E4M3 under FP32),
/// GRANULARITY (FP32 scales by `recipe`), GRANULARITY-pow2.
/// Errors: std::invalid_argument.
Scaling find_scaling(const std::string& name, const std::string& recipe = "deepgemm");

struct ReadBackError {
  double rel_rms = 0;        ///< root mean square error over the root mean square of x
  double sqnr_db = 0;        ///< -20 log10 rel_rms
  double max_rel_error = 0;  ///< largest |y / x - 1| over the x that are not zero
  double underflow = 0;      ///< share of the x that are not zero whose y is
  double changed = 0;        ///< share of elements that differ
};
/// Sums in fp64 over runs of 4096 elements, then over the runs in order: the same on any number of
/// threads. Errors: std::invalid_argument when the sizes differ.
ReadBackError read_back_error(std::span<const float> x, std::span<const float> y, int threads);

/// Quantised and read back.
std::vector<float> read_back(std::span<const float> x, std::size_t rows, std::size_t cols,
                             const Scaling& scaling, FloatFormat element, int threads);

/// The share of elements beyond the largest that their block's scale can hold, by more than the
/// last places that the scale's own rounding costs.
double saturated_share(std::span<const float> x, const Quantized& q);

}  // namespace binade::experiments

// Error metrics, under the names that papers use, and the split of an error by its cause.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "binade/emulation/gemm.hpp"

namespace binade {

/// All against a reference of the same size; accumulated in fp64.
struct ErrorMetrics {
  double fro_rel = 0;        ///< |e|_F / |ref|_F
  double max_over_mean = 0;  ///< max |e| / mean |ref|
  double max_over_max = 0;   ///< max |e| / max |ref|
  double max_rel_large = 0;  ///< max |e / ref| over |ref| > mean |ref|
  double sqnr_db = 0;        ///< 10 log10(sum ref^2 / sum e^2)
  double calc_diff = 0;      ///< 1 - 2 sum xy / sum (x^2 + y^2), DeepGEMM's measure
  double cosine = 0;
  double bias = 0;           ///< mean(e * sign ref) / mean |ref|
  double mismatch_rate = 0;  ///< share of elements that are not equal
};
/// Errors: std::invalid_argument when sizes differ or are zero. Special values: a NaN or infinity
/// on either side makes the sums NaN, as it should; a zero reference gives infinity or NaN ratios.
ErrorMetrics error_metrics(std::span<const double> computed, std::span<const double> reference);
ErrorMetrics error_metrics(std::span<const float> computed, std::span<const double> reference);

/// |C^ - C|_inf / (|A|_inf |B|_inf) with the infinity norms of matrices (largest row sum).
double norm_inf_error(std::span<const double> computed, std::span<const double> reference,
                      std::size_t m, std::size_t n, double norm_a, double norm_b);

/// Where the error of a quantised GEMM comes from. Each stage differs from the one before it by one
/// cause; the stages' errors add up to the total exactly (in exact arithmetic), element by element.
struct ErrorSplit {
  struct Part {
    std::string cause;   ///< scale, cast, alignment, accumulation, promotion, output
    double fro_rel = 0;  ///< |stage_i - stage_(i-1)|_F / |exact|_F
    double bias = 0;     ///< mean((stage_i - stage_(i-1)) * sign exact) / mean |exact|
  };
  std::vector<Part> parts;
  double total_fro_rel = 0;
};

/// The split for D = A B^T: a [m, k] and b [n, k] in fp32 are quantised by `recipe` and multiplied
/// under `profile`. Stages: exact product of the inputs; of the scaled inputs (the rounding of
/// x/s); of the quantised ones (cast); the chain with alignment but unbounded accumulators
/// (alignment); with the instruction's result format (accumulation); with FP32 promotion and
/// scaling (promotion); with the output format (output).
ErrorSplit split_error(std::span<const float> a, std::span<const float> b, std::size_t m,
                       std::size_t n, std::size_t k, const ScaleRecipe& recipe,
                       ScaleType scale_type, const GemmProfile& profile, FloatFormat element,
                       FloatFormat output, const GemmOptions& options = {});

}  // namespace binade

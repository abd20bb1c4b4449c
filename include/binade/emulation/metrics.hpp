// Error metrics, under the names that papers use, and the split of an error by its cause.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "binade/emulation/gemm.hpp"

namespace binade {

/// Errors of a computed array against a reference of the same size, accumulated in fp64; e is
/// computed - reference.
struct ErrorMetrics {
  double fro_rel = 0;        ///< |e|_F / |ref|_F
  double max_over_mean = 0;  ///< max |e| / mean |ref|
  double max_over_max = 0;   ///< max |e| / max |ref|
  double max_rel_large = 0;  ///< max |e / ref| over |ref| > mean |ref|
  double sqnr_db = 0;        ///< 10 log10(sum ref^2 / sum e^2)
  double calc_diff = 0;      ///< 1 - 2 sum xy / sum (x^2 + y^2), DeepGEMM's measure
  double cosine = 0;         ///< sum xy / sqrt(sum x^2 sum y^2)
  double bias = 0;           ///< mean(e * sign ref) / mean |ref|
  double mismatch_rate = 0;  ///< share of elements that are not equal
};
/// Shapes: any, of equal size. Arithmetic: sums in fp64 in index order.
/// Special values: a NaN on either side makes sums and maxima NaN, and counts as a mismatch; a zero
/// reference gives infinity or NaN ratios, but calc_diff of two zero arrays is 0, as DeepGEMM has
/// it. Determinism: one thread, one order. Errors: std::invalid_argument when sizes differ or are
/// zero. Tests: tests/emulation/metrics_test.cpp.
ErrorMetrics error_metrics(std::span<const double> computed, std::span<const double> reference);
ErrorMetrics error_metrics(std::span<const float> computed, std::span<const double> reference);

/// |X|_inf of a matrix: its largest row sum of magnitudes. Errors: std::invalid_argument when the
/// size is not rows * cols or zero.
double infinity_norm(std::span<const double> x, std::size_t rows, std::size_t cols);
double infinity_norm(std::span<const float> x, std::size_t rows, std::size_t cols);

/// |C^ - C|_inf / (|A|_inf |B|_inf) with the norms above; C is [m, n].
/// Errors: as infinity_norm. Source: Khattak and Mikaitis, arXiv 2512.07004.
double norm_inf_error(std::span<const double> computed, std::span<const double> reference,
                      std::size_t m, std::size_t n, double norm_a, double norm_b);

/// Where the error of a quantised GEMM comes from. Each stage differs from the one before it by one
/// cause; the stages' errors add up to the total, element by element, and so do the biases.
struct ErrorSplit {
  struct Part {
    std::string cause;   ///< scale, cast, alignment, accumulation, promotion, output
    double fro_rel = 0;  ///< |stage_i - stage_(i-1)|_F / |exact|_F
    double bias = 0;     ///< mean((stage_i - stage_(i-1)) * sign exact) / mean |exact|
  };
  std::vector<Part> parts;  ///< the six causes, in this order
  double total_fro_rel = 0;
  double total_bias = 0;
};

/// The split for D = A B^T.
///
/// Shapes: a [m, k], b [n, k], quantised by `recipe` under the profile's granularities (where it
/// takes any: the recipe's default) and multiplied under `profile`.
/// Arithmetic: seven stages, each the [m, n] product:
///   0  exact, of the inputs;
///   1  exact, of the inputs brought to range and back: y = x / s or x * inv in fp32, times s
///                                                                                  (scale)
///   2  exact, of the quantised operands: y cast to the element format              (cast)
///   3  the chains with results that are never rounded, promoted and scaled exactly (alignment;
///      what the sum so far loses when it is aligned to a step's largest term counts here)
///   4  the chains in the instruction's result format, promoted and scaled exactly  (accumulation)
///   5  gemm under the profile, fp32 output                                         (promotion)
///   6  gemm under the profile in the output format                                 (output)
/// Exact stages are rounded once to fp64. Profiles without an instruction have no alignment: stage
/// 3 is stage 2.
/// Special values: NaN or infinite results make the figures NaN.
/// Determinism: the same figures on every ISA and thread count.
/// Errors: as quantize and gemm; std::invalid_argument for sizes that do not fit, for E4M3 block
/// scales, and for instructions whose alignment exceeds fp64 lanes (F beyond about 40).
/// Tests: tests/emulation/metrics_split_test.cpp.
ErrorSplit split_error(std::span<const float> a, std::span<const float> b, std::size_t m,
                       std::size_t n, std::size_t k, const ScaleRecipe& recipe,
                       ScaleType scale_type, const GemmProfile& profile, FloatFormat element,
                       FloatFormat output, const GemmOptions& options = {});

}  // namespace binade

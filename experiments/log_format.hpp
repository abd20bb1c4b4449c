// LogFMT: logarithms on a uniform grid between the smallest and the largest of a tile.
#pragma once

#include <cstddef>
#include <span>

namespace binade::experiments {

/// Rounds each tile of a row to LogFMT-n and back.
///
/// Shapes: x and y [rows, cols], tiles of 1 x `tile`, the last of a row ragged.
/// Arithmetic: in fp64. max = log of the tile's largest magnitude, min = that of its smallest which
/// is not zero, but at least max - log(2^32); step = (max - min) / (2^(n-1) - 2). Codes: zero, and
/// k = 1 .. 2^(n-1) - 1 for +-exp(min + (k - 1) step). Of the two codes around |x| the nearer one
/// in linear space, ties to the lower; below exp(min) these are zero and min. y is rounded to fp32.
/// Special values: NaN and infinities are refused.
/// Determinism: on any number of threads the same; exp and log are the C library's.
/// Errors: std::invalid_argument for sizes that do not fit, n outside 3..16, a tile of 0, numbers
/// that are not finite. Source: "Insights into DeepSeek-V3" (arXiv 2505.09343), section 3.2.
/// Tests: tests/experiments/wide_activations_test.cpp.
void round_to_logfmt(std::span<const float> x, std::size_t rows, std::size_t cols, std::size_t tile,
                     int bits, std::span<float> y, int threads = 0);

}  // namespace binade::experiments

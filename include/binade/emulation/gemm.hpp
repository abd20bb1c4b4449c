// D = A B^T as a library computes it, bit for bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "binade/emulation/profiles.hpp"

namespace binade {

/// One operand: codes [rows, k] row-major, and its scales if it has any.
struct GemmOperand {
  FloatFormat format;
  const void* codes = nullptr;
  std::size_t rows = 0;
  std::span<const float> scales;  ///< [scale_rows, scale_cols]; empty: 1 everywhere
  std::size_t scale_rows = 0, scale_cols = 0;
};

struct GemmOptions {
  std::optional<int> promotion_interval;     ///< in place of the profile's
  const Instruction* instruction = nullptr;  ///< in place of the profile's: a model card
  int threads = 0;                           ///< 0: as many as OpenMP gives
};

/// Shapes: A [m, k], B [n, k], D [m, n] containers of `output`, row-major. Scales as the profile's
/// granularities divide [rows, k], the last block ragged; a profile that takes any finds the
/// granularity that fits the shape of the scales.
/// Arithmetic: the profile's record: chains of its instruction in ascending k (the tail of K padded
/// with zeros), promoted every promotion_interval, scaled in its ScaleOrder, then one rounding to
/// `output` (nearest even, Inf beyond the range where there is one, else saturating).
/// Special values: as dot; a NaN result is 0x7fffffff, and canonical in `output`.
/// Determinism: the same bits on every ISA and thread count.
/// Errors: std::invalid_argument for empty operands, scales of the wrong shape, negative or NaN
/// scales, types that the instruction family does not take, an interval that no instruction fits.
/// Tests: tests/emulation/.
void gemm(const GemmProfile& profile, const GemmOperand& a, const GemmOperand& b, std::size_t k,
          FloatFormat output, void* d, const GemmOptions& options = {});

/// The exact product of what went in, rounded once to fp64: the reference of every error metric.
void exact_gemm(const GemmOperand& a, const GemmOperand& b, std::size_t k, std::span<double> d,
                int threads = 0);

/// The granularity under which a [rows, cols] operand has scales of this shape.
/// Errors: std::invalid_argument if none of tensor, row, column, 1x128, 128x128, 128x1, 1x32, 1x16
/// fits; says what was found.
Granularity infer_granularity(std::size_t rows, std::size_t cols, std::size_t scale_rows,
                              std::size_t scale_cols);

}  // namespace binade

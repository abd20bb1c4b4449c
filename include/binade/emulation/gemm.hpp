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
  std::span<const float> scales{};  ///< [scale_rows, scale_cols]; empty: 1 everywhere
  std::size_t scale_rows = 0, scale_cols = 0;
};

struct GemmOptions {
  /// In place of the profile's: K elements between promotions to FP32, 0 for never.
  std::optional<int> promotion_interval{};
  const Instruction* instruction = nullptr;  ///< in place of the profile's: a model card
  int threads = 0;                           ///< 0: as many as OpenMP gives
};

/// D = A B^T in a library's order of operations.
///
/// Shapes: A [m, k], B [n, k], D [m, n] containers of `output`, row-major. Scales as the profile's
/// granularities divide [rows, k], the last block ragged; a profile that takes any finds the
/// granularity that fits the shape of the scales.
/// Units: scales are dequantisation factors.
/// Arithmetic: chains of the instruction of the operands' types, each from zero, over every
/// promotion_interval of k ascending (the tail padded with zeros), and over the whole of K where it
/// is 0. From s = 0, each chain joins s = fl(s + chain) or, where the ScaleOrder scales at
/// promotion, the FMA that it names, with the scales of its k; an unpromoted chain is s itself.
/// Scales of the other orders follow after the last chain. One rounding of s to `output` (nearest
/// even, Inf beyond the range where there is one, else saturating). kFp32Sequential has the chain
/// c = fl(c + fl(a * b)), promoted where a scale changes. kExact rounds the exact sum of products
/// and scales once.
/// Special values: chains as dot, sums and scales as IEEE 754; a NaN result is 0x7fffffff, and
/// canonical in `output`.
/// Determinism: the same bits on every ISA and thread count.
/// Errors: std::invalid_argument for empty operands, scales of the wrong shape, negative or NaN
/// scales, types that the instruction family does not take, a promotion interval that is no
/// multiple of the instruction's K or would cross a change of scales, scales along K for an order
/// that applies them at the end.
/// Source: the profile's. Tests: tests/emulation/gemm_profiles_test.cpp, gemm_errors_test.cpp.
void gemm(const GemmProfile& profile, const GemmOperand& a, const GemmOperand& b, std::size_t k,
          FloatFormat output, void* d, const GemmOptions& options = {});

/// The exact product of what went in: the reference of every error metric.
///
/// Shapes: as gemm, d [m, n]; scales of any granularity that infer_granularity knows.
/// Arithmetic: each output is the exact sum of a * sa * b * sb, rounded once to fp64, nearest even.
/// Special values: as IEEE 754 addition and multiplication; a zero result is +0.
/// Determinism: exact. Errors: as gemm, and a size of d that is not m * n.
/// Tests: tests/emulation/gemm_exact_test.cpp.
void exact_gemm(const GemmOperand& a, const GemmOperand& b, std::size_t k, std::span<double> d,
                int threads = 0);

/// The granularity under which a [rows, cols] operand has scales of this shape.
/// Errors: std::invalid_argument if none of tensor, row, column, 1x128, 128x128, 128x1, 1x32, 1x16
/// fits; says what was found.
Granularity infer_granularity(std::size_t rows, std::size_t cols, std::size_t scale_rows,
                              std::size_t scale_cols);

}  // namespace binade

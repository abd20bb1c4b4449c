// Attention as fused kernels compute it: one block of keys after the other, a running maximum, P
// cast to a narrow format before it meets V.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "binade/emulation/block_scale.hpp"

namespace binade::experiments {

/// Queries, keys and values as floats: [queries, width], [keys, width] and [keys, value_width].
struct AttentionInputs {
  std::size_t queries = 0, keys = 0, width = 0, value_width = 0;
  std::vector<float> q, k, v;
};

/// softmax(q K^T / sqrt(width)) V in fp64, [queries, value_width].
/// Determinism: every query by one thread, keys in order.
std::vector<double> exact_attention(const AttentionInputs& in, int threads);

/// What a kernel is given: codes under scales along their rows, and V transposed.
struct AttentionOperands {
  Quantized q, k;  ///< [queries or more, width] and [keys, width], one scale a row or more rows
  Quantized v;     ///< [value_width, keys]
};

struct FlashOptions {
  FloatFormat probability{};       ///< of P; V's format as well
  double probability_scale = 1.0;  ///< P is cast as exp(s - maximum) * this
  float score_scale = 0;           ///< of the dot products; 0: 1 / sqrt(width)
  std::size_t block = 128;         ///< keys at once
  int threads = 0;
};

/// Attention in blocks.
///
/// Shapes: operands as above; returns [queries, value_width] of the first `queries` rows of q.
/// Arithmetic, FP32 but for the two products: for each block of keys, ascending,
///   s = fl(dot(q, k) * fl(fl(scale_q * scale_k) * score_scale))
///   m' = max(m, s over the block);  p = fl(scale * exp(s - m'));  l = fl(l * exp(m - m')) + sum p
///   o = fma(scale_v of the block, dot(P(p), v), fl(o * exp(m - m')))
/// and at the end o / l. dot is a chain of Hopper's wgmma from zero over the width, or over the
/// block; for integer operands the exact sum. exp is that of fp64, rounded once. l sums the p that
/// are not yet cast, as FlashAttention-3 does.
/// Determinism: the same bits on every ISA and number of threads, up to the C library's exp.
std::vector<double> flash_attention(const AttentionOperands& operands, std::size_t queries,
                                    const FlashOptions& options);

/// Root of the mean squared error, and sum |error| / sum |exact|.
double rmse(std::span<const double> computed, std::span<const double> exact);
double relative_l1(std::span<const double> computed, std::span<const double> exact);

/// Rows and columns exchanged.
std::vector<float> transposed(std::span<const float> x, std::size_t rows, std::size_t cols);

}  // namespace binade::experiments

// The lightning indexer of DeepSeek's sparse attention, as the experiments put it together:
// score[t, s] = sum over heads of weight * max(q . k, 0).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "binade/emulation/block_scale.hpp"

namespace binade::experiments {

/// Queries [queries, heads, width], keys [keys, width] and weights [queries, heads], as they are
/// before anything is quantised.
struct IndexerInputs {
  std::size_t queries = 0, heads = 0, width = 0, keys = 0;
  std::vector<float> q, k, weights;
};

/// Queries and keys rotated by the Hadamard matrix / sqrt(width) and rounded to BF16.
IndexerInputs rotated(IndexerInputs in, int threads);

/// The scores [queries, keys] in fp64: dot products over channels in order, then heads in order.
std::vector<double> exact_scores(const IndexerInputs& in, int threads);

struct QuantizedIndexer {
  Quantized q, k;
};
QuantizedIndexer quantize_indexer(const IndexerInputs& in, const ScaleRecipe& recipe,
                                  std::size_t tile, ScaleType scale_type, FloatFormat element,
                                  int threads);
/// The inputs that the codes stand for.
IndexerInputs read_back(const QuantizedIndexer& quantized, const IndexerInputs& in, int threads);

/// The scores of E4M3 codes under one scale a row, bit for bit as DeepGEMM's kernel: mqa_logits
/// with the weights fl(weight * scale of q), as DeepSeek-V3.2-Exp folds them.
std::vector<float> fp8_scores(const QuantizedIndexer& quantized, const IndexerInputs& in,
                              int threads);

}  // namespace binade::experiments

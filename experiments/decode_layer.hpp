// One layer of DeepSeek-V3.2 on one new token: latent attention over a cache that an indexer thins
// out, and a mixture of experts; in fp64, in BF16, or as the model is served in FP8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "binade/emulation/moe_gate.hpp"

namespace binade::experiments {

enum class Arithmetic {
  kFp64,  ///< nothing is rounded but to fp64
  kBf16,  ///< weights, activations and cache in BF16; products of BF16 summed in FP32
  kFp8,   ///< as DeepSeek-V3.2 is served: see DecodeLayer
};

struct LayerSizes {
  std::size_t tokens = 0, length = 0, top_k = 0;
  std::size_t hidden = 0, query_rank = 0, heads = 0, expert_width = 0;
  GateRules gate;
  double spread = 1;  ///< standard deviation of the attention scores, about
  std::uint64_t seed = 0;
  int threads = 0;

  static constexpr std::size_t kHead = 128, kLatent = 512, kRope = 64, kIndex = 128;
  static constexpr std::size_t kEntry = kLatent + kRope;
};

/// What a step leaves at its stations; arrays are [tokens, ...].
struct DecodeStep {
  std::vector<double> entries;  ///< [length, 576], the context as attention reads it
  std::vector<double> queries;  ///< [tokens, heads * 192]
  std::vector<double> scores;   ///< [tokens, length + 1] of the indexer
  std::vector<std::vector<std::int32_t>> selected;  ///< of each token, best first
  std::vector<double> attention;                    ///< [tokens, hidden], before the residual joins
  std::vector<std::int32_t> experts;                ///< [tokens, active]
  std::vector<double> mixture;                      ///< [tokens, hidden], of the experts
  std::vector<double> output;                       ///< [tokens, hidden]
};

/// A layer with random weights, BF16 in its checkpoint, and a context in its cache.
///
/// The tokens of a batch are alternatives: each follows the same context of `length` tokens. The
/// latents of the context lie near a subspace of 128 dimensions, and the indexer projects queries
/// and latents onto it: so it knows of attention's scores what a trained one would, all but their
/// rotary part. What inference/model.py has besides is left out: rotary rotation (the rotary parts
/// are random numbers), the indexer's own normalisation and its weights of heads, which are 1.
///
/// kFp8: linear layers quantise activations 1x128 and weights 128x128, powers of two
/// (deepseek-v3.2), and multiply as DeepGEMM does; entries go through FlashMLA's 656 bytes and
/// attention over them runs in BF16; the indexer rotates, quantises and scores as fp8_mqa_logits;
/// the gate multiplies BF16 in FP32; norms, softmax and SiLU are FP32 or wider. Activations between
/// operations are BF16 in kBf16 and kFp8.
class DecodeLayer {
 public:
  explicit DecodeLayer(const LayerSizes& sizes);
  /// Sparse: attention over the indexer's top_k; dense: over every token. One thread a step;
  /// several may run at once.
  DecodeStep run(Arithmetic arithmetic, bool sparse);

 private:
  /// [rows, cols] of BF16 values.
  struct Matrix {
    std::size_t rows = 0, cols = 0;
    std::vector<float> values;
  };
  struct Expert {
    Matrix gate, up, down;
  };
  using Rows = std::vector<double>;

  Matrix random_matrix(std::size_t rows, std::size_t cols, std::uint64_t stream, double gain) const;
  Matrix focused_heads(std::size_t rows, std::size_t cols, std::uint64_t stream, double gain) const;
  void make_attention();
  void make_context();
  const Expert& expert(std::size_t index);

  void round(Arithmetic arithmetic, Rows& x) const;
  Rows linear(Arithmetic arithmetic, const Rows& x, const Matrix& w) const;
  Rows plain_linear(Arithmetic arithmetic, const Rows& x, const Matrix& w) const;
  Rows normalized(Arithmetic arithmetic, const Rows& x, std::size_t width) const;
  Rows read_entries(Arithmetic arithmetic, const Rows& entries) const;
  Rows index_scores(Arithmetic arithmetic, const Rows& ranked, const Rows& fresh) const;
  Rows attend(Arithmetic arithmetic, const Rows& query, const Rows& entries) const;
  Rows attention(Arithmetic arithmetic, bool sparse, const Rows& x, DecodeStep& step) const;
  Rows feed_forward(Arithmetic arithmetic, const Expert& e, const Rows& x) const;
  Rows mixture(Arithmetic arithmetic, const Rows& x, DecodeStep& step);

  LayerSizes s_;
  Matrix query_down_, query_up_, key_down_, output_, gate_, index_query_, index_key_;
  std::vector<Matrix> absorb_key_, absorb_value_;  ///< of each head: [512, 128] and [128, 512]
  std::map<std::size_t, Expert> experts_;          ///< made when a token is first sent to one
  std::mutex making_expert_;
  std::vector<float> x_, context_;  ///< [tokens, hidden], [length, 576]
};

}  // namespace binade::experiments

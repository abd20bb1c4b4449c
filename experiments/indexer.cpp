#include "indexer.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>

#include "binade/emulation/hadamard.hpp"
#include "binade/emulation/mqa_logits.hpp"
#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"

namespace binade::experiments {

IndexerInputs rotated(IndexerInputs in, int threads) {
  const float scale = 1.0f / std::sqrt(static_cast<float>(in.width));
  for (std::vector<float>* x : {&in.q, &in.k}) {
    hadamard_transform(*x, in.width, scale, threads);
    round_to(Bf16::format, *x, *x);
  }
  return in;
}

std::vector<double> exact_scores(const IndexerInputs& in, int threads) {
  std::vector<double> scores(in.queries * in.keys);
  const int team = threads > 0 ? threads : omp_get_max_threads();
  for (std::size_t m = 0; m < in.queries; ++m) {
    // [width, heads]: the heads are lanes.
    std::vector<double> q(in.width * in.heads);
    for (std::size_t h = 0; h < in.heads; ++h) {
      for (std::size_t i = 0; i < in.width; ++i) {
        q[i * in.heads + h] = in.q[(m * in.heads + h) * in.width + i];
      }
    }
#pragma omp parallel for num_threads(team) schedule(static)
    for (std::size_t n = 0; n < in.keys; ++n) {
      std::vector<double> dots(in.heads);
      for (std::size_t i = 0; i < in.width; ++i) {
        const double k = in.k[n * in.width + i];
        for (std::size_t h = 0; h < in.heads; ++h) dots[h] += q[i * in.heads + h] * k;
      }
      double score = 0;
      for (std::size_t h = 0; h < in.heads; ++h) {
        score += std::max(dots[h], 0.0) * static_cast<double>(in.weights[m * in.heads + h]);
      }
      scores[m * in.keys + n] = score;
    }
  }
  return scores;
}

QuantizedIndexer quantize_indexer(const IndexerInputs& in, const ScaleRecipe& recipe,
                                  std::size_t tile, ScaleType scale_type, FloatFormat element,
                                  int threads) {
  const Granularity granularity{1, tile};
  return {quantize(in.q, in.queries * in.heads, in.width, recipe, granularity, scale_type, element,
                   threads),
          quantize(in.k, in.keys, in.width, recipe, granularity, scale_type, element, threads)};
}

IndexerInputs read_back(const QuantizedIndexer& quantized, const IndexerInputs& in, int threads) {
  IndexerInputs out = in;
  dequantize(quantized.q, out.q, threads);
  dequantize(quantized.k, out.k, threads);
  return out;
}

std::vector<float> fp8_scores(const QuantizedIndexer& quantized, const IndexerInputs& in,
                              int threads) {
  std::vector<float> weights = in.weights;
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] *= quantized.q.scales[i];
  const MqaQueries queries{quantized.q.codes.data(), weights, in.queries, in.heads, in.width};
  const MqaKeys keys{quantized.k.codes.data(), quantized.k.scales, in.keys};
  std::vector<float> scores(in.queries * in.keys);
  MqaOptions options;
  options.threads = threads;
  mqa_logits(queries, keys, scores, options);
  return scores;
}

}  // namespace binade::experiments

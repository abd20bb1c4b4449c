// Attention without rounding, for the experiments to be compared with, and what they share.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace binade::experiments {

inline float bf16_value(std::uint16_t code) {
  return std::bit_cast<float>(std::uint32_t{code} << 16);
}

/// softmax(q K^T) V in fp64, V being the first `value_width` elements of K's rows, as in the latent
/// attention of DeepSeek's models. Scores must be moderate: nothing is subtracted before exp.
///
/// Shapes: queries [m, width], entries [n, width], lengths ascending and at most n; returns for
/// each length the outputs [m, value_width] over so many of the first entries. Arithmetic: every
/// query by one thread, entries in order. Determinism: the same numbers on any number of threads.
std::vector<std::vector<double>> latent_attention(std::span<const float> queries,
                                                  std::span<const float> entries, std::size_t width,
                                                  std::size_t value_width,
                                                  const std::vector<std::size_t>& lengths,
                                                  int threads);

}  // namespace binade::experiments

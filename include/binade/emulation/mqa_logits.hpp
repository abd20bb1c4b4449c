// The scores of DeepSeek's sparse-attention indexer, bit for bit as DeepGEMM computes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "binade/emulation/instructions.hpp"

namespace binade {

/// Queries of many heads that share their keys. E4M3 codes; a query's own scale is in its weights.
struct MqaQueries {
  const std::uint8_t* codes = nullptr;  ///< [queries, heads, width]
  std::span<const float> weights{};     ///< [queries, heads]
  std::size_t queries = 0, heads = 0, width = 0;
};

struct MqaKeys {
  const std::uint8_t* codes = nullptr;  ///< [keys, width]
  std::span<const float> scales{};      ///< [keys], dequantisation factors
  std::size_t keys = 0;
};

struct MqaOptions {
  /// Keys [begin, end) that a query sees, for each query; empty: all.
  std::span<const std::uint32_t> begins{}, ends{};
  const Instruction* instruction = nullptr;  ///< null: hopper.wgmma.f32.e4m3.e4m3
  int threads = 0;
};

/// logits[m, n] = scale[n] * sum over h of weight[m, h] * max(q[m, h] . k[n], 0), FP32.
///
/// Shapes: as the structs say; logits [queries, keys].
/// Arithmetic: dot = one chain of the instruction over the width, from zero, never promoted. Four
/// threads share the heads; thread t has those with (h mod 8) / 2 = t, even and odd ones apart:
///   e = fl(max(dot, 0) * weight) of its first even head, then e = fma(max(dot, 0), weight, e) of
///   its others, 8 apart and ascending; o likewise over its odd heads;  p[t] = fl(fl(e + o) *
///   scale)
/// logit = fl(fl(p[0] + p[1]) + fl(p[2] + p[3])).
/// Special values: max(NaN, 0) is 0, as fmaxf has it, so a NaN among codes scores like a zero;
/// otherwise as IEEE 754, a NaN logit being 0x7fffffff. Keys outside [begin, end) are -infinity.
/// Determinism: the same bits on every ISA and number of threads.
/// Errors: std::invalid_argument for empty operands, heads that are no multiple of 8, a width that
/// is no multiple of 32, sizes that do not fit, or an instruction whose operands are not E4M3 and
/// whose result is not FP32.
/// Source: deepseek-ai/DeepGEMM sm90_fp8_mqa_logits.cuh and its paged twin. That compilers leave
/// fl(... * scale) and the sums across threads apart was read in nvcc 13.0's machine code for
/// sm_90a; the bits have not been compared with a device. Tests:
/// tests/emulation/mqa_logits_test.cpp.
void mqa_logits(const MqaQueries& queries, const MqaKeys& keys, std::span<float> logits,
                const MqaOptions& options = {});

}  // namespace binade

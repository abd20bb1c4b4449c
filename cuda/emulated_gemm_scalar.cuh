// One thread an output, by the shared scalar text: whatever the chain kernel leaves over, and
// models that it cannot carry at all. Private to this folder.
#pragma once

#include "emulated_gemm_epilogue.cuh"
#include "emulated_gemm_unpack.cuh"

namespace binade::cuda::detail {

/// A row of codes, read as operands where dot_step.hpp asks for them; zeros past its end.
struct CodedRow {
  FloatFormat format;
  const void* codes;
  std::size_t first, count;
  const DotOperand* table;  ///< of all codes, for containers of 8 bits

  BINADE_HD DotOperand operator[](int i) const {
    const auto at = static_cast<std::size_t>(i);
    if (at >= count) return zero_operand(format);
    if (table != nullptr) return table[static_cast<const std::uint8_t*>(codes)[first + at]];
    return dot_operand(format, load_code(format, codes, first + at));
  }
  BINADE_HD CodedRow from(std::size_t k) const {
    return {format, codes, first + k, count - k, table};
  }
};

/// The chain from zero over count products.
__device__ inline float scalar_chain(const DotPlan& p, const CodedRow& a, const CodedRow& b,
                                     std::size_t count) {
  std::uint64_t d = 0;
  const auto width = static_cast<std::size_t>(p.k);
  for (std::size_t at = 0; at < count; at += width) {
    d = dot_instruction(p, a.from(at), b.from(at), d);
  }
  return static_cast<float>(decode(p.c, d));
}

__device__ inline float join(ScaleOrder order, float s, float chain, float sa, float sb) {
  switch (order) {
    case ScaleOrder::kPromoteFmaProduct:
      return joined<ScaleOrder::kPromoteFmaProduct>(s, chain, sa, sb);
    case ScaleOrder::kPromoteFmaAThenB:
      return joined<ScaleOrder::kPromoteFmaAThenB>(s, chain, sa, sb);
    case ScaleOrder::kPromoteFmaBThenA:
      return joined<ScaleOrder::kPromoteFmaBThenA>(s, chain, sa, sb);
    default:
      return joined<ScaleOrder::kEpilogueProduct>(s, chain, sa, sb);
  }
}

inline constexpr int kScalarThreads = 128;

/// The outputs in `leftovers`; all of D where they did not fit there, or if there is no list.
__global__ __launch_bounds__(kScalarThreads) void scalar_kernel(
    const DotPlan p, const Epilogue e, FloatFormat a_format, FloatFormat b_format,
    const void* a_codes, const void* b_codes, const Leftovers leftovers) {
  __shared__ DotOperand tables[2][256];
  const unsigned long long listed = leftovers.places == nullptr ? 0 : *leftovers.count;
  const bool all = leftovers.places == nullptr || listed > leftovers.room;
  const std::size_t total = all ? e.m * e.n : listed;
  if (blockIdx.x * std::size_t{kScalarThreads} >= total) return;
  for (int code = threadIdx.x; code < 256; code += kScalarThreads) {
    tables[0][code] = dot_operand(a_format, code_of_container(a_format, code));
    tables[1][code] = dot_operand(b_format, code_of_container(b_format, code));
  }
  __syncthreads();
  const DotOperand* a_table = a_format.container_bits() == 8 ? tables[0] : nullptr;
  const DotOperand* b_table = b_format.container_bits() == 8 ? tables[1] : nullptr;
  for (std::size_t i = blockIdx.x * std::size_t{kScalarThreads} + threadIdx.x; i < total;
       i += gridDim.x * std::size_t{kScalarThreads}) {
    const std::size_t place = all ? i : leftovers.places[i];
    const std::size_t row = place / e.n, col = place % e.n;
    float sum = 0;
    for (std::size_t k0 = 0; k0 < e.k; k0 += e.interval) {
      const std::size_t count = min(e.interval, e.k - k0);
      const CodedRow a{a_format, a_codes, row * e.k + k0, count, a_table};
      const CodedRow b{b_format, b_codes, col * e.k + k0, count, b_table};
      const float chain = scalar_chain(p, a, b, count);
      sum = e.promotes ? join(e.order, sum, chain, e.a.at(row, k0), e.b.at(col, k0)) : chain;
    }
    e.store(place, e.scale(sum, row, col));
  }
}

}  // namespace binade::cuda::detail

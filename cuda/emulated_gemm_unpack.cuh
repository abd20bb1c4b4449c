// Operands unpacked for the chain kernel: values as floating-point numbers, codes of exponents
// beside them, in the order in which a tile reads them. Private to this folder.
#pragma once

#include "emulated_gemm_plan.hpp"

namespace binade::cuda::detail {

/// The code in container `at` of an array.
BINADE_HD std::uint64_t load_code(FloatFormat f, const void* codes, std::size_t at) {
  std::uint64_t word = 0;
  switch (f.container_bits()) {
    case 8:
      word = static_cast<const std::uint8_t*>(codes)[at];
      break;
    case 16:
      word = static_cast<const std::uint16_t*>(codes)[at];
      break;
    default:
      word = static_cast<const std::uint32_t*>(codes)[at];
  }
  return code_of_container(f, word);
}

/// One operand as the chain kernel takes it. A NaN or an infinity becomes a NaN, which no later sum
/// loses.
template <class Real>
struct UnpackedOperand {
  Real value;
  std::int16_t code;

  UnpackedOperand() = default;
  __device__ UnpackedOperand(const UnpackPlan& p, const DotOperand& x) {
    const int mantissa_bits = p.format.mantissa_bits;
    value = static_cast<Real>(ldexp(double(x.significand), x.exponent - mantissa_bits - p.down));
    if (x.value_class != ValueClass::kFinite) value = static_cast<Real>(nan(""));
    const int exponent = operand_exponent(p.model, x, mantissa_bits) - p.down;
    code = static_cast<std::int16_t>(counts(p.model, x.significand)
                                         ? (exponent + p.code_bias) * (1 << p.code_shift)
                                         : kZeroCode);
  }
};

inline constexpr int kUnpackThreads = 256;

/// Writes one stage of one tile of rows a block, the stages of a tile one after the other: values
/// [depth, side], then codes in Code words, repeated where a word has room for two. k past the end
/// and rows past the last are zeros.
template <class Real, class Code, int side>
__global__ __launch_bounds__(kUnpackThreads) void unpack_kernel(const UnpackPlan p,
                                                                const LanePlan lanes,
                                                                const void* codes, std::size_t rows,
                                                                std::size_t k, unsigned char* out) {
  __shared__ UnpackedOperand<Real> table[256];  // of all codes, for containers of 8 bits
  __shared__ std::size_t source[kMostDepth];    // the k of each place in the stage
  const int depth = lanes.stage_steps * lanes.step_k;
  const unsigned stages = (lanes.total_steps + lanes.stage_steps - 1) / lanes.stage_steps;
  const unsigned stage = blockIdx.x % stages, tile = blockIdx.x / stages;
  const bool tabled = p.format.container_bits() == 8;
  if (tabled) {
    for (int code = threadIdx.x; code < 256; code += kUnpackThreads) {
      table[code] = {p, dot_operand(p.format, code_of_container(p.format, code))};
    }
  }
  for (int at = threadIdx.x; at < depth; at += kUnpackThreads) {
    const int step = stage * lanes.stage_steps + at / lanes.step_k;
    source[at] = std::size_t(step / lanes.steps) * p.instruction_k +
                 step_index(p.model, step % lanes.steps, at % lanes.step_k);
  }
  __syncthreads();
  const std::size_t bytes = std::size_t(depth) * side * (sizeof(Real) + sizeof(Code));
  auto* values = reinterpret_cast<Real*>(out + blockIdx.x * bytes);
  auto* exponents = reinterpret_cast<Code*>(values + depth * side);
  for (int at = threadIdx.x; at < depth * side; at += kUnpackThreads) {
    const std::size_t row = tile * std::size_t{side} + at % side, from = source[at / side];
    UnpackedOperand<Real> x;
    if (row >= rows || from >= k) {
      x = {p, zero_operand(p.format)};
    } else if (tabled) {
      x = table[static_cast<const std::uint8_t*>(codes)[row * k + from]];
    } else {
      x = {p, dot_operand(p.format, load_code(p.format, codes, row * k + from))};
    }
    values[at] = x.value;
    constexpr unsigned kRepeat = sizeof(Code) == 4 ? 0x10001u : 1u;
    exponents[at] = static_cast<Code>(static_cast<std::uint16_t>(x.code) * kRepeat);
  }
}

}  // namespace binade::cuda::detail

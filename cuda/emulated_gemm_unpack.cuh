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

/// Writes stage blockIdx.x of row tile blockIdx.y: values [depth, side], then codes in Code words,
/// repeated where a word has room for two. A NaN or an infinity becomes a NaN, which no later sum
/// loses; k past the end and rows past the last are zeros.
template <class Real, class Code, int side>
__global__ void unpack_kernel(const UnpackPlan p, const LanePlan lanes, const void* codes,
                              std::size_t rows, std::size_t k, unsigned char* out) {
  const int depth = lanes.stage_steps * lanes.step_k;
  const std::size_t bytes = std::size_t(depth) * side * (sizeof(Real) + sizeof(Code));
  auto* values =
      reinterpret_cast<Real*>(out + (blockIdx.y * std::size_t{gridDim.x} + blockIdx.x) * bytes);
  auto* exponents = reinterpret_cast<Code*>(values + depth * side);
  for (int at = threadIdx.x; at < depth * side; at += blockDim.x) {
    const std::size_t row = blockIdx.y * std::size_t{side} + at % side;
    const int step = blockIdx.x * lanes.stage_steps + at / side / lanes.step_k;
    const std::size_t from = std::size_t(step / lanes.steps) * p.instruction_k +
                             step_index(p.model, step % lanes.steps, at / side % lanes.step_k);
    const DotOperand x = row < rows && from < k
                             ? dot_operand(p.format, load_code(p.format, codes, row * k + from))
                             : zero_operand(p.format);
    const int mantissa_bits = p.format.mantissa_bits;
    const double value = ldexp(double(x.significand), x.exponent - mantissa_bits - p.down);
    const int exponent = operand_exponent(p.model, x, mantissa_bits) - p.down;
    const int code =
        counts(p.model, x.significand) ? (exponent + p.code_bias) * (1 << p.code_shift) : kZeroCode;
    values[at] = x.value_class == ValueClass::kFinite ? static_cast<Real>(value)
                                                      : static_cast<Real>(nan(""));
    constexpr unsigned kRepeat = sizeof(Code) == 4 ? 0x10001u : 1u;
    exponents[at] = static_cast<Code>((static_cast<unsigned>(code) & 0xffffu) * kRepeat);
  }
}

}  // namespace binade::cuda::detail

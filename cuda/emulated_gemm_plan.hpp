// What the kernels of the emulated GEMM work on: numbers passed to them by value, and when they are
// exact. Private to this folder.
//
// Why one fused multiply-add can be product, alignment and sum. With E known, let M = 2^(E - F) *
// 2^23 (fp32; 2^52 in fp64), so that numbers in [M, 2M) have a last place of 2^(E - F), the grid of
// the step. While an accumulator stays in that binade, fma(a, b, acc) rounded toward zero adds the
// product truncated to the grid: the product inside is exact, acc is on the grid, and rounding a
// positive number toward zero is a floor. Products of either sign would be floored, so positive
// ones and magnitudes are summed apart: with P the sum of the truncated positive products and S
// that of all truncated magnitudes, the step's sum is P - (S - P). C joins both like a product.
// Where the model floors, one accumulator that starts at 1.5 M is all; where it rounds each term to
// nearest, each is rounded alone against 1.5 M.
//
// E is known from a pass over exponents: 16-bit codes, two outputs to a word, which one instruction
// adds and compares. A code holds the exponent where the upper half of a Real holds it, so that the
// maximum, shifted, is M.
//
// Bounds. A product lies below 4 * 2^E, C below 2 * 2^E, so the sum of step_k products and C, and
// each of P and S, lies below (4 step_k + 2) 2^F units: less than 2^23 in fp32 (2^22 where an
// accumulator starts at 1.5 M), 2^52 (2^51) in fp64. F = 13 with step_k = 32 gives 2^20.1, F = 25
// with 32 gives 2^32.1. In fp32 products have at most 24 bits, and A and B are scaled down by
// powers of two until every product is below 1, since the positive part of a product is the product
// saturated to [0, 1]: no number in sight leaves 2^-126 ... 2^127. What fits neither kind, and
// every output that meets a NaN, an infinity or an overflow on its way (which shows as a NaN at its
// end), goes to the shared scalar text, dot_step.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "binade/emulation/dot_step.hpp"
#include "binade/emulation/gemm_plan.hpp"

namespace binade::cuda::detail {

/// Which arithmetic carries the model.
enum class LaneKind : std::uint8_t { kSingle, kDouble, kScalar };

/// The bits of a Real as the codes of exponents see them.
template <class Real>
struct RealBits;
template <>
struct RealBits<float> {
  static constexpr int kMantissa = 23, kBias = 127, kExponentMask = 255;
  static constexpr int kCodeShift = 7;  ///< place of the exponent in the upper 16 bits
};
template <>
struct RealBits<double> {
  static constexpr int kMantissa = 52, kBias = 1023, kExponentMask = 2047;
  static constexpr int kCodeShift = 4;
};

/// How one operand is unpacked: values times 2^-down, and codes of their exponents, (exponent +
/// code_bias) << code_shift.
struct UnpackPlan {
  FloatFormat format;
  DotModel model;
  int instruction_k;
  int down;
  int code_bias, code_shift;
};
/// The code of a zero that does not count: its products never reach the largest.
inline constexpr int kZeroCode = -(1 << 14);

/// The numbers that the chain kernels take. Exponents are those of scaled values.
struct LanePlan {
  int step_k, steps;  ///< products of a step; steps of an instruction
  int stage_steps;    ///< steps whose operands lie in shared memory together
  int total_steps;    ///< over the whole of K
  int promotion_steps;
  bool added_last;
  bool nearest;     ///< D's rounding: nearest even, else toward zero
  bool plain;       ///< C has no clamp of its own, and D is rounded by clearing bits
  int code_offset;  ///< from the code of C's exponent to that of M
  int lowest_code;  ///< of M: E is never below it
  int c_emin_field,
      c_zero_field;  ///< what C's exponent field counts as: at least; where it is zero
  int result_mantissa_bits, result_emin_field;
  double result_max;          ///< beyond it an output is left to the scalar text
  std::uint64_t result_mask;  ///< of the bits of a Real, for plain results
  double up;                  ///< what gives a chain its size back
};

/// One instruction over operands of its types.
struct ChainPlan {
  LaneKind kind = LaneKind::kScalar;
  AlignmentRounding alignment = AlignmentRounding::kTruncate;
  bool normalized = false;
  UnpackPlan a{}, b{};
  LanePlan lanes{};
  std::size_t shared_bytes = 0;  ///< of a block of the chain kernel
};

/// The fastest kind that is exact for this instruction, or kScalar when `scalar` asks for it.
ChainPlan make_chain_plan(const Instruction& instruction, std::size_t k, const GemmPlan& gemm,
                          bool scalar);

/// The tile of one block, by kind of lane: 128 threads of rows x cols outputs.
struct TileShape {
  int thread_rows, thread_cols;  ///< outputs of a thread
  int warp_rows, warp_cols;      ///< warps of a block

  BINADE_HD constexpr int rows() const { return warp_rows * 4 * thread_rows; }
  BINADE_HD constexpr int cols() const { return warp_cols * 8 * thread_cols; }
};
template <class Real>
BINADE_HD constexpr TileShape tile_shape() {
  return sizeof(Real) == 4 ? TileShape{8, 8, 4, 1} : TileShape{8, 4, 2, 2};
}
inline constexpr int kTileThreads = 128;

/// Products of a stage, at most.
inline constexpr int kMostDepth = 128;

/// Bytes of one stage of an operand: values [depth, side], then codes: of A 16 bits an element, of
/// B 32 with the code in both halves.
template <class Real>
BINADE_HD constexpr std::size_t stage_bytes_a(int depth) {
  return static_cast<std::size_t>(depth) * tile_shape<Real>().rows() * (sizeof(Real) + 2);
}
template <class Real>
BINADE_HD constexpr std::size_t stage_bytes_b(int depth) {
  return static_cast<std::size_t>(depth) * tile_shape<Real>().cols() * (sizeof(Real) + 4);
}

}  // namespace binade::cuda::detail

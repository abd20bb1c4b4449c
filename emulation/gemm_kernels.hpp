// The table of GEMM loops, one instance an instruction set, and the layout they work on. Private to
// this folder.
//
// Layout. A tile holds the values of its operands as floating-point numbers, decoded once a tile,
// with an exponent code beside each. A keeps its rows; B is turned into panels of `lanes` columns
// in which one k is contiguous: the loops run over lanes (columns n), an operand of A is a
// broadcast and nothing is ever summed across lanes.
//
// Why floating point can carry an integer model: with E known, a product's aligned term is
// a * b * 2^(F - E) cut to an integer, as the value already holds its exponent. The product of the
// significands is exact, the scaling by a power of two is exact, and the cut is one conversion. So
// the inner loop has four operations (multiply, multiply, convert, add) on lanes of 32 bits and no
// branch.
//
// Bounds. A product lies below 4 * 2^E (two significands below 2), C below 2 * 2^E, so every sum of
// step_k products and C lies below (4 step_k + 2) 2^F units. Lanes of fp32 need that below 2^24,
// products of at most 24 bits, and exponents within +-40 a product: F = 13, step_k = 32 gives less
// than 2^20.1. Lanes of fp64 need the sum below 2^53 and serve everything else: F = 25 with 16
// products of fp16, bf16 or tf32 gives less than 2^31.1. What fits neither goes to the scalar core.
#pragma once

#include <cstddef>
#include <cstdint>

#include "binade/emulation/dot_model.hpp"
#include "binade/emulation/profiles.hpp"
#include "binade/formats/isa.hpp"

namespace binade::detail {

/// Exponent codes are stored exponents counted from the format's emin, plus `zero_gap`; a zero is
/// code 0. The gap exceeds any difference of codes, so that a product with a zero factor seems to
/// lie below emin_a + emin_b, under every other product. Where all products of a step are zero such
/// an E does no harm either: C came from this chain, so it is a multiple of 2^(emin_a + emin_b - F)
/// and aligning it to any lower grid is exact.
template <class Real>
struct ExponentCode;
template <>
struct ExponentCode<float> {
  using type = std::uint8_t;
};
template <>
struct ExponentCode<double> {
  using type = std::int16_t;
};

/// The numbers that the chain loops take from an instruction and its operands.
struct ChainPlan {
  int step_k = 32;
  int steps = 1;  ///< of one instruction
  int fraction_bits = 13;
  bool added_last = false;
  bool nearest = false;     ///< the result's rounding: nearest even, else toward zero
  int code_offset = 0;      ///< sum of codes -> exponent
  int lowest_exponent = 0;  ///< E is never below this
  int c_emin = 0;           ///< stored exponent of C's subnormals
  int c_zero_exponent = 0;  ///< what a C of zero counts as
  int result_mantissa_bits = 13;
  int result_emin = 0;
  double result_max = 0;  ///< beyond it the loops give up: the lane becomes NaN
};

/// How decoded fp32 values become operands.
struct SplitPlan {
  int emin;       ///< of the operand's format
  int zero_gap;   ///< code of emin
  int zero_code;  ///< code of zeros
};

/// One panel: `rows` rows of A against `lanes` columns of B over `instructions` instructions.
template <class Real>
struct PanelTask {
  using Code = typename ExponentCode<Real>::type;
  const Real* a;       ///< [rows, depth]
  const Code* a_code;  ///< [rows, depth]
  const Real* b;       ///< [depth, lanes]
  const Code* b_code;  ///< [depth, lanes]
  Real* chain;         ///< [rows, lanes]; C in, D out; NaN lanes stay NaN
  std::size_t rows, depth, instructions;
};

/// Scales at one promotion: sum[r, l] takes chain[r, l] in under sa[r] and sb[l].
template <class Real>
struct PromotionTask {
  const Real* chain;  ///< [rows, lanes]
  float* sum;         ///< [rows, lanes]
  const float* sa;    ///< [rows]
  const float* sb;    ///< [lanes]
  std::size_t rows;
};

template <class Real>
struct GemmLoops {
  using Code = typename ExponentCode<Real>::type;
  std::size_t lanes;
  /// By alignment, then by whether products are normalised. Returns whether a lane is NaN, which
  /// says that its result left the range: such lanes are left to the scalar core.
  bool (*chain[3][2])(const ChainPlan&, const PanelTask<Real>&);
  /// chain[r, l] = fl(chain + fl(a * b)) in ascending k, without exponent codes.
  void (*multiply_add)(const PanelTask<Real>&);
  /// s = fl(s + chain), then by ScaleOrder: product, A then B, B then A.
  void (*promote_plain)(const PromotionTask<Real>&);
  void (*promote_product)(const PromotionTask<Real>&);
  void (*promote_a_then_b)(const PromotionTask<Real>&);
  void (*promote_b_then_a)(const PromotionTask<Real>&);
  /// Decoded values to operands; returns whether a NaN or infinity was among them (which becomes a
  /// zero).
  bool (*split)(const SplitPlan&, const float* values, std::size_t count, Real* out, Code* code);
};

struct GemmKernels {
  GemmLoops<float> single_lanes;
  GemmLoops<double> double_lanes;
};

namespace baseline {
const GemmKernels& gemm_kernels();
}
#if defined(BINADE_HAVE_X86_64_LEVELS)
namespace x86_64_v3 {
const GemmKernels& gemm_kernels();
}
namespace x86_64_v4 {
const GemmKernels& gemm_kernels();
}
#endif

inline const GemmKernels& gemm_kernels() {
  switch (isa()) {
#if defined(BINADE_HAVE_X86_64_LEVELS)
    case Isa::kX86_64_v3:
      return x86_64_v3::gemm_kernels();
    case Isa::kX86_64_v4:
      return x86_64_v4::gemm_kernels();
#endif
    default:
      return baseline::gemm_kernels();
  }
}

}  // namespace binade::detail

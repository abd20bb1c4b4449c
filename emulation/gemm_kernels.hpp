// The table of GEMM loops, one instance an instruction set, and the layout they work on. Private to
// this folder.
//
// Layout. A panel of B is `lanes` of its rows (columns of D) turned so that one k is contiguous:
// the loops run over lanes, an operand of A is a broadcast, and nothing is ever summed across
// lanes. Operands are decoded once a tile into floating-point numbers with an exponent code beside
// each. B is there three times, as |b|, max(b, 0) and max(-b, 0): the sign of a says which of the
// last two gives the positive products, with zeros in place of the negative ones.
//
// Why floating point can carry an integer model. With E known, a product's aligned term is a * b
// cut to a multiple of u = 2^(E - F). Let a sum S start at M = 1.5 * 2^(E - F + 23) (in fp32; + 52
// in fp64): as long as it stays within M +- 2^22 u, its last place is worth u, so that
// S = fma(|a|, |b|, S), rounding toward zero, multiplies exactly, cuts the product and adds it, in
// one operation. One sum takes all magnitudes, another those of the positive products; twice the
// second less the first is the exact sum of the signed terms. Two fused operations a product, no
// branch, and |b| is loaded once for several rows of A. Terms that are floored or rounded to
// nearest go one by one: fma(a, b, M) - M under that rounding mode. The FPU's mode is toward zero
// around the loops that want it and what it was elsewhere.
//
// Bounds. A product lies below 4 * 2^E (two significands below 2), C below 2 * 2^E, so every sum of
// step_k products and C lies below (4 step_k + 2) 2^F units. Lanes of fp32 need that below 2^22,
// products of at most 24 bits (for instruction sets without a fused operation), and exponents
// within +-40 a product: F = 13, step_k = 32 gives less than 2^20.1. Lanes of fp64 need the sum
// below 2^51 and serve everything else: F = 25 with 16 products of fp16, bf16 or tf32 gives less
// than 2^31.1. What fits neither goes to wide lanes, which hold every model (gemm_wide.hpp) at
// half the speed; the scalar core is left with NaN and infinite operands.
#pragma once

#include <cstddef>
#include <cstdint>

#include "binade/emulation/dot_model.hpp"
#include "binade/emulation/profiles.hpp"
#include "binade/formats/isa.hpp"
#include "dot_rows.hpp"
#include "gemm_wide.hpp"

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
  int lowest_code = 0;      ///< the code where maxima start: lowest_exponent's, if it has one
  int c_emin = 0;           ///< stored exponent of C's subnormals
  int c_zero_exponent = 0;  ///< what a C of zero counts as
  int result_mantissa_bits = 13;
  int result_emin = 0;
  double result_max = 0;  ///< beyond it lies infinity
  bool bounded = false;   ///< no chain can get there
  bool flat = false;      ///< results are cut, and too large for the format's subnormal numbers
  bool normalizes = false;  ///< E comes from the products themselves, else from exponent codes
};

/// How decoded fp32 values become operands.
struct SplitPlan {
  int emin;       ///< of the operand's format
  int zero_gap;   ///< code of emin
  int zero_code;  ///< code of zeros
};

/// One panel: `rows` rows of A against `lanes` columns of B over some instructions.
template <class Real>
struct PanelTask {
  using Code = typename ExponentCode<Real>::type;
  const Real* a;          ///< [rows, a_stride]
  const Code* a_code;     ///< [rows, a_stride]
  std::size_t a_stride;   ///< at least depth
  const Real* b;          ///< [depth, 3, lanes]: |b|, max(b, 0), max(-b, 0);
                          ///< multiply_add: [depth, lanes]
  const Code* b_code;     ///< [depth, lanes]
  Real* chain;            ///< [rows, lanes]; C in, D out
  std::size_t rows, depth;
};

/// Rows of A against rows of B, one by one, in the lanes of a widest panel over some instructions.
template <class Real>
struct PairTask {
  using Code = typename ExponentCode<Real>::type;
  const Real *a, *b;            ///< [depth, lanes]
  const Code *a_code, *b_code;  ///< [depth, lanes]
  Real* chain;                  ///< [lanes]; C in, D out
  std::size_t depth;
  int nonzero_code;  ///< the smallest sum of codes of a product that is not zero
};

/// Scales at one promotion: sum[r, l] takes chain[r, l] in under sa[r] and sb[l].
template <class Real>
struct PromotionTask {
  const Real* chain;  ///< [rows, lanes]
  float* sum;         ///< [rows, lanes]
  const float* sa;    ///< [rows]
  const float* sb;    ///< [lanes]
  std::size_t rows, lanes;
};

/// What alignment does to a term, in AlignmentRounding's order.
enum class TermRounding : std::uint8_t { kCut, kFloor, kNearest };

/// Panels come in three widths, 1, 2 and 4 vectors, so that narrow matrices fill theirs.
inline constexpr int kPanelWidths = 3;

/// The rows of B that a panel is made of, and where its operands go.
template <class Real>
struct PanelSource {
  using Code = typename ExponentCode<Real>::type;
  const float* values;       ///< [depth, stride], decoded
  std::size_t stride;
  const std::size_t* order;  ///< [depth]: which row of values is which; null where they agree
  std::size_t depth, lanes;
  Real* b;       ///< as in PanelTask
  Code* b_code;
};

template <class Real>
struct GemmLoops {
  using Code = typename ExponentCode<Real>::type;
  /// By width, then by TermRounding.
  void (*chain[kPanelWidths][3])(const ChainPlan&, const PanelTask<Real>&);
  /// As chain for terms that are cut, of results that are bounded.
  void (*pairs)(const ChainPlan&, const PairTask<Real>&);
  std::size_t width;  ///< lanes of one vector
  /// chain[r, l] = fl(chain + fl(a * b)) in ascending k, without exponent codes; 4 vectors wide.
  void (*multiply_add)(const PanelTask<Real>&);
  /// s = fl(s + chain), then by ScaleOrder: product, A then B, B then A.
  void (*promote_plain)(const PromotionTask<Real>&);
  void (*promote_product)(const PromotionTask<Real>&);
  void (*promote_a_then_b)(const PromotionTask<Real>&);
  void (*promote_b_then_a)(const PromotionTask<Real>&);
  /// Decoded values of A to operands; returns whether a NaN or infinity was among them (which
  /// becomes a zero).
  bool (*split)(const SplitPlan&, const float* values, std::size_t count, Real* out, Code* code);
  /// The same for a panel of B.
  bool (*split_panel)(const SplitPlan&, const PanelSource<Real>&);

  std::size_t lanes(int panel_width) const { return width << panel_width; }
  std::size_t widest() const { return lanes(kPanelWidths - 1); }
};

struct GemmKernels {
  GemmLoops<float> single_lanes;
  GemmLoops<double> double_lanes;
  /// out[k, l] = in[l, k]: words of 1, 2 or 4 bytes, rows of whole 16-byte blocks in both, those of
  /// `in` in_stride bytes apart.
  void (*transpose)(int word_bytes, const void* in, std::size_t in_rows, std::size_t in_row_bytes,
                    std::size_t in_stride, void* out);
  /// Null where the instruction set does not have what it takes.
  void (*row_group)(const RowPlan&, const RowTask&);
  /// By width (as double_lanes), then by TermRounding.
  void (*wide[kPanelWidths][3])(const ChainPlan&, const WideTask&);
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

// The table of GEMM loops, and those beside the chain: plain multiply-add, and promotion.
//
// Compiled once per instruction set; everything lives in the anonymous namespace inside BINADE_ISA.
#include "gemm_loops.hpp"

#include "gemm_vectors.hpp"

namespace binade::detail::BINADE_ISA {
namespace {

template <class Real>
void multiply_add_loop(const PanelTask<Real>& shared_task) {
  using R = typename Lane<Real>::R;
  constexpr int vectors = 1 << (kPanelWidths - 1);
  constexpr std::size_t width = sizeof(R) / sizeof(Real), lanes = width * vectors;
  const PanelTask<Real> t = shared_task;
  for (std::size_t row = 0; row < t.rows; ++row) {
    R sum[vectors];
    for (int v = 0; v < vectors; ++v) sum[v] = load<R>(t.chain + row * lanes + v * width);
    const Real* a = t.a + row * t.a_stride;
    for (std::size_t k = 0; k < t.depth; ++k) {
      for (int v = 0; v < vectors; ++v) sum[v] += load<R>(t.b + k * lanes + v * width) * a[k];
    }
    for (int v = 0; v < vectors; ++v) store(t.chain + row * lanes + v * width, sum[v]);
  }
}

template <class Real, class Promote>
BINADE_INLINE void promote_loop(const PromotionTask<Real>& shared_task, Promote promote) {
  const PromotionTask<Real> t = shared_task;
  for (std::size_t row = 0; row < t.rows; ++row) {
    const Real* __restrict chain = t.chain + row * t.lanes;
    float* __restrict sum = t.sum + row * t.lanes;
    const float sa = t.sa[row];
    for (std::size_t l = 0; l < t.lanes; ++l) {
      sum[l] = promote(static_cast<float>(chain[l]), sa, t.sb[l], sum[l]);
    }
  }
}

template <class Real>
void promote_plain(const PromotionTask<Real>& t) {
  promote_loop(
      t,
      [](float chain, float, float, float s) __attribute__((always_inline)) { return s + chain; });
}
template <class Real>
void promote_product(const PromotionTask<Real>& t) {
  promote_loop(
      t, [](float chain, float sa, float sb, float s)
             __attribute__((always_inline)) { return __builtin_fmaf(sa * sb, chain, s); });
}
template <class Real>
void promote_a_then_b(const PromotionTask<Real>& t) {
  promote_loop(
      t, [](float chain, float sa, float sb, float s)
             __attribute__((always_inline)) { return __builtin_fmaf(chain * sa, sb, s); });
}
template <class Real>
void promote_b_then_a(const PromotionTask<Real>& t) {
  promote_loop(
      t, [](float chain, float sa, float sb, float s)
             __attribute__((always_inline)) { return __builtin_fmaf(chain * sb, sa, s); });
}

template <class Real>
void fill(GemmLoops<Real>& loops) {
  loops.multiply_add = multiply_add_loop<Real>;
  loops.promote_plain = promote_plain<Real>;
  loops.promote_product = promote_product<Real>;
  loops.promote_a_then_b = promote_a_then_b<Real>;
  loops.promote_b_then_a = promote_b_then_a<Real>;
}

GemmKernels make_kernels() {
  GemmKernels k{};
  fill(k.single_lanes);
  fill(k.double_lanes);
  fill_chain_loops(k);
  fill_pack_loops(k);
  fill_row_loops(k);
  fill_wide_loops(k);
  return k;
}

}  // namespace

const GemmKernels& gemm_kernels() {
  static const GemmKernels kernels = make_kernels();
  return kernels;
}

}  // namespace binade::detail::BINADE_ISA

// The GEMM kernels that have an e5m2 operand: one tile for each way to promote.
#include "gemm_variants.cuh"

namespace binade::cuda {
namespace {

template <class A, class B>
const std::vector<GemmVariant>& variants_of() {
  static const std::vector<GemmVariant> variants = {
      gemm_variant<GemmTile<A, B, 2, 256, 0, Overlap::kShared, 2>>(1, 1),
      gemm_variant<GemmTile<A, B, 2, 192, 1, Overlap::kShared, 2>>(1, 1),
      gemm_variant<GemmTile<A, B, 2, 128, 2, Overlap::kTurns, 2>>(1, 1),
      gemm_variant<GemmTile<A, B, 2, 128, 4, Overlap::kTurns, 2>>(1, 1),
  };
  return variants;
}

}  // namespace

const std::vector<GemmVariant>& gemm_variants_mixed(bool a_is_e5m2, bool b_is_e5m2) {
  if (a_is_e5m2 && b_is_e5m2) return variants_of<E5M2, E5M2>();
  return a_is_e5m2 ? variants_of<E5M2, E4M3>() : variants_of<E4M3, E5M2>();
}

}  // namespace binade::cuda

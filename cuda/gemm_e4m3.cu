// The GEMM kernels of e4m3 by e4m3, in the tiles that were fastest for some shape.
#include "gemm_variants.cuh"

namespace binade::cuda {
namespace {

/// 64 kConsumers rows; see GemmTile for the rest.
template <int kConsumers, int kCols, int kChains, int kParts = 1, int kClusterRows = 1,
          int kClusterCols = 1>
GemmVariant tile() {
  return gemm_variant<
      GemmTile<E4M3, E4M3, kConsumers, kCols, kChains, kParts, kClusterRows, kClusterCols>>();
}

}  // namespace

const std::vector<GemmVariant>& gemm_variants_e4m3() {
  static const std::vector<GemmVariant> variants = {
      // one chain over all of K
      tile<2, 256, 0, 1, 2>(),
      tile<2, 176, 0, 1, 2>(),
      tile<2, 128, 0, 1, 2>(),
      tile<1, 56, 0, 1, 1, 2>(),
      // promoted every 128, or every few 128
      tile<2, 192, 1, 2, 2>(),
      tile<2, 128, 1, 1, 2>(),
      tile<1, 56, 1, 1, 1, 2>(),
      // promoted every 64 and every 32
      tile<2, 192, 2, 2, 2>(),
      tile<2, 128, 2, 1, 2>(),
      tile<2, 192, 4, 2, 2>(),
      tile<2, 128, 4, 1, 2>(),
  };
  return variants;
}

}  // namespace binade::cuda

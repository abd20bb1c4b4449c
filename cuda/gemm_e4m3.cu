// The GEMM kernels of e4m3 by e4m3, in the tiles that were fastest for some shape.
#include "gemm_variants.cuh"

namespace binade::cuda {
namespace {

using enum Overlap;

/// 64 kConsumers rows; see GemmTile for the rest.
template <int kConsumers, int kCols, int kChains, Overlap kOverlap = kNone, int kClusterRows = 1,
          int kClusterCols = 1, bool kBlockScales = true>
GemmVariant tile(double share) {
  return gemm_variant<GemmTile<E4M3, E4M3, kConsumers, kCols, kChains, kOverlap, kClusterRows,
                               kClusterCols, kBlockScales>>(share);
}

}  // namespace

const std::vector<GemmVariant>& gemm_variants_e4m3() {
  static const std::vector<GemmVariant> variants = {
      // one chain over all of K
      tile<2, 256, 0, kNone, 2>(0.73),
      tile<2, 176, 0, kTiles, 2>(0.75),
      tile<2, 192, 0, kTiles, 2>(0.74),
      tile<1, 56, 0, kNone, 1, 2>(0.33),
      // promoted every 128, or every few 128
      tile<2, 192, 1, kNone, 2>(0.65),
      tile<2, 128, 1, kTurns, 2, 1, false>(0.63),
      tile<1, 56, 1, kTurns, 1, 2>(0.31),
      tile<1, 56, 1, kNone, 1, 2>(0.29),
      // promoted every 64
      tile<2, 144, 2, kTurns, 2>(0.55),
      tile<2, 128, 2, kTurns, 2>(0.53),
      // promoted every 32
      tile<2, 144, 4, kTurns, 2>(0.47),
      tile<2, 128, 4, kTurns, 2>(0.40),
  };
  return variants;
}

}  // namespace binade::cuda

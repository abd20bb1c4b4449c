// The GEMM kernels of e4m3 by e4m3, in the tiles that were fastest for some shape.
#include "gemm_variants.cuh"

namespace binade::cuda {
namespace {

using enum Overlap;

/// 64 kConsumers rows; see GemmTile for the rest. block_share: 0 for the same share.
template <int kConsumers, int kCols, int kChains, Overlap kOverlap = kShared, int kClusterRows = 1,
          int kClusterCols = 1, int kNarrower = 0>
GemmVariant tile(double share, double block_share = 0) {
  return gemm_variant<GemmTile<E4M3, E4M3, kConsumers, kCols, kChains, kOverlap, kClusterRows,
                               kClusterCols, kNarrower>>(share,
                                                         block_share > 0 ? block_share : share);
}

}  // namespace

const std::vector<GemmVariant>& gemm_variants_e4m3() {
  static const std::vector<GemmVariant> variants = {
      // one chain over all of K
      tile<2, 256, 0, kShared, 2>(0.72),
      tile<2, 176, 0, kTiles, 2, 1, 16>(0.76),
      tile<2, 192, 0, kTiles, 2, 1, 8>(0.775),
      tile<1, 56, 0, kShared, 1, 2>(0.33),
      // promoted every 128, or every few 128
      tile<2, 192, 1, kShared, 2>(0.77, 0.775),
      tile<2, 176, 1, kShared, 2>(0.80),
      tile<2, 176, 1, kShared, 2, 1, 16>(0.785),
      tile<2, 128, 1, kTurns, 2>(0.76),
      tile<1, 64, 1, kTurns, 1, 2>(0.31),
      tile<1, 56, 1, kTurns, 1, 2>(0.33),
      tile<1, 56, 1, kShared, 1, 2>(0.32),
      // promoted every 64
      tile<2, 144, 2, kTurns, 2>(0.62),
      tile<2, 128, 2, kTurns, 2>(0.58),
      // promoted every 32
      tile<2, 144, 4, kTurns, 2>(0.50),
      tile<2, 128, 4, kTurns, 2>(0.45),
  };
  return variants;
}

}  // namespace binade::cuda

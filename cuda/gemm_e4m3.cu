// The GEMM kernels of e4m3 by e4m3, in the tiles that were fastest for some shape.
#include "gemm_variants.cuh"

namespace binade::cuda {
namespace {

using enum Overlap;

/// 64 kConsumers rows; see GemmTile for the rest.
template <int kConsumers, int kCols, int kChains, Overlap kOverlap = kNone, int kClusterRows = 1,
          int kClusterCols = 1>
GemmVariant tile() {
  return gemm_variant<
      GemmTile<E4M3, E4M3, kConsumers, kCols, kChains, kOverlap, kClusterRows, kClusterCols>>();
}

}  // namespace

const std::vector<GemmVariant>& gemm_variants_e4m3() {
  static const std::vector<GemmVariant> variants = {
      // one chain over all of K
      tile<2, 256, 0, kNone, 2>(),
      tile<2, 320, 0, kParts, 2>(),
      tile<2, 176, 0, kNone, 2>(),
      tile<1, 56, 0, kNone, 1, 2>(),
      tile<1, 80, 0, kNone, 1, 2>(),
      tile<1, 80, 0, kNone, 1, 4>(),
      tile<1, 64, 0, kNone, 1, 2>(),
      // promoted every 128, or every few 128
      tile<2, 192, 1, kParts, 2>(),
      tile<2, 192, 1, kNone, 2>(),
      tile<2, 128, 1, kTurns, 2>(),
      tile<2, 128, 1, kNone, 2>(),
      tile<3, 128, 1, kNone, 2>(),
      tile<3, 112, 1, kNone, 2>(),
      tile<1, 56, 1, kNone, 1, 2>(),
      tile<1, 56, 1, kTurns, 1, 2>(),
      tile<1, 80, 1, kTurns, 1, 2>(),
      tile<1, 80, 1, kTurns, 1, 4>(),
      // promoted every 64 and every 32
      tile<2, 192, 2, kParts, 2>(),
      tile<2, 128, 2, kTurns, 2>(),
      tile<3, 128, 2, kNone, 2>(),
      tile<2, 192, 4, kParts, 2>(),
      tile<3, 128, 4, kNone, 2>(),
  };
  return variants;
}

}  // namespace binade::cuda

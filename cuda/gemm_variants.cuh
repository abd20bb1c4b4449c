// The tiles that are compiled: as data, so that the host chooses and launches all of them alike.
#pragma once

#include <vector>

#include "gemm_kernel.cuh"

namespace binade::cuda {

struct GemmVariant {
  /// Of the tensor cores' 4096 products a cycle, what it keeps inside a product, fitted to
  /// times of device_gemm_throughput on an H100 and, promoted more often than every 128, an H200:
  /// it orders the tiles that serve a call.
  double share;
  double block_share;  ///< the same under block scales
  int rows, cols, narrow_cols, chains;
  Overlap overlap;
  int cluster_rows, cluster_cols, stages, threads, dynamic_bytes;
  int band;  ///< of the walk: clusters
  bool takes_block_scales;
  const void* kernel;

  int cluster_size() const { return cluster_rows * cluster_cols; }
};

template <class Tile>
GemmVariant gemm_variant(double share, double block_share) {
  return {share,
          block_share,
          Tile::kRows,
          Tile::kCols,
          Tile::kNarrowCols,
          Tile::kChains,
          Tile::kOverlap,
          Tile::kClusterRows,
          Tile::kClusterCols,
          Tile::kStages,
          Tile::kThreads,
          Tile::kDynamicBytes,
          TileWalk<Tile>::kBand,
          Tile::kTakesBlockScales,
          reinterpret_cast<const void*>(&gemm_kernel<Tile>)};
}

/// Every variant of e4m3 by e4m3, and of the other pairs.
const std::vector<GemmVariant>& gemm_variants_e4m3();
const std::vector<GemmVariant>& gemm_variants_mixed(bool a_is_e5m2, bool b_is_e5m2);

}  // namespace binade::cuda

// The tiles that are compiled: as data, so that the host chooses and launches all of them alike.
#pragma once

#include <vector>

#include "gemm_kernel.cuh"

namespace binade::cuda {

struct GemmVariant {
  int rows, cols, chains;
  Overlap overlap;
  int cluster_rows, cluster_cols, stages, threads, dynamic_bytes;
  const void* kernel;

  int cluster_size() const { return cluster_rows * cluster_cols; }
};

template <class Tile>
GemmVariant gemm_variant() {
  return {Tile::kRows,
          Tile::kCols,
          Tile::kChains,
          Tile::kOverlap,
          Tile::kClusterRows,
          Tile::kClusterCols,
          Tile::kStages,
          Tile::kThreads,
          Tile::kDynamicBytes,
          reinterpret_cast<const void*>(&gemm_kernel<Tile>)};
}

/// Every variant of e4m3 by e4m3, and of the other pairs.
const std::vector<GemmVariant>& gemm_variants_e4m3();
const std::vector<GemmVariant>& gemm_variants_mixed(bool a_is_e5m2, bool b_is_e5m2);

}  // namespace binade::cuda

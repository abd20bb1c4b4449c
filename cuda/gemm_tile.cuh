// What a block of the GEMM computes, what it keeps in shared memory, and in which order tiles come.
#pragma once

#include <cuda.h>

#include <cstddef>
#include <cstdint>
#include <numeric>

#include "binade/cuda/gemm.hpp"
#include "binade/formats/catalog.hpp"
#include "ptx/mbarrier.cuh"

namespace binade::cuda {

/// The parameters of a launch, in the kernel's constant memory.
struct GemmArguments {
  CUtensorMap a, b, d;
  CUtensorMap d_tail;  ///< boxes for what a tile's columns leave beyond whole boxes of d
  int m, n;
  int k_blocks;                    ///< blocks of 128 along K, the last one padded with zeros
  int promotion_blocks;            ///< of them between promotions
  int cluster_rows, cluster_cols;  ///< the grid of clusters' tiles that covers D
  GemmScaling scaling;
  DeviceScales scale_a, scale_b;
  void* d_data;
  std::size_t d_stride;
  bool bf16;      ///< the output; else fp32
  bool d_mapped;  ///< the copy engine can write D
};

constexpr int kBlockK = 128;  ///< bytes of a row that a stage holds: the widest swizzle
constexpr int kRowsOfWarpgroup = 64;
constexpr int kStagingBytes = 2 * 16 * 128;  ///< of a warp: two boxes of 16 rows of 128 bytes
constexpr int kSharedBytes = 232448;         ///< of a block on sm_90
constexpr int kBarrierBytes = 1024;
constexpr int kBlocksAtOnce = 4;  ///< blocks of K in one pass of a promoting loop

/// What a consumer does while the tensor cores multiply for it.
enum class Overlap {
  kNone,   ///< nothing: other warpgroups keep them busy
  kParts,  ///< the columns in two parts: one is promoted while the other is multiplied
  kTurns,  ///< the next chain is multiplied while the last is promoted; only chains within a block
};

/// One block computes D[64 kConsumers, kCols] at a time, each consumer warpgroup 64 rows of it.
///
/// kChains: 0 for one chain over all of K; else the chains in a block of 128 (1, 2, 4). A cluster
/// is kClusterRows x kClusterCols blocks; blocks in a column of it share the tile of B, those in a
/// row the tile of A.
template <class A, class B, int kConsumersOf, int kColsOf, int kChainsOf,
          Overlap kOverlapOf = Overlap::kNone, int kClusterRowsOf = 1, int kClusterColsOf = 1>
struct GemmTile {
  using TA = A;
  using TB = B;
  static constexpr int kConsumers = kConsumersOf, kCols = kColsOf, kChains = kChainsOf;
  static constexpr Overlap kOverlap = kOverlapOf;
  static constexpr int kClusterRows = kClusterRowsOf, kClusterCols = kClusterColsOf;

  static constexpr bool kPromotes = kChains != 0;
  static constexpr int kParts = kOverlap == Overlap::kParts ? 2 : 1;
  static constexpr int kAccumulators = kOverlap == Overlap::kNone ? 1 : 2;
  static constexpr int kRows = kConsumers * kRowsOfWarpgroup;
  static constexpr int kClusterSize = kClusterRows * kClusterCols;
  static constexpr int kThreads = (kConsumers + 1) * 128;
  static constexpr int kPartCols = kCols / kParts;
  static constexpr int kBytesA = kRows * kBlockK, kBytesB = kCols * kBlockK;
  static constexpr int kStageBytes = kBytesA + kBytesB;
  static constexpr int kStagingTotal = kConsumers * 4 * kStagingBytes;
  static constexpr int kMostStages = (kSharedBytes - kBarrierBytes - kStagingTotal) / kStageBytes;
  static constexpr int kStages =
      kPromotes ? kMostStages / kBlocksAtOnce * kBlocksAtOnce : kMostStages;
  static constexpr int kDynamicBytes = kStages * kStageBytes + kStagingTotal + kBarrierBytes;
  /// Where a tile begins in a block of 128 columns: multiples of this.
  static constexpr int kColumnStep = std::gcd(kCols, 128);
  /// Blocks of 128 columns that a tile meets at most, for the scales of B.
  static constexpr int kScaleSpan = (128 - kColumnStep + kCols + 127) / 128;

  static_assert(!kPromotes || kScaleSpan <= 2, "a tile meets two blocks of columns at most");
  static_assert(kStages >= 3 && kStages < 32);
  static_assert(kPromotes || kOverlap != Overlap::kTurns);
  static_assert(kCols % (8 * kParts) == 0 && kPartCols <= 256, "widths that wgmma has");
  static_assert(kClusterRows == 1 || kClusterCols == 1, "a cluster shares A or B");
  static_assert(kBytesB % 1024 == 0 && kStageBytes % 1024 == 0, "the swizzle's period");
  static_assert((kRows / kClusterCols) % 8 == 0 && (kCols / kClusterRows) % 8 == 0,
                "each block of a cluster brings whole periods of the shared tile");
  static_assert(2 * kStages * sizeof(ptx::Barrier) <= kBarrierBytes);
};

/// Shared memory of a block: stages of A and B, staging of D, barriers. `stages` is a multiple of
/// 1024 bytes.
template <class Tile>
struct GemmShared {
  unsigned char* stages;

  __device__ unsigned char* a(int stage) const { return stages + stage * Tile::kStageBytes; }
  __device__ unsigned char* b(int stage) const { return a(stage) + Tile::kBytesA; }
  __device__ unsigned char* staging(int warp) const {
    return stages + Tile::kStages * Tile::kStageBytes + warp * kStagingBytes;
  }
  /// A stage's tiles have arrived / its readers, of the whole cluster, are done.
  __device__ ptx::Barrier* full(int stage) const {
    return reinterpret_cast<ptx::Barrier*>(staging(4 * Tile::kConsumers)) + stage;
  }
  __device__ ptx::Barrier* empty(int stage) const { return full(stage + Tile::kStages); }
};

/// A place in the ring of stages. Every tile begins at stage 0, so that the stages of a pass are
/// known to the compiler; a stage's parity counts its own uses.
template <class Tile>
struct RingPlace {
  int stage = 0;
  std::uint32_t parities = 0;  ///< a bit a stage

  __device__ void start_tile() { stage = 0; }
  __device__ std::uint32_t parity(int ahead = 0) const { return parities >> (stage + ahead) & 1; }
  __device__ void advance(int count = 1) {
    parities ^= ((1u << count) - 1) << stage;
    stage = stage + count == Tile::kStages ? 0 : stage + count;
  }
};

/// The tiles of one block, in the order in which it computes them: clusters walk through columns of
/// D inside bands of rows, so that what runs at one time reads few rows of A and of B.
template <class Tile>
class TileWalk {
 public:
  __device__ explicit TileWalk(const GemmArguments& args)
      : rows_(args.cluster_rows),
        cols_(args.cluster_cols),
        next_(static_cast<int>(blockIdx.x) / Tile::kClusterSize),
        rank_(static_cast<int>(blockIdx.x) % Tile::kClusterSize) {}

  /// The next tile's first row and column, if there is one.
  __device__ bool next(int& row, int& col) {
    if (next_ >= rows_ * cols_) return false;
    const int band = next_ / (kBand * cols_), in_band = next_ % (kBand * cols_);
    const int height = min(kBand, rows_ - band * kBand);
    const int cluster_row = band * kBand + in_band % height, cluster_col = in_band / height;
    row = (cluster_row * Tile::kClusterRows + rank_ / Tile::kClusterCols) * Tile::kRows;
    col = (cluster_col * Tile::kClusterCols + rank_ % Tile::kClusterCols) * Tile::kCols;
    next_ += static_cast<int>(gridDim.x) / Tile::kClusterSize;
    return true;
  }

 private:
  static constexpr int kBand = 16 / Tile::kClusterRows;  ///< clusters: 16 tiles high
  int rows_, cols_, next_, rank_;
};

}  // namespace binade::cuda

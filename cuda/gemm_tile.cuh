// What a block of the GEMM computes, what it keeps in shared memory, and in which order tiles come.
#pragma once

#include <cuda.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>

#include "binade/cuda/gemm.hpp"
#include "binade/formats/catalog.hpp"
#include "divider.hpp"
#include "ptx/mbarrier.cuh"

namespace binade::cuda {

/// The parameters of a launch, in the kernel's constant memory.
struct GemmArguments {
  CUtensorMap a, b, d;
  int m, n;
  int k_blocks;                    ///< blocks of 128 along K, the last one padded with zeros
  int promotion_blocks;            ///< of them between promotions
  int cluster_rows, cluster_cols;  ///< the grid of clusters' tiles that covers D
  int whole_tiles, whole_cols;     ///< of these tiles those not narrow, and their columns of D
  Divider by_band[2];              ///< clusters of a band of whole tiles, and of narrow ones
  Divider by_last_height;          ///< rows of them in the last band
  GemmScaling scaling;
  DeviceScales scale_a, scale_b;
  bool bf16;  ///< the output; else fp32
};

/// What a scale that is not there is read from.
__device__ constexpr float kOne = 1.0f;

/// Where a row's scale, or its first along K, lies.
__device__ __forceinline__ const float* first_scale(const DeviceScales& scales, int row) {
  return scales.data == nullptr ? &kOne : scales.data + row * scales.row_stride;
}

constexpr int kBlockK = 128;  ///< bytes of a row that a stage holds: the widest swizzle
constexpr int kRowsOfWarpgroup = 64;
constexpr int kBoxBytes = 16 * 128;   ///< of D, in which a warp writes it: 16 rows
constexpr int kSharedBytes = 232448;  ///< of a block on sm_90
constexpr int kBarrierBytes = 384;
constexpr int kScaleChunk = 2;     ///< blocks of K whose scales come together
constexpr int kScaleThreads = 64;  ///< that bring them

/// What a consumer does while the tensor cores multiply for it or for another.
enum class Overlap {
  kShared,  ///< they share a tile; one promotes while another's chain is multiplied, or one of its
            ///< own, of the other half of the columns
  kTiles,   ///< each warpgroup has a tile of its own: one is written while another is multiplied
  kTurns,   ///< they share a tile, and each issues its next chain before it promotes the last
};

/// One block computes D[kRows, kCols] at a time, each consumer warpgroup 64 rows of it; with kTiles
/// each warpgroup computes 128 rows alone.
///
/// kChains: 0 for one chain over all of K; else the chains in a block of 128 (1, 2, 4). A cluster
/// is kClusterRows x kClusterCols blocks; blocks in a column of it share the tile of B, those in a
/// row the tile of A. The last tiles of a row may be narrower by kNarrower columns, so that a row
/// covers D with little left over.
template <class A, class B, int kConsumersOf, int kColsOf, int kChainsOf,
          Overlap kOverlapOf = Overlap::kShared, int kClusterRowsOf = 1, int kClusterColsOf = 1,
          int kNarrowerOf = 0>
struct GemmTile {
  using TA = A;
  using TB = B;
  static constexpr int kConsumers = kConsumersOf, kCols = kColsOf, kChains = kChainsOf;
  static constexpr Overlap kOverlap = kOverlapOf;
  static constexpr int kClusterRows = kClusterRowsOf, kClusterCols = kClusterColsOf;

  static constexpr bool kPromotes = kChains != 0;
  static constexpr bool kOwnTiles = kOverlap == Overlap::kTiles;
  static constexpr int kRowParts = kOwnTiles ? 2 : 1;  ///< wgmma's 64 rows, of a warpgroup
  /// Where a tile begins in a block of 128 columns: multiples of this.
  static constexpr int kColumnStep = std::gcd(kCols, 128);
  /// Whether scales may change along K: each place in a block of columns costs registers.
  static constexpr bool kTakesBlockScales = kPromotes && kColumnStep >= 64;
  /// Whether a tile's first chains are multiplied while the tile before is written. Not where
  /// scales may change along K: with 192 columns one chain at a time was measured to be 3 to 9 %
  /// faster under such scales, 1 to 2 % slower without.
  static constexpr bool kRunsAhead =
      kPromotes && kOverlap == Overlap::kShared && !kTakesBlockScales;
  /// Chains side by side, of the halves of the columns: one joins its sums while the other is
  /// multiplied. For each, A is read once more.
  static constexpr int kColParts = kRunsAhead && kConsumers > 1 ? 2 : 1;
  static constexpr bool kNarrows = kNarrowerOf > 0;
  static constexpr int kNarrowCols = kCols - kNarrowerOf;
  static constexpr int kReaders = kOwnTiles ? 1 : kConsumers;  ///< warpgroups that read a stage
  static constexpr int kRows = kRowsOfWarpgroup * kRowParts * kReaders;
  static constexpr int kClusterSize = kClusterRows * kClusterCols;
  static constexpr int kThreads = (kConsumers + 1) * 128;
  static constexpr int kBytesA = kRows * kBlockK, kBytesB = kCols * kBlockK;
  static constexpr int kStageBytes = kBytesA + kBytesB;
  /// Blocks of 128 columns that a tile meets at most, for the scales of B.
  static constexpr int kScaleSpan = (128 - kColumnStep + kCols + 127) / 128;
  /// Those scales of one block: for each block of columns, those of the rows times its own.
  static constexpr int kBlockScales = kTakesBlockScales ? kScaleSpan * kRows : 0;
  /// Chunks on their way at a time: tiles of few rows want them faster than memory answers, larger
  /// ones lose a hundredth by a second.
  static constexpr int kScalesAhead = kRows == 64 ? 4 : 1;
  static constexpr int kScaleSlotBytes = 4 * kScaleChunk * kBlockScales;
  /// Of the columns' scales those lie together, a run each, that threads with the same lane % 4
  /// multiply by, so that one reads four at a time; runs begin in different banks.
  static constexpr int kColScaleRun = 4 * ((kCols + 15) / 16 | 1);
  /// A warpgroup's scales of rows and of columns, which come last. They lie where those of blocks
  /// would: a product has the ones or the others.
  static constexpr int kRowScaleBytes = 4 * (kRowsOfWarpgroup * kRowParts + 4 * kColScaleRun);
  static constexpr int kLeastScaleBytes =
      std::max(kConsumers * kRowScaleBytes, 2 * kScaleSlotBytes);
  static constexpr int kOtherBytes =
      kConsumers * 4 * 2 * kBoxBytes + kBarrierBytes + kLeastScaleBytes;
  static constexpr int kStages = (kSharedBytes - kOtherBytes) / kStageBytes;
  /// What the stages leave goes to chunks of scales, then to boxes in which a warp writes D. Of
  /// both there are two, so that the first is read while the second is filled, and up to six more.
  static constexpr int kSpareBytes = kSharedBytes - kOtherBytes - kStages * kStageBytes;
  static constexpr int kScaleSlots =
      kTakesBlockScales ? std::min(8, (kLeastScaleBytes + kSpareBytes) / kScaleSlotBytes) : 0;
  static constexpr int kScaleBytes = std::max(kLeastScaleBytes, kScaleSlots* kScaleSlotBytes);
  static constexpr int kSpareBoxes =
      (kSpareBytes - (kScaleBytes - kLeastScaleBytes)) / (kConsumers * 4 * kBoxBytes);
  static constexpr int kBoxes = 2 + std::min(6, kSpareBoxes);
  static constexpr int kStagingBytes = kBoxes * kBoxBytes;
  static constexpr int kDynamicBytes =
      kStages * kStageBytes + kConsumers * 4 * kStagingBytes + kBarrierBytes + kScaleBytes;

  static_assert(!kTakesBlockScales || kScaleSpan <= 2,
                "a tile meets two blocks of columns at most");
  static_assert(kStages >= 4, "fewer do not hide how long memory takes");
  static_assert(kOverlap != (kPromotes ? Overlap::kTiles : Overlap::kTurns));
  static_assert(kConsumers > 1 || kOverlap != Overlap::kTiles);
  static_assert(!kPromotes || kOverlap == Overlap::kTurns || kChains == 1,
                "several chains in a block: only in turns");
  static_assert(kCols % (8 * kColParts) == 0 && kNarrowCols % (8 * kColParts) == 0,
                "each half is a width that wgmma has");
  static_assert(kClusterRows == 1 || kClusterCols == 1, "a cluster shares A or B");
  static_assert(kCols % 8 == 0 && kCols <= 256, "widths that wgmma has");
  static_assert(kBytesB % 1024 == 0 && kStageBytes % 1024 == 0, "the swizzle's period");
  static_assert((kRows / kClusterCols) % 8 == 0 && (kCols / kClusterRows) % 8 == 0,
                "each block of a cluster brings whole periods of the shared tile");
  static_assert(2 * (kStages + kScaleSlots) * sizeof(ptx::Barrier) <= kBarrierBytes);
};

/// Shared memory of a block: stages of A and B, staging of D, barriers, scales. `stages` is a
/// multiple of 1024 bytes.
template <class Tile>
struct GemmShared {
  unsigned char* stages;

  __device__ unsigned char* a(int stage) const { return stages + stage * Tile::kStageBytes; }
  __device__ unsigned char* b(int stage) const { return a(stage) + Tile::kBytesA; }
  __device__ unsigned char* staging(int warp) const {
    return stages + Tile::kStages * Tile::kStageBytes + warp * Tile::kStagingBytes;
  }
  /// A stage's tiles have arrived / its readers, of the whole cluster, are done.
  __device__ ptx::Barrier* full(int stage) const {
    return reinterpret_cast<ptx::Barrier*>(staging(4 * Tile::kConsumers)) + stage;
  }
  __device__ ptx::Barrier* empty(int stage) const { return full(stage + Tile::kStages); }
  /// The same for the chunks of scales.
  __device__ ptx::Barrier* scales_full(int slot) const { return full(2 * Tile::kStages + slot); }
  __device__ ptx::Barrier* scales_empty(int slot) const {
    return scales_full(Tile::kScaleSlots + slot);
  }
  __device__ float* row_scales(int warpgroup) const {
    return reinterpret_cast<float*>(staging(4 * Tile::kConsumers) + kBarrierBytes +
                                    warpgroup * Tile::kRowScaleBytes);
  }
  __device__ float* block_scales(int slot, int in_chunk) const {
    return row_scales(0) + (slot * kScaleChunk + in_chunk) * Tile::kBlockScales;
  }
};

/// A place in a ring, and the parity of the phase in which what lies there is filled.
template <int kCount>
struct RingPlace {
  int at = 0;
  std::uint32_t parity = 0;

  __device__ void advance() {
    if (++at == kCount) {
      at = 0;
      parity ^= 1;
    }
  }
  __device__ void skip(int count) {
    parity ^= (at + count) / kCount & 1;
    at = (at + count) % kCount;
  }
};

/// The tiles of one block, in the order in which it computes them: clusters walk through columns of
/// D inside bands of rows, so that what runs at one time reads few rows of A and of B; all whole
/// tiles come before the narrow ones, which lie to their right.
template <class Tile>
class TileWalk {
 public:
  static constexpr int kBand = 16 / Tile::kClusterRows;  ///< clusters: 16 tiles high

  __device__ explicit TileWalk(const GemmArguments& args)
      : args_(args),
        next_(static_cast<int>(blockIdx.x) / Tile::kClusterSize),
        rank_(static_cast<int>(blockIdx.x) % Tile::kClusterSize) {}

  /// The next tile's first row and column, if there is one.
  __device__ bool next(int& row, int& col) {
    if (ended()) return false;
    if constexpr (Tile::kNarrows) narrow_ = next_ >= args_.whole_tiles;
    const Divider& by_band = args_.by_band[narrow()];
    const int index = next_ - (narrow() ? args_.whole_tiles : 0);
    const int band = by_band.quotient(index);
    const int in_band = index - band * by_band.divisor();
    const bool whole = (band + 1) * kBand <= args_.cluster_rows;
    const int height = whole ? kBand : args_.by_last_height.divisor();
    const int cluster_col = whole ? in_band / kBand : args_.by_last_height.quotient(in_band);
    const int cluster_row = band * kBand + in_band - cluster_col * height;
    row = (cluster_row * Tile::kClusterRows + rank_ / Tile::kClusterCols) * Tile::kRows;
    const int tile_col = cluster_col * Tile::kClusterCols + rank_ % Tile::kClusterCols;
    col = narrow() ? args_.whole_cols + tile_col * Tile::kNarrowCols : tile_col * Tile::kCols;
    next_ += static_cast<int>(gridDim.x) / Tile::kClusterSize;
    return true;
  }
  /// Whether the tile that next gave is narrow.
  __device__ bool narrow() const { return Tile::kNarrows && narrow_; }
  /// The product is not a parameter, for then ptxas keeps the ring of 192 promoted columns out of
  /// uniform registers: 4 % slower.
  __device__ bool ended() const { return next_ >= args_.cluster_rows * args_.cluster_cols; }

 private:
  const GemmArguments& args_;
  int next_, rank_;
  bool narrow_ = false;
};

}  // namespace binade::cuda

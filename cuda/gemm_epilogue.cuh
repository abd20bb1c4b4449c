// The end of a tile: scales that come last, one rounding, and D on its way while the next tile is
// computed.
#pragma once

#include <algorithm>
#include <cstdint>

#include "gemm_tile.cuh"
#include "ptx/copy_async.cuh"
#include "ptx/registers.cuh"
#include "ptx/tma.cuh"

namespace binade::cuda {

/// The boxes in which 16 rows of a tile are written: up to 128 bytes wide, and as many as cover its
/// columns. The last may overlap the one before; what both hold is written twice.
template <int kCols, int kElementBytes>
struct DBoxes {
  static constexpr int kBytes = kElementBytes;  ///< of an element
  static constexpr int kGroups = kCols / 8;     ///< eights of columns
  static constexpr int kWidth = std::min(128 / (8 * kElementBytes), kGroups);  ///< of a box
  static constexpr int kCount = (kGroups + kWidth - 1) / kWidth;
  static constexpr int kPitch = kWidth * 8 * kElementBytes;  ///< bytes of a row

  static constexpr int first_group(int box) { return std::min(box * kWidth, kGroups - kWidth); }
  /// Where the 16 bytes of this number in a row lie: rows of 128 bytes are swizzled as the copy
  /// engine does it, shorter ones are not.
  static __device__ __forceinline__ int place(int row, int chunk) {
    return row * kPitch + (kPitch == 128 ? chunk ^ row % 8 : chunk) * 16;
  }
};

/// Writes the sums of one warp: 16 rows of a tile. A thread holds, for each eight columns j,
/// sums[4 j .. 4 j + 3]: columns 8 j + 2 (lane % 4) + {0, 1} of row lane / 4, then of the row eight
/// further down.
template <class Tile>
class Epilogue {
 public:
  /// shared: staging of this warp's boxes, its warpgroup's rows of A and room for its scales.
  __device__ Epilogue(const GemmArguments& args, const GemmShared<Tile>& shared, int warpgroup)
      : args_(args),
        boxes_(shared.staging(static_cast<int>(threadIdx.x) / 32)),
        rows_of_a_(shared.a(0) + (Tile::kOwnTiles ? 0 : warpgroup * kRowsOfWarpgroup * kBlockK)),
        scales_(shared.row_scales(warpgroup)),
        warpgroup_(warpgroup),
        lane_(static_cast<int>(threadIdx.x) % 32) {
    if (args.scaling == GemmScaling::kTensor) {
      scale_ = __ldg(first_scale(args.scale_a, 0)) * __ldg(first_scale(args.scale_b, 0));
    }
  }

  /// Sends for the scales of a tile's rows and columns, which run will want: by the whole
  /// warpgroup, before the tile is computed. row: of the warpgroup's first number in D.
  __device__ void send_for_scales(int row, int col) {
    if (args_.scaling != GemmScaling::kRow) return;
    await_warpgroup();  // the last tile's have been read
    int thread = static_cast<int>(threadIdx.x) % 128;
    ptx::keep(thread);  // anew for each tile, as in store
    if (thread < kScaleRows) {
      ptx::copy_async_word(scales_ + thread,
                           first_scale(args_.scale_a, min(row + thread, args_.m - 1)));
    }
    for (int i = thread; i < Tile::kCols; i += 128) {
      const int at = i % 8 / 2 * Tile::kColScaleRun + i / 8 * 2 + i % 2;
      ptx::copy_async_word(scales_ + kScaleRows + at,
                           first_scale(args_.scale_b, min(col + i, args_.n - 1)));
    }
    ptx::copy_async_commit();
  }

  /// Until what was sent for is there: before a tile's first rows are written.
  __device__ __forceinline__ void await_scales() const {
    if (args_.scaling != GemmScaling::kRow) return;
    ptx::copy_async_wait<0>();
    await_warpgroup();
  }

  /// row, col: of the warp's first number in D; row_in_group: of the warpgroup's rows; at_end: its
  /// rows of A have been read in every stage, and none follow.
  template <int kSums>
  __device__ __forceinline__ void run(float (&sums)[kSums], int row, int col, int row_in_group,
                                      bool at_end) {
    if (args_.scaling == GemmScaling::kRow) {
      scale_rows(sums, row_in_group);
    } else if (scale_ != 1.0f) {
#pragma unroll
      for (float& sum : sums) sum *= scale_;
    }
    if (args_.bf16) {
      store<DBoxes<2 * kSums, 2>>(sums, row, col, row_in_group, at_end);
    } else {
      store<DBoxes<2 * kSums, 4>>(sums, row, col, row_in_group, at_end);
    }
  }

  /// Until shared memory is no longer read.
  __device__ void finish() {
    if (lane_ == 0) ptx::tma_store_wait_read<0>();
  }

 private:
  static constexpr int kScaleRows = kRowsOfWarpgroup * Tile::kRowParts;
  static_assert(kScaleRows <= 128, "a thread brings one");

  __device__ void await_warpgroup() const { ptx::named_barrier_wait(8 + warpgroup_, 128); }

  template <int kSums>
  __device__ __forceinline__ void scale_rows(float (&sums)[kSums], int row_in_group) {
    int lane = lane_;
    ptx::keep(lane);  // anew for each tile, as in store
    const float* rows = scales_ + row_in_group + lane / 4;
    const float* cols = scales_ + kScaleRows + lane % 4 * Tile::kColScaleRun;
    const float sa[2] = {rows[0], rows[8]};
#pragma unroll
    for (int j = 0; j < kSums / 4; j += 2) {  // the last may be read in vain
      const float4 sb = *reinterpret_cast<const float4*>(cols + 2 * j);
      scale_eight(sums + 4 * j, sb.x, sb.y, sa);
      if (j + 1 < kSums / 4) scale_eight(sums + 4 * j + 4, sb.z, sb.w, sa);
    }
  }

  /// Of eight columns this thread's two, in its two rows.
  static __device__ __forceinline__ void scale_eight(float* s, float sb0, float sb1,
                                                     const float (&sa)[2]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      s[2 * half] = (s[2 * half] * sb0) * sa[half];
      s[2 * half + 1] = (s[2 * half + 1] * sb1) * sa[half];
    }
  }

  /// Through boxes in shared memory. A fence waits for what was written, so that boxes are sent
  /// together: all if there is a place for each, else first one, whose place is wanted soonest,
  /// then as many as there are places. At the end nothing hides that a warp waits for a place:
  /// then a box lies where the 16 rows of A lay that the warp has multiplied, in each stage one, if
  /// there are stages enough. No barrier: a warpgroup's chains end for all its warps at once.
  template <class Boxes>
  __device__ __forceinline__ void store(const float* sums, int row, int col, int row_in_group,
                                        bool at_end) {
    constexpr int kCount = Boxes::kCount;
    static_assert(kBoxBytes == 16 * kBlockK);
    const bool in_stages = at_end && kCount <= Tile::kStages;
    unsigned char* const rows_of_a = rows_of_a_ + row_in_group * kBlockK;
    const auto box = [&](int i) {
      return in_stages ? rows_of_a + i * Tile::kStageBytes : boxes_ + i % Tile::kBoxes * kBoxBytes;
    };
    // Anew for each tile: what follows from the lane is not to take registers of the loop over K.
    int lane = lane_;
    ptx::keep(lane);
    int first = 0;  // that has not been sent
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      if ((i == 0 || i >= Tile::kBoxes) && !in_stages) await_boxes(lane);
      fill<Boxes>(lane, box(i), sums + 4 * Boxes::first_group(i));
      if (i + 1 == kCount || (kCount > Tile::kBoxes && i % Tile::kBoxes == 0)) {
        send<Boxes>(lane, box, first, i, row, col);
        first = i + 1;
      }
    }
  }

  /// Until the copy engine has read all that was sent.
  __device__ __forceinline__ void await_boxes(int lane) const {
    if (lane == 0) ptx::tma_store_wait_read<0>();
    __syncwarp();
  }

  template <class Boxes, class Box>
  __device__ __forceinline__ void send(int lane, const Box& box, int first, int last, int row,
                                       int col) const {
    ptx::async_proxy_fence();
    __syncwarp();
    // No early return for a box beyond D: the copy engine leaves it out, and a branch that ptxas
    // cannot prove to be the same for the whole warp takes the loop over K its uniform registers.
    if (lane == 0) {
#pragma unroll
      for (int i = first; i <= last; ++i) {
        ptx::tma_store(&args_.d, box(i), col + 8 * Boxes::first_group(i), row);
      }
      ptx::tma_store_commit();
    }
  }

  template <class Boxes>
  __device__ __forceinline__ void fill(int lane, unsigned char* box, const float* sums) const {
    const std::uint32_t base = ptx::shared_address(box);
    if constexpr (Boxes::kBytes == 2) {
#pragma unroll
      for (int j = 0; j < Boxes::kWidth; j += 2) {  // of an odd number the last eight goes twice
        const int second = j + 1 < Boxes::kWidth ? 1 : 0;
        const float *s = sums + 4 * j, *t = s + 4 * second;
        ptx::store_matrices(base + Boxes::place(lane % 16, j + lane / 16 * second),
                            ptx::to_bf16x2(s[0], s[1]), ptx::to_bf16x2(s[2], s[3]),
                            ptx::to_bf16x2(t[0], t[1]), ptx::to_bf16x2(t[2], t[3]));
      }
    } else {
#pragma unroll
      for (int j = 0; j < 2 * Boxes::kWidth; ++j) {
        const float* s = sums + 2 * j;
        ptx::store_pair(
            base + Boxes::place(lane / 4 + 8 * (j % 2), j / 2 * 2 + lane % 4 / 2) + lane % 2 * 8,
            fp32_bits(s[0]), fp32_bits(s[1]));
      }
    }
  }

  /// With the canonical NaN.
  static __device__ std::uint32_t fp32_bits(float x) {
    return x != x ? 0x7fffffffu : __float_as_uint(x);
  }

  const GemmArguments& args_;
  unsigned char *boxes_, *rows_of_a_;  ///< of the warp; of the warpgroup, in stage 0
  float* scales_;
  int warpgroup_, lane_;
  float scale_ = 1.0f;  ///< of the whole product
};

}  // namespace binade::cuda

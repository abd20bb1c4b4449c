// The end of a tile: scales that come last, one rounding, and D on its way while the next tile is
// computed.
#pragma once

#include <cstdint>

#include "gemm_tile.cuh"
#include "ptx/copy_async.cuh"
#include "ptx/registers.cuh"
#include "ptx/tma.cuh"

namespace binade::cuda {

/// Writes the sums of one warp: 16 rows, kCols columns. A thread holds, for each eight columns j,
/// sums[4 j .. 4 j + 3]: columns 8 j + 2 (lane % 4) + {0, 1} of row lane / 4, then of the row eight
/// further down.
template <class Tile>
class Epilogue {
 public:
  /// shared: staging of this warp's boxes, and room for its warpgroup's scales.
  __device__ Epilogue(const GemmArguments& args, const GemmShared<Tile>& shared, int warpgroup)
      : args_(args),
        staging_(shared.staging(static_cast<int>(threadIdx.x) / 32)),
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
    for (int i = static_cast<int>(threadIdx.x) % 128; i < kScaleCount; i += 128) {
      const bool of_row = i < kScaleRows;
      const DeviceScales& scales = of_row ? args_.scale_a : args_.scale_b;
      const int at = of_row ? min(row + i, args_.m - 1) : min(col + i - kScaleRows, args_.n - 1);
      ptx::copy_async_word(scales_ + i, first_scale(scales, at));
    }
    ptx::copy_async_commit();
  }

  /// row, col: of the warp's first number in D; row_in_group: of the warpgroup's rows.
  __device__ void run(float (&sums)[Tile::kCols / 2], int row, int col, int row_in_group) {
    if (args_.scaling == GemmScaling::kRow) {
      scale_rows(sums, row_in_group);
    } else if (scale_ != 1.0f) {
#pragma unroll
      for (float& sum : sums) sum *= scale_;
    }
    if (args_.bf16) {
      store<true>(sums, row, col);
    } else {
      store<false>(sums, row, col);
    }
  }

  /// Until shared memory is no longer read.
  __device__ void finish() {
    if (lane_ == 0) ptx::tma_store_wait_read<0>();
  }

 private:
  static constexpr int kScaleRows = kRowsOfWarpgroup * Tile::kRowParts;
  static constexpr int kScaleCount = kScaleRows + Tile::kCols;

  __device__ void await_warpgroup() const { ptx::named_barrier_wait(8 + warpgroup_, 128); }

  __device__ void scale_rows(float (&sums)[Tile::kCols / 2], int row_in_group) {
    ptx::copy_async_wait<0>();
    await_warpgroup();
    const float* rows = scales_ + row_in_group + lane_ / 4;
    const float sa[2] = {rows[0], rows[8]};
#pragma unroll
    for (int j = 0; j < Tile::kCols / 8; ++j) {
      const float2 sb =
          *reinterpret_cast<const float2*>(scales_ + kScaleRows + 8 * j + 2 * (lane_ % 4));
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float* s = sums + 4 * j + 2 * half;
        s[0] = (s[0] * sb.x) * sa[half];
        s[1] = (s[1] * sb.y) * sa[half];
      }
    }
  }

  template <bool kBf16>
  __device__ void store(float (&sums)[Tile::kCols / 2], int row, int col) {
    constexpr int kBoxGroups = kBf16 ? 8 : 4;  // eights of columns in 128 bytes
    constexpr int kGroups = Tile::kCols / 8, kTail = kGroups % kBoxGroups;
    if (!args_.d_mapped) {
#pragma unroll
      for (int j = 0; j < kGroups; ++j) store_group<kBf16>(sums + 4 * j, row, col + 8 * j);
      return;
    }
#pragma unroll
    for (int j = 0; j + kBoxGroups <= kGroups; j += kBoxGroups) {
      store_box<kBf16, kBoxGroups>(sums + 4 * j, args_.d, row, col + 8 * j);
    }
    if constexpr (kTail != 0) {
      constexpr int kFirst = kGroups - kTail;
      store_box<kBf16, kTail>(sums + 4 * kFirst, args_.d_tail, row, col + 8 * kFirst);
    }
  }

  /// 16 rows of up to 128 bytes through shared memory.
  template <bool kBf16, int kGroups>
  __device__ void store_box(const float* sums, const CUtensorMap& map, int row, int col) {
    unsigned char* box = staging_ + next_box_ * kBoxBytes;
    next_box_ = next_box_ + 1 == Tile::kBoxes ? 0 : next_box_ + 1;
    if (lane_ == 0) ptx::tma_store_wait_read<Tile::kBoxes - 1>();
    __syncwarp();
    const std::uint32_t base = ptx::shared_address(box);
    if constexpr (kBf16 && kGroups == 8) {
      fill_by_matrices(base, sums);
    } else {
      fill_by_threads<kBf16, kGroups>(base, sums);
    }
    ptx::async_proxy_fence();
    __syncwarp();
    // No early return for a box beyond D: the copy engine leaves it out, and a branch that ptxas
    // cannot prove to be the same for the whole warp takes the loop over K its uniform registers.
    if (lane_ == 0) {
      ptx::tma_store(&map, box, col, row);
      ptx::tma_store_commit();
    }
  }

  /// A box of bf16 in the copy engine's swizzle: the 16-byte chunks of row r are permuted by r % 8.
  __device__ void fill_by_matrices(std::uint32_t base, const float* sums) const {
    const std::uint32_t in_box = base + lane_ % 16 * 128;
#pragma unroll
    for (int j = 0; j < 8; j += 2) {
      const int chunk = (j + lane_ / 16) ^ (lane_ % 8);
      const float* s = sums + 4 * j;
      ptx::store_matrices(in_box + chunk * 16, ptx::to_bf16x2(s[0], s[1]),
                          ptx::to_bf16x2(s[2], s[3]), ptx::to_bf16x2(s[4], s[5]),
                          ptx::to_bf16x2(s[6], s[7]));
    }
  }

  /// Each thread its pairs; rows of 128 bytes are swizzled, shorter ones are not.
  template <bool kBf16, int kGroups>
  __device__ void fill_by_threads(std::uint32_t base, const float* sums) const {
    constexpr int kPairBytes = kBf16 ? 4 : 8, kPitch = kGroups * 4 * kPairBytes;
    const int r = lane_ / 4;
#pragma unroll
    for (int j = 0; j < kGroups; ++j) {
      int at = (4 * j + lane_ % 4) * kPairBytes;
      if (kPitch == 128) at ^= r * 16;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const std::uint32_t address = base + (r + 8 * half) * kPitch + at;
        const float low = sums[4 * j + 2 * half], high = sums[4 * j + 2 * half + 1];
        if constexpr (kBf16) {
          ptx::store_word(address, ptx::to_bf16x2(low, high));
        } else {
          ptx::store_pair(address, fp32_bits(low), fp32_bits(high));
        }
      }
    }
  }

  /// 16 rows of 8 columns straight to D, where the copy engine cannot.
  template <bool kBf16>
  __device__ void store_group(const float* s, int row, int col) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int r = row + lane_ / 4 + i / 2 * 8, c = col + 2 * (lane_ % 4) + i % 2;
      if (r >= args_.m || c >= args_.n) continue;
      const std::size_t at = r * args_.d_stride + c;
      if constexpr (kBf16) {
        static_cast<std::uint16_t*>(args_.d_data)[at] =
            static_cast<std::uint16_t>(ptx::to_bf16x2(s[i], 0.0f));
      } else {
        static_cast<std::uint32_t*>(args_.d_data)[at] = fp32_bits(s[i]);
      }
    }
  }

  /// With the canonical NaN.
  static __device__ std::uint32_t fp32_bits(float x) {
    return x != x ? 0x7fffffffu : __float_as_uint(x);
  }

  const GemmArguments& args_;
  unsigned char* staging_;
  float* scales_;
  int warpgroup_, lane_;
  float scale_ = 1.0f;  ///< of the whole product
  int next_box_ = 0;    ///< the others may still be read
};

}  // namespace binade::cuda

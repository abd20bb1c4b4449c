// The producing side of the GEMM kernel: one thread keeps the ring of stages full through the copy
// engine; where scales change along K, a warp beside it brings them, a few blocks at a time.
#pragma once

#include "gemm_tile.cuh"
#include "ptx/copy_async.cuh"
#include "ptx/mbarrier.cuh"
#include "ptx/tma.cuh"

namespace binade::cuda {

/// Until what lies at the barrier's place has been read.
template <int kCount>
__device__ void wait_empty(const ptx::Barrier* barrier, const RingPlace<kCount>& place) {
  ptx::mbarrier_wait(ptx::shared_address(barrier), place.parity ^ 1);
}

/// One thread.
template <class Tile>
__device__ void produce(const GemmArguments& args, const GemmShared<Tile>& shared) {
  constexpr int kSliceA = Tile::kRows / Tile::kClusterCols;
  constexpr int kSliceB = Tile::kCols / Tile::kClusterRows;
  constexpr auto kAll = static_cast<std::uint16_t>((1 << Tile::kClusterSize) - 1);
  const int rank = static_cast<int>(ptx::cluster_block_rank());
  const int rank_a = Tile::kClusterCols > 1 ? rank : 0, rank_b = Tile::kClusterRows > 1 ? rank : 0;
  TileWalk<Tile> walk(args);
  RingPlace<Tile::kStages> stage;
  for (int row, col; walk.next(row, col);) {
    for (int block = 0; block < args.k_blocks; ++block, stage.advance()) {
      wait_empty(shared.empty(stage.at), stage);
      ptx::Barrier* full = shared.full(stage.at);
      ptx::mbarrier_arrive_expect(full, Tile::kStageBytes);
      unsigned char* a = shared.a(stage.at) + rank_a * kSliceA * kBlockK;
      unsigned char* b = shared.b(stage.at) + rank_b * kSliceB * kBlockK;
      const int k = block * kBlockK;
      if constexpr (Tile::kClusterCols > 1) {
        ptx::tma_load_multicast(a, &args.a, k, row + rank_a * kSliceA, full, kAll);
      } else {
        ptx::tma_load(a, &args.a, k, row, full);
      }
      if constexpr (Tile::kClusterRows > 1) {
        ptx::tma_load_multicast(b, &args.b, k, col + rank_b * kSliceB, full, kAll);
      } else {
        ptx::tma_load(b, &args.b, k, col, full);
      }
    }
  }
}

/// One warp: chunks of scales, each lane rows of A 32 apart and perhaps a block of columns. A chunk
/// is told of when the next one is on its way, which does not wait for it.
template <class Tile>
__device__ void produce_scales(const GemmArguments& args, const GemmShared<Tile>& shared) {
  constexpr int kRuns = Tile::kRows / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const std::size_t step_a = args.scale_a.data == nullptr ? 0 : args.scale_a.block_stride;
  const std::size_t step_b = args.scale_b.data == nullptr ? 0 : args.scale_b.block_stride;
  TileWalk<Tile> walk(args);
  RingPlace<kScaleSlots> slot;
  int on_its_way = -1;  // the slot of the chunk before
  for (int row, col; walk.next(row, col);) {
    const float* of_a[kRuns];
#pragma unroll
    for (int i = 0; i < kRuns; ++i) {
      of_a[i] = first_scale(args.scale_a, min(row + 32 * i + lane, args.m - 1));
    }
    const float* of_b = first_scale(args.scale_b, min(col / 128 + lane, (args.n - 1) / 128));
    for (int block = 0; block < args.k_blocks; ++block) {
      if (block % kScaleChunk == 0) wait_empty(shared.scales_empty(slot.at), slot);
      float* to = shared.block_scales(slot.at, block);
#pragma unroll
      for (int i = 0; i < kRuns; ++i) {
        ptx::copy_async_word(to + 32 * i + lane, of_a[i]);
        of_a[i] += step_a;
      }
      if (lane < Tile::kScaleSpan) ptx::copy_async_word(to + Tile::kRows + lane, of_b);
      of_b += step_b;
      if (block % kScaleChunk < kScaleChunk - 1 && block + 1 < args.k_blocks) continue;
      ptx::copy_async_commit();
      if (on_its_way >= 0) {
        ptx::copy_async_wait<1>();
        ptx::mbarrier_arrive(shared.scales_full(on_its_way));
      }
      on_its_way = slot.at;
      slot.advance();
    }
  }
  ptx::copy_async_wait<0>();
  if (on_its_way >= 0) ptx::mbarrier_arrive(shared.scales_full(on_its_way));
}

}  // namespace binade::cuda

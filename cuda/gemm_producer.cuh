// The producing side of the GEMM kernel: one thread keeps the ring of stages full through the copy
// engine; where scales change along K, two warps beside it bring them, a few blocks at a time.
#pragma once

#include "gemm_tile.cuh"
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
      const auto load_a = [&] {
        if constexpr (Tile::kClusterCols > 1) {
          ptx::tma_load_multicast(a, &args.a, k, row + rank_a * kSliceA, full, kAll);
        } else {
          ptx::tma_load(a, &args.a, k, row, full);
        }
      };
      const auto load_b = [&] {
        if constexpr (Tile::kClusterRows > 1) {
          ptx::tma_load_multicast(b, &args.b, k, col + rank_b * kSliceB, full, kAll);
        } else {
          ptx::tma_load(b, &args.b, k, col, full);
        }
      };
      // First what the cluster shares: with B so, 3 to 5 % fewer sectors were read from the L2.
      if constexpr (Tile::kClusterCols > 1) {
        load_a();
        load_b();
      } else {
        load_b();
        load_a();
      }
    }
  }
  // No block goes while another may still signal it that it has read.
  for (int i = 0; i < Tile::kStages; ++i, stage.advance()) {
    wait_empty(shared.empty(stage.at), stage);
  }
}

/// A thread's part of a tile's scales, chunk by chunk on their way through registers: rows of A
/// kScaleThreads apart and the blocks of columns that the tile meets, whose products it puts down.
template <class Tile>
class ScaleStream {
 public:
  struct Chunk {
    float a[kScaleChunk][Tile::kRows / kScaleThreads], b[kScaleChunk][Tile::kScaleSpan];
  };

  __device__ ScaleStream(const GemmArguments& args, int row, int col, int thread)
      : thread_(thread), step_a_(block_step(args.scale_a)), step_b_(block_step(args.scale_b)) {
#pragma unroll
    for (int i = 0; i < kRuns; ++i) {
      of_a_[i] = first_scale(args.scale_a, min(row + kScaleThreads * i + thread, args.m - 1));
    }
#pragma unroll
    for (int span = 0; span < kSpan; ++span) {
      of_b_[span] = first_scale(args.scale_b, min(col / 128 + span, (args.n - 1) / 128));
    }
  }

  /// Asks for the scales of the next blocks, of which there are `count`, perhaps none.
  __device__ void load(Chunk& chunk, int count) {
#pragma unroll
    for (int c = 0; c < kScaleChunk; ++c) {
      if (c >= count) break;
#pragma unroll
      for (int i = 0; i < kRuns; ++i) {
        chunk.a[c][i] = __ldg(of_a_[i]);
        of_a_[i] += step_a_;
      }
#pragma unroll
      for (int span = 0; span < kSpan; ++span) {
        chunk.b[c][span] = __ldg(of_b_[span]);
        of_b_[span] += step_b_;
      }
    }
  }

  __device__ void store(const Chunk& chunk, const GemmShared<Tile>& shared, int slot) const {
#pragma unroll
    for (int c = 0; c < kScaleChunk; ++c) {
      float* to = shared.block_scales(slot, c) + thread_;
#pragma unroll
      for (int span = 0; span < kSpan; ++span) {
#pragma unroll
        for (int i = 0; i < kRuns; ++i) {
          to[span * Tile::kRows + kScaleThreads * i] = chunk.a[c][i] * chunk.b[c][span];
        }
      }
    }
  }

 private:
  static constexpr int kRuns = Tile::kRows / kScaleThreads, kSpan = Tile::kScaleSpan;

  /// Strides are 2^30 at most.
  static __device__ unsigned block_step(const DeviceScales& scales) {
    return scales.data == nullptr ? 0u : static_cast<unsigned>(scales.block_stride);
  }

  int thread_;
  unsigned step_a_, step_b_;
  const float *of_a_[kRuns], *of_b_[kSpan];
};

/// kScaleThreads threads. Chunks wait in registers for their places.
template <class Tile>
__device__ void produce_scales(const GemmArguments& args, const GemmShared<Tile>& shared,
                               int thread) {
  constexpr int kAhead = Tile::kScalesAhead;
  TileWalk<Tile> walk(args);
  RingPlace<Tile::kScaleSlots> slot;
  for (int row, col; walk.next(row, col);) {
    ScaleStream<Tile> stream(args, row, col, thread);
    typename ScaleStream<Tile>::Chunk chunks[kAhead] = {};
#pragma unroll
    for (int i = 0; i < kAhead; ++i) stream.load(chunks[i], args.k_blocks - i * kScaleChunk);
    for (int left = args.k_blocks; left > 0;) {
#pragma unroll
      for (int i = 0; i < kAhead; ++i, left -= kScaleChunk) {
        if (left <= 0) break;
        wait_empty(shared.scales_empty(slot.at), slot);
        stream.store(chunks[i], shared, slot.at);
        ptx::mbarrier_arrive(shared.scales_full(slot.at));
        slot.advance();
        stream.load(chunks[i], left - kAhead * kScaleChunk);
      }
    }
  }
}

}  // namespace binade::cuda

// The GEMM kernel: one warp brings tiles of A and B through the copy engine into a ring of stages,
// one or two warpgroups multiply what has arrived. Blocks stay and walk over D.
//
// The bits come from the order alone: a chain starts from zero (scale-d 0), its k ascends, and its
// result joins the FP32 sum of its place in the order of the chains. Neither the tile nor the ring
// nor the cluster is part of it.
#pragma once

#include "gemm_epilogue.cuh"
#include "gemm_tile.cuh"
#include "ptx/mbarrier.cuh"
#include "ptx/registers.cuh"
#include "ptx/tma.cuh"
#include "ptx/wgmma.cuh"

namespace binade::cuda {

/// The producer, one thread: keeps the ring full.
template <class Tile>
__device__ void produce(const GemmArguments& args, const GemmShared<Tile>& shared) {
  constexpr int kSliceA = Tile::kRows / Tile::kClusterCols;
  constexpr int kSliceB = Tile::kCols / Tile::kClusterRows;
  constexpr auto kAll = static_cast<std::uint16_t>((1 << Tile::kClusterSize) - 1);
  const int rank = static_cast<int>(ptx::cluster_block_rank());
  const int rank_a = Tile::kClusterCols > 1 ? rank : 0, rank_b = Tile::kClusterRows > 1 ? rank : 0;
  TileWalk<Tile> walk(args);
  RingPlace<Tile> at;
  for (int row, col; walk.next(row, col);) {
    for (int block = 0; block < args.k_blocks; ++block, at.advance()) {
      while (!ptx::mbarrier_try_wait(shared.empty(at.stage), at.parity ^ 1)) {
      }
      ptx::Barrier* full = shared.full(at.stage);
      ptx::mbarrier_arrive_expect(full, Tile::kStageBytes);
      unsigned char* a = shared.a(at.stage) + rank_a * kSliceA * kBlockK;
      unsigned char* b = shared.b(at.stage) + rank_b * kSliceB * kBlockK;
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

/// The factors of a promotion, fl(sa * sb), for this thread's two rows; read one block ahead.
template <class Tile>
class PromotionScales {
 public:
  /// Factors of one part of the tile: for the blocks of 128 columns that it meets.
  struct Factors {
    float of[Tile::kScaleSpan][2];
    int edge;  ///< eights of columns before the first change of block

    __device__ float at(int j, int half) const {
      if constexpr (Tile::kScaleSpan == 1) return of[0][half];
      if constexpr (Tile::kScaleSpan == 2) return j < edge ? of[0][half] : of[1][half];
      return j < edge ? of[0][half] : j < edge + 16 ? of[1][half] : of[2][half];
    }
  };

  /// row: of this thread's first number.
  __device__ PromotionScales(const GemmArguments& args, int row, int col)
      : args_(args), scaled_(args.scaling == GemmScaling::kBlock), col_(col) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      a_[half] = args.scale_a.data + min(row + 8 * half, args.m - 1) * args.scale_a.row_stride;
    }
#pragma unroll
    for (auto& part : sb_) {
#pragma unroll
      for (float& scale : part) scale = 1.0f;
    }
    load(0);
  }

  /// The factors of this block; starts to read the next one's.
  __device__ void next(Factors (&factors)[Tile::kParts], int block) {
#pragma unroll
    for (int part = 0; part < Tile::kParts; ++part) {
      Factors& f = factors[part];
      f.edge = 16 - (col_ + part * Tile::kPartCols) % 128 / 8;
#pragma unroll
      for (int span = 0; span < Tile::kScaleSpan; ++span) {
        f.of[span][0] = sa_[0] * sb_[part][span];
        f.of[span][1] = sa_[1] * sb_[part][span];
      }
    }
    if (block + 1 < args_.k_blocks) load(block + 1);
  }

 private:
  __device__ void load(int block) {
    if (!scaled_) return;
    if (args_.scale_a.data != nullptr) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        sa_[half] = __ldg(a_[half] + block * args_.scale_a.block_stride);
      }
    }
    if (args_.scale_b.data == nullptr) return;
    const float* b = args_.scale_b.data + block * args_.scale_b.block_stride;
#pragma unroll
    for (int part = 0; part < Tile::kParts; ++part) {
#pragma unroll
      for (int span = 0; span < Tile::kScaleSpan; ++span) {
        const int at = (col_ + part * Tile::kPartCols) / 128 + span;
        sb_[part][span] = __ldg(b + min(at, (args_.n - 1) / 128) * args_.scale_b.row_stride);
      }
    }
  }

  const GemmArguments& args_;
  const bool scaled_;
  const int col_;
  const float* a_[2];
  float sa_[2] = {1.0f, 1.0f};
  float sb_[Tile::kParts][Tile::kScaleSpan];
};

/// A consumer warpgroup: 64 rows of every tile.
template <class Tile>
class Consumer {
 public:
  __device__ Consumer(const GemmArguments& args, const GemmShared<Tile>& shared, int warpgroup)
      : args_(args),
        shared_(shared),
        warpgroup_(warpgroup),
        warp_(static_cast<int>(threadIdx.x) / 32),
        lane_(static_cast<int>(threadIdx.x) % 32) {}

  __device__ void run() {
    Epilogue<Tile> epilogue(args_, shared_.staging(warp_));
    TileWalk<Tile> walk(args_);
    for (int row, col; walk.next(row, col);) {
      float sums[Tile::kCols / 2];
      const int first_row = row + 16 * warp_;
      if constexpr (Tile::kPromotes) {
        accumulate_promoted(sums, first_row, col);
      } else {
        accumulate(sums);
      }
      epilogue.run(sums, first_row, col);
    }
    epilogue.finish();
  }

 private:
  static constexpr int kSteps = kBlockK / 32;
  static constexpr int kPartRegisters = Tile::kPartCols / 2;
  using Mma = ptx::Wgmma<typename Tile::TA, typename Tile::TB, Tile::kPartCols>;

  __device__ void wait_full() const {
    while (!ptx::mbarrier_try_wait(shared_.full(at_.stage), at_.parity)) {
    }
  }

  /// This warp has read the stage: tells the producers that write to it.
  __device__ void release(int stage) const {
    if constexpr (Tile::kClusterSize == 1) {
      if (lane_ == 0) ptx::mbarrier_arrive(shared_.empty(stage));
    } else if (lane_ < Tile::kClusterSize) {
      ptx::mbarrier_arrive_cluster(ptx::map_to_block(shared_.empty(stage), lane_));
    }
  }

  /// Steps [first, first + count) of the stage, as one group. D counts from the second on, or from
  /// the first where the chain has begun before.
  template <int kCount>
  __device__ void multiply(float (&d)[kPartRegisters], int part, int first, bool begun) const {
    const std::uint64_t a = ptx::tile_descriptor(shared_.a(at_.stage) +
                                                 warpgroup_ * kRowsOfWarpgroup * kBlockK);
    const std::uint64_t b =
        ptx::tile_descriptor(shared_.b(at_.stage) + part * Tile::kPartCols * kBlockK);
    ptx::pin(d);
    ptx::wgmma_fence();
#pragma unroll
    for (int step = 0; step < kCount; ++step) {
      const int k16 = (first + step) * 2;  // 32 bytes a step, in units of 16
      Mma::run(d, a + k16, b + k16, step > 0 || begun);
    }
    ptx::wgmma_commit();
    ptx::pin(d);
  }

  /// One chain over all of K: while a block is multiplied, the one before is released.
  __device__ void accumulate(float (&sums)[Tile::kCols / 2]) {
    int previous = 0;
    for (int block = 0; block < args_.k_blocks; ++block, at_.advance()) {
      wait_full();
      multiply<kSteps>(sums, 0, 0, block > 0);
      ptx::wgmma_wait<1>();
      if (block > 0) release(previous);
      previous = at_.stage;
    }
    ptx::wgmma_wait<0>();
    ptx::pin(sums);
    release(previous);
  }

  /// Chains that join FP32 sums. The tensor cores are kept busy by the other warpgroup meanwhile.
  __device__ void accumulate_promoted(float (&sums)[Tile::kCols / 2], int row, int col) {
    constexpr int kChainSteps = kSteps / Tile::kChains;
    PromotionScales<Tile> scales(args_, row + lane_ / 4, col);
#pragma unroll
    for (float& sum : sums) sum = 0.0f;
    float chain[kPartRegisters];
    int in_chain = 0;
    for (int block = 0; block < args_.k_blocks; ++block, at_.advance()) {
      typename PromotionScales<Tile>::Factors factors[Tile::kParts];
      scales.next(factors, block);
      wait_full();
      const bool ends = ++in_chain == args_.promotion_blocks || block + 1 == args_.k_blocks;
#pragma unroll
      for (int part = 0; part < Tile::kParts; ++part) {
#pragma unroll
        for (int c = 0; c < Tile::kChains; ++c) {
          multiply<kChainSteps>(chain, part, c * kChainSteps, in_chain > 1);
          ptx::wgmma_wait<0>();
          ptx::pin(chain);
          if (part + 1 == Tile::kParts && c + 1 == Tile::kChains) release(at_.stage);
          if (ends) promote(sums + part * kPartRegisters, chain, factors[part]);
        }
      }
      if (ends) in_chain = 0;
    }
  }

  static __device__ void promote(float* sums, const float (&chain)[kPartRegisters],
                                 const typename PromotionScales<Tile>::Factors& factors) {
#pragma unroll
    for (int j = 0; j < kPartRegisters / 4; ++j) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        sums[4 * j + i] = __fmaf_rn(factors.at(j, i / 2), chain[4 * j + i], sums[4 * j + i]);
      }
    }
  }

  const GemmArguments& args_;
  const GemmShared<Tile>& shared_;
  const int warpgroup_, warp_, lane_;
  RingPlace<Tile> at_;
};

template <class Tile>
__global__ void __launch_bounds__(Tile::kThreads, 1)
    gemm_kernel(const __grid_constant__ GemmArguments args) {
  extern __shared__ unsigned char dynamic[];
  const GemmShared<Tile> shared(dynamic);
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < Tile::kStages; ++stage) {
      ptx::mbarrier_init(shared.full(stage), 1);
      ptx::mbarrier_init(shared.empty(stage), 4 * Tile::kConsumers * Tile::kClusterSize);
    }
    ptx::mbarrier_init_fence();
  }
  if constexpr (Tile::kClusterSize > 1) {
    ptx::cluster_arrive();
    ptx::cluster_wait();
  } else {
    __syncthreads();
  }
  // Two consumers of 240 registers a thread leave 24 for each of the producer's.
  constexpr bool kShares = Tile::kConsumers > 1;
  const int warpgroup = static_cast<int>(threadIdx.x) / 128;
  if (warpgroup == Tile::kConsumers) {
    if constexpr (kShares) ptx::registers_give_back_to<24>();
    if (threadIdx.x == Tile::kConsumers * 128) produce(args, shared);
  } else {
    if constexpr (kShares) ptx::registers_take_to<240>();
    Consumer<Tile>(args, shared, warpgroup).run();
  }
  if constexpr (Tile::kClusterSize > 1) {  // no block goes while another may still signal it
    ptx::cluster_arrive();
    ptx::cluster_wait();
  }
}

}  // namespace binade::cuda

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

/// The factors of a promotion, fl(sa * sb), for this thread's two rows and the blocks of 128 columns
/// that the tile meets; read one block ahead.
template <class Tile>
class PromotionScales {
 public:
  /// row: of this thread's first number.
  __device__ PromotionScales(const GemmArguments& args, int row, int col)
      : args_(args), scaled_(args.scaling == GemmScaling::kBlock) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      at_a_[half] = min(row + 8 * half, args.m - 1) * static_cast<int>(args.scale_a.row_stride);
      sa_[half] = 1.0f;
    }
#pragma unroll
    for (int span = 0; span < Tile::kScaleSpan; ++span) {
      at_b_[span] = min(col / 128 + span, (args.n - 1) / 128) *
                    static_cast<int>(args.scale_b.row_stride);
      sb_[span] = 1.0f;
    }
    if (scaled_) load();
  }

  /// Takes the factors of a block, and starts to read the next one's.
  __device__ void next(bool last) {
#pragma unroll
    for (int span = 0; span < Tile::kScaleSpan; ++span) {
      factors_[span][0] = sa_[0] * sb_[span];
      factors_[span][1] = sa_[1] * sb_[span];
    }
    if (scaled_ && !last) load();
  }

  /// Of a thread's row (0, 1) and a block that the tile meets.
  __device__ float factor(int half, int span) const { return factors_[span][half]; }

 private:
  __device__ void load() {
    if (args_.scale_a.data != nullptr) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        sa_[half] = __ldg(args_.scale_a.data + at_a_[half]);
        at_a_[half] += static_cast<int>(args_.scale_a.block_stride);
      }
    }
    if (args_.scale_b.data == nullptr) return;
#pragma unroll
    for (int span = 0; span < Tile::kScaleSpan; ++span) {
      sb_[span] = __ldg(args_.scale_b.data + at_b_[span]);
      at_b_[span] += static_cast<int>(args_.scale_b.block_stride);
    }
  }

  const GemmArguments& args_;
  const bool scaled_;
  int at_a_[2], at_b_[Tile::kScaleSpan];
  float sa_[2], sb_[Tile::kScaleSpan];
  float factors_[Tile::kScaleSpan][2];
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
      Sums sums;
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
  using Sums = float[Tile::kCols / 2];
  using Chain = float[kPartRegisters];

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

  /// One step of 32 products of the stage; D counts where `accumulates`.
  __device__ void multiply(Chain& d, int part, int step, bool accumulates) const {
    const std::uint64_t a = ptx::tile_descriptor(shared_.a(at_.stage) +
                                                 warpgroup_ * kRowsOfWarpgroup * kBlockK);
    const std::uint64_t b =
        ptx::tile_descriptor(shared_.b(at_.stage) + part * Tile::kPartCols * kBlockK);
    Mma::run(d, a + 2 * step, b + 2 * step, accumulates);  // 32 bytes a step, in units of 16
  }

  /// One chain over all of K: while a block is multiplied, the one before is released.
  __device__ void accumulate(Sums& sums) {
    int previous = 0;
    for (int block = 0; block < args_.k_blocks; ++block, at_.advance()) {
      wait_full();
      issue(sums, 0, 0, block > 0);
      ptx::wgmma_wait<1>();
      if (block > 0) release(previous);
      previous = at_.stage;
    }
    ptx::wgmma_wait<0>();
    ptx::pin(sums);
    release(previous);
  }

  /// Chains that join FP32 sums.
  __device__ void accumulate_promoted(Sums& sums, int row, int col) {
    PromotionScales<Tile> scales(args_, row + lane_ / 4, col);
#pragma unroll
    for (float& sum : sums) sum = 0.0f;
    Chain chains[Tile::kParts];
    int block = 0, in_chain = 0;
    if constexpr (Tile::kBlocksAtOnce > 1) {
      for (; block + Tile::kBlocksAtOnce <= args_.k_blocks; block += Tile::kBlocksAtOnce) {
        run_blocks<Tile::kBlocksAtOnce>(sums, chains, scales, col, in_chain, block);
      }
    }
    for (; block < args_.k_blocks; ++block) {
      run_blocks<1>(sums, chains, scales, col, in_chain, block);
    }
  }

  /// kBlocks blocks of K from `block` on; in_chain of them since the last promotion. Where there are
  /// two parts, each is promoted while the next is multiplied; with one, only the other warpgroup
  /// keeps the tensor cores busy meanwhile.
  template <int kBlocks>
  __device__ void run_blocks(Sums& sums, Chain (&chains)[Tile::kParts],
                             PromotionScales<Tile>& scales, int col, int& in_chain, int block) {
    constexpr int kPerBlock = Tile::kChains * Tile::kParts, kAll = kBlocks * kPerBlock;
    constexpr int kLast = Tile::kParts - 1;
    bool ends = false;  // whether the chain ends with its block
#pragma unroll
    for (int i = 0; i < kAll; ++i) {
      const int part = i % Tile::kParts, place = i % kPerBlock, now = block + i / kPerBlock;
      const int previous = at_.stage;
      const bool ended = ends;
      if (place == 0) {
        if (i > 0) at_.advance();
        wait_full();
        in_chain = ended ? 1 : in_chain + 1;
        ends = in_chain == args_.promotion_blocks || now + 1 == args_.k_blocks;
      }
      issue(chains[part], part, place / Tile::kParts, in_chain > 1);
      if (place == 0 && i > 0) {
        finish<1>(sums, chains[kLast], kLast, ended, scales, col);
        release(previous);
      }
      if (place == 0) scales.next(now + 1 == args_.k_blocks);
      if constexpr (Tile::kParts == 1) {
        if (i + 1 < kAll) finish<0>(sums, chains[0], 0, ends, scales, col);
      } else if (place > 0) {
        const int before = (i - 1) % Tile::kParts;
        finish<1>(sums, chains[before], before, ends, scales, col);
      }
    }
    finish<0>(sums, chains[kLast], kLast, ends, scales, col);
    release(at_.stage);
    at_.advance();
    if (ends) in_chain = 0;
  }

  /// Waits for all but kPending multiplications, and promotes what a chain has come to if it ends.
  template <int kPending>
  static __device__ void finish(Sums& sums, Chain& chain, int part, bool ends,
                                const PromotionScales<Tile>& scales, int col) {
    ptx::wgmma_wait<kPending>();
    ptx::pin(chain);
    if (ends) promote(sums, chain, part, scales, col);
  }

  /// The c-th chain of a part of this stage, or what the stage adds to one that has begun.
  __device__ void issue(Chain& chain, int part, int c, bool begun) const {
    constexpr int kCount = Tile::kPromotes ? kSteps / Tile::kChains : kSteps;
    ptx::pin(chain);
    ptx::wgmma_fence();
#pragma unroll
    for (int step = 0; step < kCount; ++step) {
      multiply(chain, part, c * kCount + step, step > 0 || begun);
    }
    ptx::wgmma_commit();
    ptx::pin(chain);
  }

  static __device__ void promote(Sums& sums, const Chain& chain, int part,
                                 const PromotionScales<Tile>& scales, int col) {
    if constexpr (Tile::kColumnStep == 128 || Tile::kScaleSpan == 1) {
      promote_from(sums, chain, part, scales, 0);
    } else if constexpr (Tile::kColumnStep == 64) {  // the compiler sees both places that there are
      if (col % 128 == 0) {
        promote_from(sums, chain, part, scales, 0);
      } else {
        promote_from(sums, chain, part, scales, 8);
      }
    } else {
      promote_from(sums, chain, part, scales, col % 128 / 8);
    }
  }

  /// begin: where the tile begins in its block of 128 columns, in eights.
  static __device__ __forceinline__ void promote_from(Sums& sums, const Chain& chain, int part,
                                                      const PromotionScales<Tile>& scales,
                                                      int begin) {
    constexpr int kGroups = Tile::kPartCols / 8;
#pragma unroll
    for (int j = 0; j < kGroups; ++j) {
      const bool first = Tile::kScaleSpan == 1 || begin + part * kGroups + j < 16;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float factor = first ? scales.factor(i / 2, 0)
                                   : scales.factor(i / 2, Tile::kScaleSpan - 1);
        float& sum = sums[part * kPartRegisters + 4 * j + i];
        sum = __fmaf_rn(factor, chain[4 * j + i], sum);
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

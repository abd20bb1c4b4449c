// The GEMM kernel: one warp brings tiles of A and B through the copy engine into a ring of stages,
// one to three warpgroups multiply what has arrived. Blocks stay and walk over D.
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
    at.start_tile();
    for (int block = 0; block < args.k_blocks; ++block, at.advance()) {
      while (
          !ptx::mbarrier_try_wait(ptx::shared_address(shared.empty(at.stage)), at.parity() ^ 1)) {
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

/// What a scale that is not there is read from.
__device__ constexpr float kOne = 1.0f;

/// The factors of a promotion, fl(sa * sb), for this thread's two rows and the blocks of 128
/// columns that the tile meets; read one block ahead.
template <class Tile>
class PromotionScales {
 public:
  /// row: of this thread's first number.
  __device__ PromotionScales(const GemmArguments& args, int row, int col)
      : scaled_(args.scaling == GemmScaling::kBlock),
        step_a_(args.scale_a.data == nullptr ? 0 : static_cast<int>(args.scale_a.block_stride)),
        step_b_(args.scale_b.data == nullptr ? 0 : static_cast<int>(args.scale_b.block_stride)) {
    ptx::keep(scaled_);
    ptx::keep(step_a_);
    ptx::keep(step_b_);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      at_a_[half] = place(args.scale_a, min(row + 8 * half, args.m - 1));
    }
#pragma unroll
    for (int span = 0; span < Tile::kScaleSpan; ++span) {
      at_b_[span] = place(args.scale_b, min(col / 128 + span, (args.n - 1) / 128));
    }
    if (scaled_) load();
  }

  __device__ bool scaled() const { return scaled_; }

  /// Takes the factors of a block, and starts to read the next one's.
  __device__ void next(bool last) {
    if (!scaled_) return;
#pragma unroll
    for (int span = 0; span < Tile::kScaleSpan; ++span) {
      factors_[span][0] = sa_[0] * sb_[span];
      factors_[span][1] = sa_[1] * sb_[span];
    }
#pragma unroll
    for (const float*& at : at_a_) at += last ? 0 : step_a_;
#pragma unroll
    for (const float*& at : at_b_) at += last ? 0 : step_b_;
    load();
  }

  /// Of a thread's row (0, 1) and a block that the tile meets.
  __device__ float factor(int half, int span) const { return factors_[span][half]; }

 private:
  static __device__ const float* place(const DeviceScales& scales, int row) {
    return scales.data == nullptr ? &kOne : scales.data + row * scales.row_stride;
  }
  __device__ void load() {
#pragma unroll
    for (int half = 0; half < 2; ++half) sa_[half] = __ldg(at_a_[half]);
#pragma unroll
    for (int span = 0; span < Tile::kScaleSpan; ++span) sb_[span] = __ldg(at_b_[span]);
  }

  int scaled_, step_a_, step_b_;
  const float *at_a_[2], *at_b_[Tile::kScaleSpan];
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
        warp_(static_cast<int>(threadIdx.x) / 32),
        lane_(static_cast<int>(threadIdx.x) % 32),
        a_(ptx::tile_address(shared.a(0)) + warpgroup * kRowBlock),
        b_(ptx::tile_address(shared.b(0))),
        full_(ptx::shared_address(shared.full(0))),
        empty_(ptx::map_to_block(shared.empty(0), lane_ % Tile::kClusterSize)) {}

  __device__ void run() {
    Epilogue<Tile> epilogue(args_, shared_.staging(warp_));
    TileWalk<Tile> walk(args_);
    for (int row, col; walk.next(row, col);) {
      Sums sums;
      const int first_row = row + 16 * warp_;
      at_.start_tile();
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
  static constexpr int kRowBlock = kRowsOfWarpgroup * kBlockK / 16;  ///< of A, as tile_address
  static constexpr int kPartRegisters = Tile::kPartCols / 2;
  using Mma = ptx::Wgmma<typename Tile::TA, typename Tile::TB, Tile::kPartCols>;
  using Sums = float[Tile::kCols / 2];
  using Chain = float[kPartRegisters];

  /// ahead: of the ring's place, here and below.
  __device__ void wait_full(int ahead) const {
    const std::uint32_t barrier = full_ + (at_.stage + ahead) * sizeof(ptx::Barrier);
    while (!ptx::mbarrier_try_wait(barrier, at_.parity(ahead))) {
    }
  }

  /// This warp has read the stage: tells the producers that write to it.
  __device__ void release(int stage) const {
    if (lane_ < Tile::kClusterSize) {
      ptx::mbarrier_arrive_cluster(empty_ + stage * sizeof(ptx::Barrier));
    }
  }

  /// The c-th chain of a part of a stage, or what the stage adds to one that has begun.
  __device__ void issue(Chain& chain, int ahead, int part, int c, bool begun) const {
    constexpr int kCount = Tile::kPromotes ? kSteps / Tile::kChains : kSteps;
    const std::uint32_t stage = (at_.stage + ahead) * (Tile::kStageBytes / 16);
    ptx::pin(chain);
    ptx::wgmma_fence();
#pragma unroll
    for (int step = 0; step < kCount; ++step) {
      const std::uint32_t k = (c * kCount + step) * 2;  // 32 bytes a step
      Mma::run(chain, ptx::tile_descriptor(a_ + stage + k),
               ptx::tile_descriptor(b_ + stage + part * (Tile::kPartCols * kBlockK / 16) + k),
               step > 0 || begun);
    }
    ptx::wgmma_commit();
    ptx::pin(chain);
  }

  /// One chain over all of K: while a block is multiplied, the one before is released.
  __device__ void accumulate(Sums& sums) {
    int previous = 0;
    for (int block = 0; block < args_.k_blocks; ++block, at_.advance()) {
      wait_full(0);
#pragma unroll
      for (int part = 0; part < Tile::kParts; ++part) {
        issue(part_of(sums, part), 0, part, 0, block > 0);
      }
      ptx::wgmma_wait<Tile::kParts>();
      if (block > 0) release(previous);
      previous = at_.stage;
    }
    ptx::wgmma_wait<0>();
    ptx::pin(sums);
    release(previous);
  }
  static __device__ Chain& part_of(Sums& sums, int part) {
    return *reinterpret_cast<Chain*>(sums + part * kPartRegisters);
  }

  /// Chains that join FP32 sums.
  __device__ void accumulate_promoted(Sums& sums, int row, int col) {
    PromotionScales<Tile> scales(args_, row + lane_ / 4, col);
#pragma unroll
    for (float& sum : sums) sum = 0.0f;
    Chain chains[Tile::kAccumulators];
    int block = 0, in_chain = 0, interval = args_.promotion_blocks;
    ptx::keep(interval);
    for (; block + kBlocksAtOnce <= args_.k_blocks; block += kBlocksAtOnce) {
      run_blocks<kBlocksAtOnce>(sums, chains, scales, col, interval, in_chain, block);
    }
    for (; block < args_.k_blocks; ++block) {
      run_blocks<1>(sums, chains, scales, col, interval, in_chain, block);
    }
  }

  /// kBlocks blocks of K from `block` on; in_chain of them since the last promotion. With two
  /// accumulators each multiplication but the last is on its way while the one before is promoted.
  template <int kBlocks>
  __device__ void run_blocks(Sums& sums, Chain (&chains)[Tile::kAccumulators],
                             PromotionScales<Tile>& scales, int col, int interval, int& in_chain,
                             int block) {
    constexpr int kPerBlock = Tile::kChains * Tile::kParts, kAll = kBlocks * kPerBlock;
    constexpr int kLag = Tile::kAccumulators - 1;  // multiplications on their way
    bool ends = false;                             // whether the chain ends with its block
#pragma unroll
    for (int i = 0; i < kAll; ++i) {
      const int ahead = i / kPerBlock, place = i % kPerBlock;
      const bool last = block + ahead + 1 == args_.k_blocks, ended = ends;
      if (place == 0) {
        wait_full(ahead);
        in_chain = ended ? 1 : in_chain + 1;
        ends = in_chain == interval || last;
      }
      if (kLag == 0 && place == 0) scales.next(last);
      issue(chains[i % Tile::kAccumulators], ahead, i % Tile::kParts, place / Tile::kParts,
            in_chain > 1);
      if (i < kLag) {
        scales.next(last);
        continue;
      }
      const int done = i - kLag;
      finish<kLag>(sums, chains[done % Tile::kAccumulators], done % Tile::kParts,
                   place < kLag ? ended : ends, scales, col);
      if (done % kPerBlock + 1 == kPerBlock) release(at_.stage + done / kPerBlock);
      if (kLag > 0 && place == 0) scales.next(last);
    }
    if constexpr (kLag > 0) {
      finish<0>(sums, chains[(kAll - 1) % Tile::kAccumulators], (kAll - 1) % Tile::kParts, ends,
                scales, col);
      release(at_.stage + kBlocks - 1);
    }
    at_.advance(kBlocks);
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

  static __device__ void promote(Sums& sums, const Chain& chain, int part,
                                 const PromotionScales<Tile>& scales, int col) {
    if (!scales.scaled()) {
#pragma unroll
      for (int i = 0; i < kPartRegisters; ++i) sums[part * kPartRegisters + i] += chain[i];
    } else if constexpr (Tile::kColumnStep == 128 || Tile::kScaleSpan == 1) {
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
        const float factor =
            first ? scales.factor(i / 2, 0) : scales.factor(i / 2, Tile::kScaleSpan - 1);
        float& sum = sums[part * kPartRegisters + 4 * j + i];
        sum = __fmaf_rn(factor, chain[4 * j + i], sum);
      }
    }
  }

  const GemmArguments& args_;
  const GemmShared<Tile>& shared_;
  const int warp_, lane_;
  const std::uint32_t a_, b_;         ///< of stage 0, as tile_address
  const std::uint32_t full_, empty_;  ///< its barriers; `empty` of this lane's block of the cluster
  RingPlace<Tile> at_;
};

template <class Tile>
__global__ void __launch_bounds__(Tile::kThreads, 1)
    gemm_kernel(const __grid_constant__ GemmArguments args) {
  extern __shared__ __align__(1024) unsigned char dynamic[];
  const GemmShared<Tile> shared{dynamic};
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
  // All registers: 512 a thread of each warpgroup's four warps on one multiprocessor.
  constexpr bool kShares = Tile::kConsumers > 1;
  constexpr int kOfProducer = Tile::kConsumers == 3 ? 32 : 24;
  constexpr int kOfConsumer = (512 - kOfProducer) / Tile::kConsumers / 8 * 8;
  const int warpgroup = __shfl_sync(~0u, static_cast<int>(threadIdx.x) / 128, 0);
  if (warpgroup == Tile::kConsumers) {
    if constexpr (kShares) ptx::registers_give_back_to<kOfProducer>();
    if (threadIdx.x == Tile::kConsumers * 128) produce(args, shared);
  } else {
    if constexpr (kShares) ptx::registers_take_to<kOfConsumer>();
    Consumer<Tile>(args, shared, warpgroup).run();
  }
  if constexpr (Tile::kClusterSize > 1) {  // no block goes while another may still signal it
    ptx::cluster_arrive();
    ptx::cluster_wait();
  }
}

}  // namespace binade::cuda

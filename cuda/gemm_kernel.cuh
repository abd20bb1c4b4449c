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
  };

  /// row: of this thread's first number.
  __device__ PromotionScales(const GemmArguments& args, int row, int col)
      : args_(args), scaled_(args.scaling == GemmScaling::kBlock) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      at_a_[half] = min(row + 8 * half, args.m - 1) * static_cast<int>(args.scale_a.row_stride);
      sa_[half] = 1.0f;
    }
#pragma unroll
    for (int part = 0; part < Tile::kParts; ++part) {
#pragma unroll
      for (int span = 0; span < Tile::kScaleSpan; ++span) {
        const int block = (col + part * Tile::kPartCols) / 128 + span;
        at_b_[part][span] =
            min(block, (args.n - 1) / 128) * static_cast<int>(args.scale_b.row_stride);
        sb_[part][span] = 1.0f;
      }
    }
    if (scaled_) load();
  }

  /// The factors of this block; starts to read the next one's.
  __device__ void next(Factors (&factors)[Tile::kParts], bool last) {
#pragma unroll
    for (int part = 0; part < Tile::kParts; ++part) {
#pragma unroll
      for (int span = 0; span < Tile::kScaleSpan; ++span) {
        factors[part].of[span][0] = sa_[0] * sb_[part][span];
        factors[part].of[span][1] = sa_[1] * sb_[part][span];
      }
    }
    if (scaled_ && !last) load();
  }

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
    for (int part = 0; part < Tile::kParts; ++part) {
#pragma unroll
      for (int span = 0; span < Tile::kScaleSpan; ++span) {
        sb_[part][span] = __ldg(args_.scale_b.data + at_b_[part][span]);
        at_b_[part][span] += static_cast<int>(args_.scale_b.block_stride);
      }
    }
  }

  const GemmArguments& args_;
  const bool scaled_;
  int at_a_[2], at_b_[Tile::kParts][Tile::kScaleSpan];
  float sa_[2], sb_[Tile::kParts][Tile::kScaleSpan];
};

/// The turns of two consumers at the tensor cores: while one multiplies a chain, the other promotes
/// its own. The first is kLead chains ahead, so that it ends a tile, and stores it, while the other
/// still multiplies; those chains have no turns.
template <class Tile>
class Turns {
 public:
  __device__ Turns(int warpgroup, int chains) : second_(warpgroup == 1), chains_(chains) {}

  __device__ void wait() const {
    if constexpr (kTaken) {
      ptx::barrier_sync(second_ ? 2 : 1, 256, second_ ? at_ < chains_ - kLead : at_ > kLead);
    }
  }
  /// To be called when the chain is almost done.
  __device__ void pass() {
    if constexpr (kTaken) {
      ptx::barrier_arrive(second_ ? 1 : 2, 256, second_ ? at_ < chains_ - 1 - kLead : at_ >= kLead);
      ++at_;
    }
  }

 private:
  static constexpr bool kTaken = Tile::kConsumers == 2 && Tile::kLead >= 0;
  static constexpr int kLead = Tile::kParts * Tile::kChains * Tile::kLead;
  const bool second_;
  const int chains_;
  int at_ = 0;
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

  /// One step of 32 products of the stage; D counts where `accumulates`.
  __device__ void multiply(float (&d)[kPartRegisters], int part, int step, bool accumulates) const {
    const std::uint64_t a = ptx::tile_descriptor(shared_.a(at_.stage) +
                                                 warpgroup_ * kRowsOfWarpgroup * kBlockK);
    const std::uint64_t b =
        ptx::tile_descriptor(shared_.b(at_.stage) + part * Tile::kPartCols * kBlockK);
    Mma::run(d, a + 2 * step, b + 2 * step, accumulates);  // 32 bytes a step, in units of 16
  }

  using Sums = float[Tile::kCols / 2];
  using Chain = float[kPartRegisters];
  static __device__ Chain& part_of(Sums& sums, int part) {
    return *reinterpret_cast<Chain*>(sums + part * kPartRegisters);
  }

  /// One chain over all of K: while a block is multiplied, the one before is released.
  __device__ void accumulate(Sums& sums) {
    int previous = 0;
    for (int block = 0; block < args_.k_blocks; ++block, at_.advance()) {
      wait_full();
      if constexpr (Tile::kLead > 0 && Tile::kConsumers == 2) {
        ptx::barrier_sync(1, 256, warpgroup_ == 1 && block < args_.k_blocks - Tile::kLead);
      }
      ptx::pin(sums);
      ptx::wgmma_fence();
#pragma unroll
      for (int part = 0; part < Tile::kParts; ++part) {
#pragma unroll
        for (int step = 0; step < kSteps; ++step) {
          multiply(part_of(sums, part), part, step, step > 0 || block > 0);
        }
      }
      ptx::wgmma_commit();
      ptx::pin(sums);
      if constexpr (Tile::kLead > 0 && Tile::kConsumers == 2) {
        ptx::barrier_arrive(1, 256, warpgroup_ == 0 && block >= Tile::kLead);
      }
      ptx::wgmma_wait<1>();
      if (block > 0) release(previous);
      previous = at_.stage;
    }
    ptx::wgmma_wait<0>();
    ptx::pin(sums);
    release(previous);
  }

  /// Chains that join FP32 sums.
  __device__ void accumulate_promoted(float (&sums)[Tile::kCols / 2], int row, int col) {
    PromotionScales<Tile> scales(args_, row + lane_ / 4, col);
    Turns<Tile> turns(warpgroup_, args_.k_blocks * Tile::kParts * Tile::kChains);
#pragma unroll
    for (float& sum : sums) sum = 0.0f;
    float chain[kPartRegisters];
    int in_chain = 0;
    for (int block = 0; block < args_.k_blocks; ++block, at_.advance()) {
      const bool last = block + 1 == args_.k_blocks;
      typename PromotionScales<Tile>::Factors factors[Tile::kParts];
      scales.next(factors, last);
      wait_full();
      const bool ends = ++in_chain == args_.promotion_blocks || last;
#pragma unroll
      for (int part = 0; part < Tile::kParts; ++part) {
#pragma unroll
        for (int c = 0; c < Tile::kChains; ++c) {
          run_chain(chain, part, c, in_chain > 1, turns);
          if (part + 1 == Tile::kParts && c + 1 == Tile::kChains) release(at_.stage);
          if (ends) promote(sums + part * kPartRegisters, chain, factors[part], col);
        }
      }
      if (ends) in_chain = 0;
    }
  }

  /// The c-th chain of a part of this stage, or what the stage adds to one that has begun. The turn
  /// passes on before the last step, so that the tensor cores do not wait for it.
  __device__ void run_chain(float (&chain)[kPartRegisters], int part, int c, bool begun,
                            Turns<Tile>& turns) const {
    constexpr int kCount = kSteps / Tile::kChains;
    turns.wait();
    ptx::pin(chain);
    ptx::wgmma_fence();
#pragma unroll
    for (int step = 0; step < kCount; ++step) {
      if (step > 0 && step == kCount - 1) ptx::wgmma_commit();
      multiply(chain, part, c * kCount + step, step > 0 || begun);
    }
    ptx::wgmma_commit();
    ptx::pin(chain);
    if constexpr (kCount > 1) ptx::wgmma_wait<1>();
    turns.pass();
    ptx::wgmma_wait<0>();
    ptx::pin(chain);
  }

  static __device__ void promote(float* sums, const float (&chain)[kPartRegisters],
                                 const typename PromotionScales<Tile>::Factors& factors, int col) {
    if constexpr (Tile::kScaleSpan == 1) {
      promote_from<16>(sums, chain, factors);
    } else if constexpr (Tile::kPartCols % 64 == 0) {  // tiles begin at multiples of 64
      if (col % 128 == 0) {
        promote_from<16>(sums, chain, factors);
      } else {
        promote_from<8>(sums, chain, factors);
      }
    } else {
      promote_at(sums, chain, factors, 16 - col % 128 / 8);
    }
  }

  /// kEdge: eights of columns before the first change of a block of 128; the same at run time.
  template <int kEdge>
  static __device__ void promote_from(float* sums, const float (&chain)[kPartRegisters],
                                      const typename PromotionScales<Tile>::Factors& factors) {
    promote_at(sums, chain, factors, kEdge);
  }
  static __device__ __forceinline__ void promote_at(
      float* sums, const float (&chain)[kPartRegisters],
      const typename PromotionScales<Tile>::Factors& factors, int edge) {
#pragma unroll
    for (int j = 0; j < kPartRegisters / 4; ++j) {
      const int span = Tile::kScaleSpan == 1 || j < edge ? 0 : 1;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float factor = span == 0 ? factors.of[0][i / 2]
                                       : factors.of[Tile::kScaleSpan - 1][i / 2];
        sums[4 * j + i] = __fmaf_rn(factor, chain[4 * j + i], sums[4 * j + i]);
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

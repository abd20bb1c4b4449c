// The GEMM kernel: one warp brings tiles of A and B through the copy engine into a ring of stages
// (gemm_producer.cuh), one or two warpgroups multiply what has arrived. Blocks stay and walk over
// D.
//
// Warpgroups' chains are multiplied whole, in the order in which they were sent: measured with two
// of 352 cycles each, the second is done 355 after the first, however soon it was sent. So tensor
// cores idle only while both write a tile, or where one takes longer to promote and to send again
// than the other's chain lasts: beside a multiplication an addition takes two cycles. Hence halves
// of the columns, and a tile's first chains on their way while the tile before is written; under
// scales that change along K tiles are faster without.
//
// The bits come from the order alone: a chain starts from zero (scale-d 0), its k ascends, and its
// result joins the FP32 sum of its place in the order of the chains. Neither the tile nor the ring
// nor the cluster is part of it.
#pragma once

#include <utility>

#include "gemm_epilogue.cuh"
#include "gemm_producer.cuh"
#include "ptx/grid.cuh"
#include "ptx/registers.cuh"
#include "ptx/wgmma.cuh"

namespace binade::cuda {

/// The factors of a promotion, fl(sa * sb), for this thread's two rows and the blocks of 128
/// columns that the tile meets.
template <class Tile>
class PromotionScales {
 public:
  /// row: of this thread's first number, in the tile.
  __device__ PromotionScales(const GemmArguments& args, const GemmShared<Tile>& shared, int row)
      : scaled_(Tile::kTakesBlockScales && args.scaling == GemmScaling::kBlock),
        row_(row),
        shared_(shared) {
    ptx::keep(scaled_);
  }

  __device__ bool scaled() const { return Tile::kTakesBlockScales && scaled_; }

  /// Sends for the factors of a block: of each in ascending order, by whole warps.
  __device__ void fetch(int block) {
    if (!scaled()) return;
    const int in_chunk = block % kScaleChunk;
    if (in_chunk == 0) {
      ptx::mbarrier_wait(ptx::shared_address(shared_.scales_full(slot_.at)), slot_.parity);
    }
    const float* scales = shared_.block_scales(slot_.at, in_chunk) + row_;
#pragma unroll
    for (int span = 0; span < Tile::kScaleSpan; ++span) {
      fetched_[span][0] = scales[span * Tile::kRows];
      fetched_[span][1] = scales[span * Tile::kRows + 8];
    }
    if (in_chunk == kScaleChunk - 1) release();
  }

  /// What was fetched is what `factor` gives from now on.
  __device__ void take() {
#pragma unroll
    for (int span = 0; span < Tile::kScaleSpan; ++span) {
      factors_[span][0] = fetched_[span][0];
      factors_[span][1] = fetched_[span][1];
    }
  }

  /// After a tile's last block: the next tile begins with a chunk of its own.
  __device__ void end_tile(int blocks) {
    if (scaled() && blocks % kScaleChunk != 0) release();
  }

  /// Of a thread's row (0, 1) and a block that the tile meets.
  __device__ float factor(int half, int span) const { return factors_[span][half]; }

 private:
  /// Each lane for what it has read itself: one for its warp after __syncwarp would do, but
  /// compute-sanitizer's racecheck does not follow that.
  __device__ void release() {
    ptx::mbarrier_arrive(shared_.scales_empty(slot_.at));
    slot_.advance();
  }

  int scaled_, row_;
  const GemmShared<Tile>& shared_;
  RingPlace<Tile::kScaleSlots> slot_;
  float fetched_[Tile::kScaleSpan][2], factors_[Tile::kScaleSpan][2];
};

/// A consumer warpgroup: 64 rows of the block's tile, or every second tile.
template <class Tile>
class Consumer {
 public:
  __device__ Consumer(const GemmArguments& args, const GemmShared<Tile>& shared, int warpgroup)
      : args_(args),
        shared_(shared),
        warpgroup_(warpgroup),
        warp_(static_cast<int>(threadIdx.x) / 32),
        lane_(static_cast<int>(threadIdx.x) % 32),
        a_(ptx::tile_address(shared.a(0)) + (Tile::kOwnTiles ? 0 : warpgroup * kRowBlock)),
        b_(ptx::tile_address(shared.b(0))),
        full_(ptx::shared_address(shared.full(0))),
        empty_(ptx::map_to_block(shared.empty(0), lane_ % Tile::kClusterSize)),
        epilogue_(args, shared, warpgroup) {}

  __device__ void run() {
    TileWalk<Tile> walk(args_);
    if constexpr (Tile::kRunsAhead) {
      int row = 0, col = 0;
      bool more = walk.next(row, col);
      if (!walk.narrow()) more = run_ahead<Tile::kCols>(walk, row, col);
      if constexpr (Tile::kNarrows) {
        if (more) run_ahead<Tile::kNarrowCols>(walk, row, col);
      }
    } else {
      run_apart(walk);
    }
    epilogue_.finish();
  }

 private:
  static constexpr int kSteps = kBlockK / 32;
  /// By how many blocks of K the last tile's second rows come after its first, while these are
  /// written: for about as long.
  static constexpr int kStagger = 3;
  static_assert(kStagger < Tile::kStages, "the stage before them is released after them");
  static constexpr int kRowBlock = kRowsOfWarpgroup * kBlockK / 16;  ///< of A, as tile_address
  using Sums = float[Tile::kCols / 2];                               ///< of 64 rows of a whole tile
  template <int kSums>
  using Chains = float[Tile::kColParts][kSums / Tile::kColParts];

  /// One tile after the other.
  __device__ void run_apart(TileWalk<Tile>& walk) {
    PromotionScales<Tile> scales(args_, shared_, scale_row());
    int tile = 0;
    if (warpgroup_ == Tile::kConsumers - 1) pass_turn();
    for (int row, col; walk.next(row, col); ++tile) {
      if (Tile::kOwnTiles && tile % Tile::kConsumers != warpgroup_) {
        stage_.skip(args_.k_blocks);
        continue;
      }
      epilogue_.send_for_scales(row + group_row(), col);
      if (walk.narrow()) {
        run_tile<Tile::kNarrowCols>(walk, scales, row, col);
      } else {
        run_tile<Tile::kCols>(walk, scales, row, col);
      }
    }
    // The turn that was passed last, so that no barrier is left half full.
    if (tile % Tile::kConsumers == warpgroup_) await_turn();
  }

  template <int kCols>
  __device__ __forceinline__ void run_tile(const TileWalk<Tile>& walk,
                                           PromotionScales<Tile>& scales, int row, int col) {
    float sums[Tile::kRowParts][kCols / 2];
    bool staggered = false;  // the second rows are still multiplied when the first are done
    if constexpr (Tile::kOverlap == Overlap::kTurns) {
      accumulate_in_turns(sums[0], scales, col);
    } else if constexpr (Tile::kPromotes) {
      accumulate_one_by_one(sums[0], scales, col);
    } else {
      staggered = Tile::kRowParts > 1 && walk.ended() && args_.k_blocks > kStagger;
      accumulate(sums, staggered);
    }
    epilogue_.await_scales();
    const bool at_end = walk.ended() && owns_stages();
    write(sums[0], row, col, 0, at_end);
    if constexpr (Tile::kRowParts > 1) {
      await_second_rows(sums[1], staggered);
      write(sums[1], row, col, 1, at_end);
    }
  }

  /// The tiles of one width from that at (row, col) on: a tile's first chains are multiplied while
  /// the tile before is written. Returns whether one of another width follows, and where.
  template <int kCols>
  __device__ bool run_ahead(TileWalk<Tile>& walk, int& row, int& col) {
    float sums[kCols / 2];
    Chains<kCols / 2> chains;
    const bool narrow = walk.narrow();
    bool more = true;
    begin(chains, false, false);
    for (bool follows = true; follows;) {
      epilogue_.send_for_scales(row + group_row(), col);
      accumulate_ahead(sums, chains);
      const int done_row = row, done_col = col;
      more = walk.next(row, col);
      follows = more && walk.narrow() == narrow;
      // What no tile follows is multiplied for nothing, even while boxes of D are put where it
      // reads: under a branch ptxas would wait for it here.
      begin(chains, !follows, false);
      epilogue_.await_scales();
      write(sums, done_row, done_col, 0, !more);
    }
    ptx::wgmma_wait<0>();
    return more;
  }

  __device__ int group_row() const { return Tile::kOwnTiles ? 0 : warpgroup_ * kRowsOfWarpgroup; }
  __device__ int warp_row() const { return 16 * (warp_ % 4); }  // of the warpgroup's
  __device__ int scale_row() const { return group_row() + warp_row() + lane_ / 4; }

  template <int kSums>
  __device__ __forceinline__ void write(float (&sums)[kSums], int row, int col, int part,
                                        bool at_end) {
    const int in_group = part * kRowsOfWarpgroup + warp_row();
    epilogue_.run(sums, row + group_row() + in_group, col, in_group, at_end);
  }

  /// Whether in no stage another warpgroup has yet to read these rows of A, after the last tile:
  /// shared tiles have rows for each, others must have filled every stage.
  __device__ bool owns_stages() const {
    return !Tile::kOwnTiles || args_.k_blocks >= Tile::kStages;
  }

  /// Whether the stage has been filled: asked early, answered while something else is done.
  __device__ bool is_full() const {
    return ptx::mbarrier_try_wait(full_ + stage_.at * sizeof(ptx::Barrier), stage_.parity);
  }
  __device__ void wait_full(bool known = false) const {
    if (!known) ptx::mbarrier_wait(full_ + stage_.at * sizeof(ptx::Barrier), stage_.parity);
  }

  /// This warp has read the stage: tells the producers that write to it.
  __device__ void release(int stage) const {
    if (lane_ < Tile::kClusterSize) {
      ptx::mbarrier_arrive_cluster(empty_ + stage * sizeof(ptx::Barrier));
    }
  }

  /// Warpgroups with tiles of their own take turns at the ring, because a barrier's parity tells a
  /// stage from the one that lies there a round later, not from those of the rounds after.
  __device__ void await_turn() const {
    if constexpr (Tile::kOwnTiles) ptx::named_barrier_wait(1 + warpgroup_, 256);
  }
  __device__ void pass_turn() const {
    if constexpr (Tile::kOwnTiles) {
      ptx::named_barrier_arrive(1 + (warpgroup_ + 1) % Tile::kConsumers, 256);
    }
  }

  /// The c-th chain of a stage for a part of the rows or columns, or what the stage adds to one
  /// that has begun.
  template <int kSums>
  __device__ __forceinline__ void issue(float (&chain)[kSums], int stage, int part, int c,
                                        bool begun) const {
    using Mma = ptx::Wgmma<typename Tile::TA, typename Tile::TB, 2 * kSums>;
    constexpr int kColBlock = 2 * kSums * kBlockK / 16;  // of B, as tile_address
    constexpr int kCount = Tile::kPromotes ? kSteps / Tile::kChains : kSteps;
    const std::uint32_t offset = stage * (Tile::kStageBytes / 16);
    const std::uint32_t a = a_ + offset + (Tile::kRowParts > 1 ? part * kRowBlock : 0);
    const std::uint32_t b = b_ + offset + (Tile::kColParts > 1 ? part * kColBlock : 0);
    ptx::pin(chain);
    ptx::wgmma_fence();
#pragma unroll
    for (int step = 0; step < kCount; ++step) {
      const std::uint32_t k = (c * kCount + step) * 2;  // 32 bytes a step
      Mma::run(chain, ptx::tile_descriptor(a + k), ptx::tile_descriptor(b + k), step > 0 || begun);
    }
    ptx::wgmma_commit();
    ptx::pin(chain);
  }

  /// One chain over all of K: while a block is multiplied, the one before is released. Where
  /// staggered, the second rows are not waited for.
  template <int kSums>
  __device__ void accumulate(float (&sums)[Tile::kRowParts][kSums], bool staggered) {
    // Else ptxas takes the sums of either width to live through the whole loop over tiles.
#pragma unroll
    for (auto& part : sums) {
#pragma unroll
      for (float& sum : part) sum = 0.0f;
    }
    int previous = 0;
    const int side_by_side = args_.k_blocks - (staggered ? kStagger : 0);
    await_turn();
    for (int block = 0; block < side_by_side; ++block, stage_.advance()) {
      wait_full();
#pragma unroll
      for (int part = 0; part < Tile::kRowParts; ++part) {
        issue(sums[part], stage_.at, part, 0, block > 0);
      }
      ptx::wgmma_wait<Tile::kRowParts>();
      if (block > 0) release(previous);
      previous = stage_.at;
    }
    if (Tile::kRowParts > 1 && staggered) {
      issue_staggered(sums);
      pass_turn();
      ptx::wgmma_wait<kStagger>();
    } else {
      pass_turn();
      ptx::wgmma_wait<0>();
    }
    ptx::pin(sums[0]);
    release(previous);
  }

  /// The last blocks of K: all of the first rows, then of the second. So the first are written
  /// while the second are multiplied; after the last tile there is no other that would hide it.
  template <int kSums>
  __device__ __forceinline__ void issue_staggered(float (&sums)[Tile::kRowParts][kSums]) {
    RingPlace<Tile::kStages> second = stage_;
#pragma unroll
    for (int block = 0; block < kStagger; ++block, stage_.advance()) {
      wait_full();
      issue(sums[0], stage_.at, 0, 0, true);
    }
#pragma unroll
    for (int block = 0; block < kStagger; ++block, second.advance()) {
      issue(sums[Tile::kRowParts - 1], second.at, Tile::kRowParts - 1, 0, true);
    }
  }

  /// Until the second rows are done; where staggered, their last stages are released only now.
  template <int kSums>
  __device__ __forceinline__ void await_second_rows(float (&sums)[kSums], bool staggered) {
    ptx::wgmma_wait<0>();
    ptx::pin(sums);
    if (!staggered) return;
#pragma unroll
    for (int back = 1; back <= kStagger; ++back) {
      release((stage_.at + Tile::kStages - back) % Tile::kStages);
    }
  }

  /// Chains that join FP32 sums; the first are on their way. What can be done while a chain is
  /// multiplied is.
  template <int kSums>
  __device__ __forceinline__ void accumulate_ahead(float (&sums)[kSums], Chains<kSums>& chains) {
#pragma unroll
    for (float& sum : sums) sum = 0.0f;
    int interval = args_.promotion_blocks, last = args_.k_blocks - 1;
    ptx::keep(interval);
    ptx::keep(last);
    int in_chain = 1;
    bool ends = interval == 1 || last == 0;
    // Of the first block, ptxas cannot tell the one chain from the other across the tiles' loop.
    bool next = finish_block<0>(sums, chains, 0, last, ends);
    for (int block = 1; block <= last; ++block) {
      if (ends) in_chain = 0;
      begin(chains, next, !ends);
      ends = ++in_chain == interval || block == last;
      next = finish_block<Tile::kColParts - 1>(sums, chains, block, last, ends);
    }
  }

  /// Sends for the chains of a block when its stage is full, or known to be.
  template <int kSums>
  __device__ __forceinline__ void begin(float (&chains)[Tile::kColParts][kSums], bool known,
                                        bool begun) {
    wait_full(known);
#pragma unroll
    for (int part = 0; part < Tile::kColParts; ++part) {
      issue(chains[part], stage_.at, part, 0, begun);
    }
  }

  /// What follows when the chains of a block are on their way: the first join their sums when
  /// kPending are still multiplied. Returns whether the next stage is known to be full.
  template <int kPending, int kSums>
  __device__ __forceinline__ bool finish_block(float (&sums)[kSums], Chains<kSums>& chains,
                                               int block, int last, bool ends) {
    const int stage = stage_.at;
    stage_.advance();
    const bool next = block < last && is_full();
    ptx::wgmma_wait<kPending>();
    if constexpr (kPending > 0) {
      if (ends) add<0>(sums, chains[0]);
      ptx::wgmma_wait<0>();
    }
    release(stage);
    if (ends) {
      if constexpr (kPending == 0 && Tile::kColParts == 2) add<0>(sums, chains[0]);
      add<Tile::kColParts - 1>(sums, chains[Tile::kColParts - 1]);
    }
    return next;
  }

  /// Chains that join FP32 sums, one at a time: the other warpgroup's are multiplied while this one
  /// promotes.
  __device__ void accumulate_one_by_one(Sums& sums, PromotionScales<Tile>& scales, int col) {
#pragma unroll
    for (float& sum : sums) sum = 0.0f;
    Sums chain;
    int in_chain = 0, interval = args_.promotion_blocks, block = 0;
    ptx::keep(interval);
    wait_full();
    for (const int last = args_.k_blocks - 1; block < last; ++block) {
      const bool begun = in_chain > 0, ends = ++in_chain == interval;
      if (ends) in_chain = 0;
      run_block<false>(sums, chain, scales, col, block, begun, ends);
    }
    run_block<true>(sums, chain, scales, col, block, in_chain > 0, true);
    scales.end_tile(args_.k_blocks);
  }

  /// kLast: no stage follows. With a loop that asks instead, the tile is 2 to 4 % slower.
  template <bool kLast>
  __device__ void run_block(Sums& sums, Sums& chain, PromotionScales<Tile>& scales, int col,
                            int block, bool begun, bool ends) {
    const int stage = stage_.at;
    issue(chain, stage, 0, 0, begun);
    scales.fetch(block);
    stage_.advance();
    const bool next = !kLast && is_full();
    scales.take();
    ptx::wgmma_wait<0>();
    release(stage);
    if (ends) promote(sums, chain, scales, col);
    if constexpr (!kLast) wait_full(next);
  }

  /// With two accumulators: a chain is on its way while the one before joins the sums. Chains end
  /// with their block.
  __device__ void accumulate_in_turns(Sums& sums, PromotionScales<Tile>& scales, int col) {
#pragma unroll
    for (float& sum : sums) sum = 0.0f;
    // In a pass: ptxas orders no two accumulators across a loop's end.
    constexpr int kPass = 8 / Tile::kChains;
    int block = 0;
    for (; block + kPass <= args_.k_blocks; block += kPass) {
      run_turns<kPass>(sums, scales, col, block);
    }
    if constexpr (Tile::kCols <= 128) {
      run_rest<kPass / 2>(sums, scales, col, block);
    } else {  // wider tiles have no registers for more passes
      for (; block < args_.k_blocks; ++block) run_turns<1>(sums, scales, col, block);
    }
    scales.end_tile(args_.k_blocks);
  }

  /// What is left of K after passes of twice as many blocks.
  template <int kBlocks>
  __device__ void run_rest(Sums& sums, PromotionScales<Tile>& scales, int col, int block) {
    if (block + kBlocks <= args_.k_blocks) {
      run_turns<kBlocks>(sums, scales, col, block);
      block += kBlocks;
    }
    if constexpr (kBlocks > 1) run_rest<kBlocks / 2>(sums, scales, col, block);
  }

  /// Issues the chains of some blocks from `block` on, each before the one before it joins the
  /// sums.
  template <int kBlocks>
  __device__ void run_turns(Sums& sums, PromotionScales<Tile>& scales, int col, int block) {
    constexpr int kAll = kBlocks * Tile::kChains;
    Turns turns;
    const auto run_all = [&]<int... i>(std::integer_sequence<int, i...>) {
      (run_turn<i, kAll>(sums, turns, scales, col, block + i / Tile::kChains), ...);
    };
    run_all(std::make_integer_sequence<int, kAll>());
    ptx::wgmma_wait<0>();
    release(turns.previous);
    promote(sums, turns.chains[(kAll - 1) % 2], scales, col);
  }

  struct Turns {
    Sums chains[2];
    int previous = 0;   ///< the stage of the chain before
    bool next = false;  ///< the next stage is known to be full
  };

  /// The i-th chain, of `block`; the one before it joins the sums.
  template <int i, int kAll>
  __device__ __forceinline__ void run_turn(Sums& sums, Turns& turns, PromotionScales<Tile>& scales,
                                           int col, int block) {
    constexpr int c = i % Tile::kChains;
    const int stage = stage_.at;
    if (c == 0) wait_full(turns.next);
    issue(turns.chains[i % 2], stage, 0, c, false);
    if (c + 1 == Tile::kChains) {
      stage_.advance();
      // Wider tiles have no register for the answer: they spill.
      turns.next = Tile::kCols <= 128 && i + 1 < kAll && is_full();
    }
    if (c == 0) scales.fetch(block);
    if (i > 0) {
      ptx::wgmma_wait<1>();
      if (c == 0) release(turns.previous);
      promote(sums, turns.chains[(i + 1) % 2], scales, col);
    }
    if (c == 0) {
      scales.take();
      turns.previous = stage;
    }
  }

  /// A chain that has ended, of a part of the columns, joins its sums; the wait for it is over.
  template <int part = 0, int kSums, int kChain>
  static __device__ __forceinline__ void add(float (&sums)[kSums], float (&chain)[kChain]) {
    ptx::pin(chain);
#pragma unroll
    for (int i = 0; i < kChain; ++i) sums[part * kChain + i] += chain[i];
  }

  /// The same of all columns, times the scales of its block of K if there are such.
  static __device__ __forceinline__ void promote(Sums& sums, Sums& chain,
                                                 const PromotionScales<Tile>& scales, int col) {
    ptx::pin(chain);
    if (!scales.scaled()) {
      add(sums, chain);
    } else if constexpr (Tile::kScaleSpan == 1) {
      promote_from(sums, chain, scales, 0);
    } else if (col % 128 == 0) {  // the compiler sees both places that there are
      promote_from(sums, chain, scales, 0);
    } else {
      promote_from(sums, chain, scales, 8);
    }
  }

  /// begin: where the tile begins in its block of 128 columns, in eights.
  static __device__ __forceinline__ void promote_from(Sums& sums, const Sums& chain,
                                                      const PromotionScales<Tile>& scales,
                                                      int begin) {
#pragma unroll
    for (int j = 0; j < Tile::kCols / 8; ++j) {
      const bool first = Tile::kScaleSpan == 1 || begin + j < 16;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float factor =
            first ? scales.factor(i / 2, 0) : scales.factor(i / 2, Tile::kScaleSpan - 1);
        float& sum = sums[4 * j + i];
        sum = __fmaf_rn(factor, chain[4 * j + i], sum);
      }
    }
  }

  const GemmArguments& args_;
  const GemmShared<Tile>& shared_;
  const int warpgroup_, warp_, lane_;
  const std::uint32_t a_, b_;         ///< of stage 0, as tile_address
  const std::uint32_t full_, empty_;  ///< its barriers; `empty` of this lane's block of the cluster
  RingPlace<Tile::kStages> stage_;
  Epilogue<Tile> epilogue_;
};

template <class Tile>
__global__ void __launch_bounds__(Tile::kThreads, 1)
    gemm_kernel(const __grid_constant__ GemmArguments args) {
  extern __shared__ __align__(1024) unsigned char dynamic[];
  const GemmShared<Tile> shared{dynamic};
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < Tile::kStages; ++stage) {
      ptx::mbarrier_init(shared.full(stage), 1);
      ptx::mbarrier_init(shared.empty(stage), 4 * Tile::kReaders * Tile::kClusterSize);
    }
    for (int slot = 0; slot < Tile::kScaleSlots; ++slot) {
      ptx::mbarrier_init(shared.scales_full(slot), kScaleThreads);
      ptx::mbarrier_init(shared.scales_empty(slot), 128 * Tile::kConsumers);
    }
    ptx::mbarrier_init_fence();
  } else if (threadIdx.x == Tile::kConsumers * 128) {
    ptx::prefetch_tensor_map(&args.a);
    ptx::prefetch_tensor_map(&args.b);
  }
  if constexpr (Tile::kClusterSize > 1) {
    ptx::cluster_arrive_relaxed();
    ptx::cluster_wait();
  } else {
    __syncthreads();
  }
  // What lies before this reads nothing that a launch ahead writes. The next may begin when none
  // ahead of this one runs: it may take for granted what the one before has written.
  ptx::grid_awaits_last();
  ptx::grid_lets_next_begin();
  // A block begins with as many registers a thread as are there for all, and shares them out anew.
  constexpr bool kShares = Tile::kConsumers > 1;
  constexpr int kAtStart = 65536 / Tile::kThreads / 8 * 8, kAll = kAtStart * Tile::kThreads / 128;
  constexpr int kOfProducer = Tile::kTakesBlockScales ? 56 : 24;
  constexpr int kOfConsumer = (kAll - kOfProducer) / Tile::kConsumers / 8 * 8;
  const int warpgroup = __shfl_sync(~0u, static_cast<int>(threadIdx.x) / 128, 0);
  if (warpgroup == Tile::kConsumers) {
    if constexpr (kShares) ptx::registers_give_back_to<kOfProducer>();
    const int thread = static_cast<int>(threadIdx.x) - Tile::kConsumers * 128;
    if (thread == 0) produce(args, shared);
    if constexpr (Tile::kTakesBlockScales) {
      const int scale_thread = thread - 32;
      if (args.scaling == GemmScaling::kBlock && scale_thread >= 0 &&
          scale_thread < kScaleThreads) {
        produce_scales(args, shared, scale_thread);
      }
    }
  } else {
    if constexpr (kShares) ptx::registers_take_to<kOfConsumer>();
    Consumer<Tile>(args, shared, warpgroup).run();
  }
}

}  // namespace binade::cuda

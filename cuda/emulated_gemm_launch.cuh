// Which kernel, over how many blocks. Private to this folder; included by one source a kind of
// lane.
#pragma once

#include "check.cuh"
#include "emulated_gemm_chain.cuh"
#include "emulated_gemm_launch.hpp"
#include "emulated_gemm_unpack.cuh"

namespace binade::cuda::detail {

inline unsigned blocks_of(std::size_t rows, int side) {
  return static_cast<unsigned>((rows + static_cast<std::size_t>(side) - 1) /
                               static_cast<std::size_t>(side));
}

template <class Real, AlignmentRounding alignment, bool normalized>
void launch_chain(const ChainPlan& plan, const LaneRun& run) {
  const auto kernel = chain_kernel<TileThread<Real, alignment, normalized>>;
  const auto bytes = static_cast<int>(plan.shared_bytes);
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
        "shared memory of the chain kernel");
  constexpr TileShape kShape = tile_shape<Real>();
  const dim3 grid(blocks_of(run.epilogue.m, kShape.rows()),
                  blocks_of(run.epilogue.n, kShape.cols()));
  kernel<<<grid, kTileThreads, plan.shared_bytes>>>(plan.lanes, run.epilogue, run.a_stages,
                                                    run.b_stages, run.leftovers);
  check_launch("chain kernel");
}

template <class Real, AlignmentRounding alignment>
void launch_chain(const ChainPlan& plan, const LaneRun& run) {
  if (plan.normalized) return launch_chain<Real, alignment, true>(plan, run);
  launch_chain<Real, alignment, false>(plan, run);
}

template <class Real>
void launch_lanes(const ChainPlan& plan, const LaneRun& run) {
  constexpr TileShape kShape = tile_shape<Real>();
  const Epilogue& e = run.epilogue;
  const auto stages =
      blocks_of(static_cast<std::size_t>(plan.lanes.total_steps), plan.lanes.stage_steps);
  unpack_kernel<Real, std::uint16_t, kShape.rows()>
      <<<stages * blocks_of(e.m, kShape.rows()), kUnpackThreads>>>(plan.a, plan.lanes, run.a, e.m,
                                                                   e.k, run.a_stages);
  check_launch("unpack kernel");
  unpack_kernel<Real, std::uint32_t, kShape.cols()>
      <<<stages * blocks_of(e.n, kShape.cols()), kUnpackThreads>>>(plan.b, plan.lanes, run.b, e.n,
                                                                   e.k, run.b_stages);
  check_launch("unpack kernel");
  switch (plan.alignment) {
    case AlignmentRounding::kFloor:
      return launch_chain<Real, AlignmentRounding::kFloor>(plan, run);
    case AlignmentRounding::kNearestEven:
      return launch_chain<Real, AlignmentRounding::kNearestEven>(plan, run);
    default:
      return launch_chain<Real, AlignmentRounding::kTruncate>(plan, run);
  }
}

}  // namespace binade::cuda::detail

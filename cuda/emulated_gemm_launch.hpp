// The launches of the emulated GEMM's kernels, one source a kind of lane. Private to this folder.
#pragma once

#include "emulated_gemm_epilogue.cuh"
#include "emulated_gemm_plan.hpp"

namespace binade::cuda::detail {

/// Device arrays of one run. a_stages and b_stages hold the unpacked operands.
struct LaneRun {
  const void *a, *b;
  unsigned char *a_stages, *b_stages;
  Epilogue epilogue;
  Leftovers leftovers;
};

/// Unpacks both operands, then computes all of D.
template <class Real>
void launch_lanes(const ChainPlan& plan, const LaneRun& run);
extern template void launch_lanes<float>(const ChainPlan&, const LaneRun&);
extern template void launch_lanes<double>(const ChainPlan&, const LaneRun&);

}  // namespace binade::cuda::detail

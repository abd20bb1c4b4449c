#include "emulated_gemm_launch.cuh"

namespace binade::cuda::detail {
template void launch_lanes<float>(const ChainPlan&, const LaneRun&);
}

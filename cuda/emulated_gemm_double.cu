#include "emulated_gemm_launch.cuh"

namespace binade::cuda::detail {
template void launch_lanes<double>(const ChainPlan&, const LaneRun&);
}

// In place of cuda/ptx/grid.cuh where kernels run on fibers, one launch after the other.
#pragma once

namespace binade::cuda::ptx {

inline void grid_lets_next_begin() {}
inline void grid_awaits_last() {}

}  // namespace binade::cuda::ptx

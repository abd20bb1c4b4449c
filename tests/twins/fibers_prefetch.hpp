// In place of cuda/ptx/prefetch.cuh where kernels run on fibers.
#pragma once

namespace binade::cuda::ptx {

inline void prefetch_l2(const void*) {}

}  // namespace binade::cuda::ptx

// In place of cuda/ptx/max.cuh where kernels run on fibers.
#pragma once

namespace binade::cuda::ptx {

inline float max_nan_f32(float a, float b) { return !(a == a) || a > b ? a : b; }

}  // namespace binade::cuda::ptx

// Maxima that CUDA C++ has no name for, one instruction a function.
#pragma once

namespace binade::cuda::ptx {

/// The larger number; NaN where either is.
__device__ __forceinline__ float max_nan_f32(float a, float b) {
  float d;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(d) : "f"(a), "f"(b));
  return d;
}

}  // namespace binade::cuda::ptx

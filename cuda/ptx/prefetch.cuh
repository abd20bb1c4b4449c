// Memory that will be wanted soon. One instruction a function.
#pragma once

namespace binade::cuda::ptx {

/// Brings the line of 128 bytes at `p` into the L2.
__device__ __forceinline__ void prefetch_l2(const void* p) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(p));
}

}  // namespace binade::cuda::ptx

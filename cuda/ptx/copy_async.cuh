// Copies of single words to shared memory that go on by themselves. One instruction a function.
#pragma once

#include "mbarrier.cuh"

namespace binade::cuda::ptx {

__device__ __forceinline__ void copy_async_word(float* to, const float* from) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(shared_address(to)), "l"(from)
               : "memory");
}

__device__ __forceinline__ void copy_async_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}

/// Until all but the `kPending` newest groups of this thread's copies are there.
template <int kPending>
__device__ __forceinline__ void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

}  // namespace binade::cuda::ptx

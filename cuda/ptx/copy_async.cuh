// Copies of single words to shared memory that go on by themselves. One instruction a function.
#pragma once

#include "mbarrier.cuh"

namespace binade::cuda::ptx {

__device__ __forceinline__ void copy_async_word(float* to, const float* from) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(shared_address(to)), "l"(from)
               : "memory");
}

/// This thread arrives at the barrier when all its copies so far are there; the barrier counts it.
__device__ __forceinline__ void copy_async_arrive(Barrier* barrier) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(
                   shared_address(barrier))
               : "memory");
}

/// Until all copies of this thread are there.
__device__ __forceinline__ void copy_async_wait() {
  asm volatile("cp.async.wait_all;" ::: "memory");
}

}  // namespace binade::cuda::ptx

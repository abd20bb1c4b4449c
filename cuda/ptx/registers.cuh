// Registers: their number for each warp of a warpgroup, and their way to shared memory. One
// instruction a function.
#pragma once

#include <cstdint>

#include "mbarrier.cuh"

namespace binade::cuda::ptx {

template <int kCount>
__device__ __forceinline__ void registers_give_back_to() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kCount));
}

template <int kCount>
__device__ __forceinline__ void registers_take_to() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kCount));
}

/// No instruction: a value that the compiler is to keep, and not to read again where it is used.
__device__ __forceinline__ void keep(int& value) { asm volatile("" : "+r"(value)); }

/// Four 8x8 matrices of 16-bit elements; lane 8 i + r holds the address of row r of matrix i.
__device__ __forceinline__ void store_matrices(std::uint32_t address, std::uint32_t d0,
                                               std::uint32_t d1, std::uint32_t d2,
                                               std::uint32_t d3) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(address),
               "r"(d0), "r"(d1), "r"(d2), "r"(d3)
               : "memory");
}

__device__ __forceinline__ void store_pair(std::uint32_t address, std::uint32_t d0,
                                           std::uint32_t d1) {
  asm volatile("st.shared.v2.b32 [%0], {%1, %2};" ::"r"(address), "r"(d0), "r"(d1) : "memory");
}

/// Two numbers to bf16, nearest even; a NaN becomes 0x7fff. `low` goes to the low half.
__device__ __forceinline__ std::uint32_t to_bf16x2(float low, float high) {
  std::uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

}  // namespace binade::cuda::ptx

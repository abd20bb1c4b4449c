// The warpgroup's matrix instructions of FP8: D[64, N] += A[64, 32] B[N, 32]^T, both operands in
// shared memory, K-major, in rows of 128 bytes that are swizzled. One instruction a function.
//
// An asm statement numbers its operands, so that every N needs its own text, which the preprocessor
// writes.
#pragma once

#include <boost/preprocessor/arithmetic/add.hpp>
#include <boost/preprocessor/control/expr_if.hpp>
#include <boost/preprocessor/punctuation/comma_if.hpp>
#include <boost/preprocessor/repetition/repeat.hpp>
#include <boost/preprocessor/stringize.hpp>
#include <cstdint>

#include "mbarrier.cuh"

namespace binade::cuda::ptx {

/// Where a tile of 128-byte rows lies, a multiple of 1024 bytes, as the lower half of its
/// descriptor. Adding n moves by 16 n bytes.
__device__ __forceinline__ std::uint32_t tile_address(const void* tile) {
  return (shared_address(tile) & 0x3ffffu) >> 4 | 1u << 16;
}

/// What wgmma reads there: rows in groups of eight, 1024 bytes apart, swizzled over 128 bytes.
__device__ __forceinline__ std::uint64_t tile_descriptor(std::uint32_t address) {
  constexpr std::uint64_t kEightRows = 1024 >> 4, kSwizzle128 = 1;
  return (kEightRows << 32 | kSwizzle128 << 62) | address;
}

/// Before the first wgmma, and wherever registers of D were touched otherwise.
__device__ __forceinline__ void wgmma_fence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

__device__ __forceinline__ void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

/// Until all but the `kPending` newest groups are done.
template <int kPending>
__device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}

/// Tells the compiler that D changes here: it moves no use of it across.
template <int kRegisters>
__device__ __forceinline__ void pin(float (&d)[kRegisters]) {
#pragma unroll
  for (int i = 0; i < kRegisters; ++i) asm volatile("" : "+f"(d[i])::"memory");
}

/// D[64, n]: `d` holds a thread's n / 2 numbers. accumulate 0: D is not read. TA, TB: E4M3 or E5M2.
template <class TA, class TB, int n>
struct Wgmma;

#define BINADE_OPERAND(z, i, unused) BOOST_PP_EXPR_IF(i, ",") "%" BOOST_PP_STRINGIZE(i)
#define BINADE_REGISTER(z, i, unused) BOOST_PP_COMMA_IF(i) "+f"(d[i])
#define BINADE_NUMBER(r, i) "%" BOOST_PP_STRINGIZE(BOOST_PP_ADD(r, i))

// r = n / 2 registers of D, then the descriptors and scale-d, a predicate; nothing is negated.
#define BINADE_WGMMA_ASM(n, r, types) \
  asm volatile("{ .reg .pred p; setp.ne.b32 p, " BINADE_NUMBER(r, 2) ", 0;"                   \
               "wgmma.mma_async.sync.aligned.m64n" #n "k32.f32." types                        \
               " {" BOOST_PP_REPEAT(r, BINADE_OPERAND, ) "}, " BINADE_NUMBER(r, 0)            \
               ", " BINADE_NUMBER(r, 1) ", p, 1, 1; }"                                        \
               : BOOST_PP_REPEAT(r, BINADE_REGISTER, )                                        \
               : "l"(a), "l"(b), "r"(accumulate))

#define BINADE_WGMMA(n, r)                                                                      \
  template <class TA, class TB>                                                                 \
  struct Wgmma<TA, TB, n> {                                                                     \
    static __device__ __forceinline__ void run(float (&d)[r], std::uint64_t a, std::uint64_t b, \
                                               int accumulate) {                                \
      constexpr bool kA = TA::format.mantissa_bits == 2, kB = TB::format.mantissa_bits == 2;    \
      if constexpr (kA && kB) {                                                                 \
        BINADE_WGMMA_ASM(n, r, "e5m2.e5m2");                                                    \
      } else if constexpr (kA) {                                                                \
        BINADE_WGMMA_ASM(n, r, "e5m2.e4m3");                                                    \
      } else if constexpr (kB) {                                                                \
        BINADE_WGMMA_ASM(n, r, "e4m3.e5m2");                                                    \
      } else {                                                                                  \
        BINADE_WGMMA_ASM(n, r, "e4m3.e4m3");                                                    \
      }                                                                                         \
    }                                                                                           \
  }

BINADE_WGMMA(56, 28);
BINADE_WGMMA(64, 32);
BINADE_WGMMA(80, 40);
BINADE_WGMMA(88, 44);
BINADE_WGMMA(128, 64);
BINADE_WGMMA(144, 72);
BINADE_WGMMA(160, 80);
BINADE_WGMMA(176, 88);
BINADE_WGMMA(184, 92);
BINADE_WGMMA(192, 96);
BINADE_WGMMA(256, 128);

#undef BINADE_WGMMA
#undef BINADE_WGMMA_ASM
#undef BINADE_NUMBER
#undef BINADE_REGISTER
#undef BINADE_OPERAND

}  // namespace binade::cuda::ptx

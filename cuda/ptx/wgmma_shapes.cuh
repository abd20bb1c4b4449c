// wgmma.mma_async, the warpgroup's matrix instruction, in every shape and form that is to be
// compared with the model: m64, N from 8 to 256, 32 bytes of K, A from shared memory or registers,
// operands negated or not, dense or sparse. One function an instruction, made by the preprocessor
// because the instruction's text names each of its up to 128 registers.
//
// D, and A in registers, lie as in mma.sync (mma.cuh): warp w of the warpgroup holds rows 16 w to
// 16 w + 15; registers run over blocks of eight columns. Descriptors say where core matrices, 8 rows
// of 16 bytes, lie in shared memory (PTX ISA, "Matrix descriptor format", no swizzle).
#pragma once

#include <boost/preprocessor/arithmetic/add.hpp>
#include <boost/preprocessor/control/expr_if.hpp>
#include <boost/preprocessor/punctuation/comma_if.hpp>
#include <boost/preprocessor/repetition/repeat.hpp>
#include <boost/preprocessor/stringize.hpp>
#include <cstdint>

namespace binade::ptx {

__device__ inline void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ inline void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
__device__ inline void wgmma_wait_all() {
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
}
/// Makes ordinary stores to shared memory visible to the matrix unit.
__device__ inline void fence_proxy_async() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

/// K-major core matrices without swizzle: `along_k` bytes from one to the next in K, `along_rows` in
/// M or N.
__device__ inline std::uint64_t plain_descriptor(const void* shared, unsigned along_k,
                                                 unsigned along_rows) {
  const auto address = static_cast<std::uint64_t>(__cvta_generic_to_shared(shared));
  return ((address & 0x3ffff) >> 4) | (std::uint64_t{along_k >> 4} << 16) |
         (std::uint64_t{along_rows >> 4} << 32);
}

/// The instruction of a tag, a number of columns and the factors +1 or -1 of A and B.
/// shared_a(d, A's descriptor, B's, scale_d) and register_a(d, A's four registers, B's descriptor,
/// scale_d); scale_d 0 ignores what stands in d.
template <class Types, int n, int scale_a = 1, int scale_b = 1>
struct Wgmma;

/// The same for a sparse A, of which two of four neighbours are stored; K is twice as long.
template <class Types, int n>
struct SparseWgmma;

#define BINADE_NUMBER(first, i) BOOST_PP_STRINGIZE(BOOST_PP_ADD(first, i))
#define BINADE_OPERAND(z, i, unused) BOOST_PP_EXPR_IF(i, ",") "%" BOOST_PP_STRINGIZE(i)
#define BINADE_REGISTER(z, i, unused) BOOST_PP_COMMA_IF(i) "+r"(d[i])
#define BINADE_D(registers) "{" BOOST_PP_REPEAT(registers, BINADE_OPERAND, ) "}"

// R: registers of D; operands R and on are A, B, scale_d and the two signs.
#define BINADE_WGMMA(TAG, N, R, TYPES, TRANSPOSE_A, TRANSPOSE_B)                                    \
  template <int scale_a, int scale_b>                                                               \
  struct Wgmma<TAG, N, scale_a, scale_b> {                                                          \
    static __device__ void shared_a(std::uint32_t* d, std::uint64_t a, std::uint64_t b,             \
                                    int scale_d) {                                                  \
      asm volatile("{ .reg .pred p; setp.ne.b32 p, %" BINADE_NUMBER(R, 2) ", 0;"                    \
                   "wgmma.mma_async.sync.aligned.m64n" #N TYPES BINADE_D(R)                         \
                   ", %" BINADE_NUMBER(R, 0) ", %" BINADE_NUMBER(R, 1)                              \
                   ", p, %" BINADE_NUMBER(R, 3) ", %" BINADE_NUMBER(R, 4)                           \
                   TRANSPOSE_A TRANSPOSE_B "; }"                                                    \
                   : BOOST_PP_REPEAT(R, BINADE_REGISTER, )                                          \
                   : "l"(a), "l"(b), "r"(scale_d), "n"(scale_a), "n"(scale_b));                     \
    }                                                                                               \
    static __device__ void register_a(std::uint32_t* d, const std::uint32_t* a, std::uint64_t b,    \
                                      int scale_d) {                                                \
      asm volatile("{ .reg .pred p; setp.ne.b32 p, %" BINADE_NUMBER(R, 5) ", 0;"                    \
                   "wgmma.mma_async.sync.aligned.m64n" #N TYPES BINADE_D(R)                         \
                   ", {%" BINADE_NUMBER(R, 0) ",%" BINADE_NUMBER(R, 1)                              \
                   ",%" BINADE_NUMBER(R, 2) ",%" BINADE_NUMBER(R, 3) "}, %" BINADE_NUMBER(R, 4)     \
                   ", p, %" BINADE_NUMBER(R, 6) ", %" BINADE_NUMBER(R, 7) TRANSPOSE_B "; }"         \
                   : BOOST_PP_REPEAT(R, BINADE_REGISTER, )                                          \
                   : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(scale_d),              \
                     "n"(scale_a), "n"(scale_b));                                                   \
    }                                                                                               \
  };

// Metadata: two bits for each stored element, its place among its four; the selector is 0.
#define BINADE_SPARSE_WGMMA(TAG, N, R, TYPES)                                                       \
  template <>                                                                                       \
  struct SparseWgmma<TAG, N> {                                                                      \
    static __device__ void shared_a(std::uint32_t* d, std::uint64_t a, std::uint64_t b,             \
                                    std::uint32_t metadata) {                                       \
      asm volatile("wgmma.mma_async.sp.sync.aligned.m64n" #N TYPES BINADE_D(R)                      \
                   ", %" BINADE_NUMBER(R, 0) ", %" BINADE_NUMBER(R, 1)                              \
                   ", %" BINADE_NUMBER(R, 2) ", 0, 1, 1, 1;"                                        \
                   : BOOST_PP_REPEAT(R, BINADE_REGISTER, )                                          \
                   : "l"(a), "l"(b), "r"(metadata));                                                \
    }                                                                                               \
  };

}  // namespace binade::ptx

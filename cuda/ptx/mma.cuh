// mma.sync, the warp's matrix instruction: m16n8, 32 bytes of K. One function an instruction.
//
// Fragments (PTX ISA, "Matrix fragments for mma.m16n8k32", k16, k8; in bytes all types are alike):
// lane l holds bytes 4 (l % 4) to +3 of rows l/4 and l/4 + 8 of A, of both 16-byte halves of a row,
// in the order (row, low half), (row + 8, low), (row, high), (row + 8, high); of column l/4 of B
// the low and the high half; and of D columns 2 (l % 4) and + 1 of rows l/4 and l/4 + 8.
#pragma once

#include <cstdint>

namespace binade::ptx {

/// NAME: D in four registers of fp32. NAME_f16: in two registers of fp16 pairs.
#define BINADE_MMA_F32(NAME, SHAPE, TYPES)                                                        \
  __device__ inline void NAME(std::uint32_t* d, const std::uint32_t* a, const std::uint32_t* b) { \
    asm volatile("mma.sync.aligned." SHAPE ".row.col.f32." TYPES                                  \
                 ".f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"                        \
                 : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])                                 \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));             \
  }
#define BINADE_MMA_F16(NAME, SHAPE, TYPES)                                                        \
  __device__ inline void NAME(std::uint32_t* d, const std::uint32_t* a, const std::uint32_t* b) { \
    asm volatile("mma.sync.aligned." SHAPE ".row.col.f16." TYPES                                  \
                 ".f16 {%0,%1},{%2,%3,%4,%5},{%6,%7},{%0,%1};"                                    \
                 : "+r"(d[0]), "+r"(d[1])                                                         \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));             \
  }

BINADE_MMA_F32(mma_f32_e4m3_e4m3, "m16n8k32", "e4m3.e4m3")
BINADE_MMA_F32(mma_f32_e4m3_e5m2, "m16n8k32", "e4m3.e5m2")
BINADE_MMA_F32(mma_f32_e5m2_e4m3, "m16n8k32", "e5m2.e4m3")
BINADE_MMA_F32(mma_f32_e5m2_e5m2, "m16n8k32", "e5m2.e5m2")
BINADE_MMA_F32(mma_f32_f16_f16, "m16n8k16", "f16.f16")
BINADE_MMA_F32(mma_f32_bf16_bf16, "m16n8k16", "bf16.bf16")
BINADE_MMA_F32(mma_f32_tf32_tf32, "m16n8k8", "tf32.tf32")
BINADE_MMA_F16(mma_f16_e4m3_e4m3, "m16n8k32", "e4m3.e4m3")
BINADE_MMA_F16(mma_f16_e4m3_e5m2, "m16n8k32", "e4m3.e5m2")
BINADE_MMA_F16(mma_f16_e5m2_e4m3, "m16n8k32", "e5m2.e4m3")
BINADE_MMA_F16(mma_f16_e5m2_e5m2, "m16n8k32", "e5m2.e5m2")
BINADE_MMA_F16(mma_f16_f16_f16, "m16n8k16", "f16.f16")

#undef BINADE_MMA_F32
#undef BINADE_MMA_F16

}  // namespace binade::ptx

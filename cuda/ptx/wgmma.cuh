// The warpgroup's matrix instructions of FP8: D[64, N] += A[64, 32] B[N, 32]^T, both operands in shared
// memory, K-major, in rows of 128 bytes that are swizzled. One instruction a function.
//
// An asm statement numbers its operands, so that every N needs its own text. The macros below write
// them: LIST_N names the registers of one thread in a tile N wide, BIND_N binds them.
#pragma once

#include <cstdint>

#include "mbarrier.cuh"

namespace binade::cuda::ptx {

/// Where a tile of 128-byte rows lies, a multiple of 1024 bytes, for tile_descriptor. Adding n moves
/// by 16 n bytes.
__device__ __forceinline__ std::uint32_t tile_address(const void* tile) {
  return (shared_address(tile) & 0x3ffffu) >> 4;
}

/// What wgmma reads there: rows in groups of eight, 1024 bytes apart, swizzled over 128 bytes.
__device__ __forceinline__ std::uint64_t tile_descriptor(std::uint32_t address) {
  constexpr std::uint64_t kEightRows = 1024 >> 4, kSwizzle128 = 1;
  return (std::uint64_t{1} << 16 | kEightRows << 32 | kSwizzle128 << 62) | address;
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

#define BINADE_LIST_8 "%0, %1, %2, %3"
#define BINADE_LIST_16 BINADE_LIST_8 ", " "%4, %5, %6, %7"
#define BINADE_LIST_24 BINADE_LIST_16 ", " "%8, %9, %10, %11"
#define BINADE_LIST_32 BINADE_LIST_24 ", " "%12, %13, %14, %15"
#define BINADE_LIST_40 BINADE_LIST_32 ", " "%16, %17, %18, %19"
#define BINADE_LIST_48 BINADE_LIST_40 ", " "%20, %21, %22, %23"
#define BINADE_LIST_56 BINADE_LIST_48 ", " "%24, %25, %26, %27"
#define BINADE_LIST_64 BINADE_LIST_56 ", " "%28, %29, %30, %31"
#define BINADE_LIST_72 BINADE_LIST_64 ", " "%32, %33, %34, %35"
#define BINADE_LIST_80 BINADE_LIST_72 ", " "%36, %37, %38, %39"
#define BINADE_LIST_88 BINADE_LIST_80 ", " "%40, %41, %42, %43"
#define BINADE_LIST_96 BINADE_LIST_88 ", " "%44, %45, %46, %47"
#define BINADE_LIST_104 BINADE_LIST_96 ", " "%48, %49, %50, %51"
#define BINADE_LIST_112 BINADE_LIST_104 ", " "%52, %53, %54, %55"
#define BINADE_LIST_120 BINADE_LIST_112 ", " "%56, %57, %58, %59"
#define BINADE_LIST_128 BINADE_LIST_120 ", " "%60, %61, %62, %63"
#define BINADE_LIST_136 BINADE_LIST_128 ", " "%64, %65, %66, %67"
#define BINADE_LIST_144 BINADE_LIST_136 ", " "%68, %69, %70, %71"
#define BINADE_LIST_152 BINADE_LIST_144 ", " "%72, %73, %74, %75"
#define BINADE_LIST_160 BINADE_LIST_152 ", " "%76, %77, %78, %79"
#define BINADE_LIST_168 BINADE_LIST_160 ", " "%80, %81, %82, %83"
#define BINADE_LIST_176 BINADE_LIST_168 ", " "%84, %85, %86, %87"
#define BINADE_LIST_184 BINADE_LIST_176 ", " "%88, %89, %90, %91"
#define BINADE_LIST_192 BINADE_LIST_184 ", " "%92, %93, %94, %95"
#define BINADE_LIST_200 BINADE_LIST_192 ", " "%96, %97, %98, %99"
#define BINADE_LIST_208 BINADE_LIST_200 ", " "%100, %101, %102, %103"
#define BINADE_LIST_216 BINADE_LIST_208 ", " "%104, %105, %106, %107"
#define BINADE_LIST_224 BINADE_LIST_216 ", " "%108, %109, %110, %111"
#define BINADE_LIST_232 BINADE_LIST_224 ", " "%112, %113, %114, %115"
#define BINADE_LIST_240 BINADE_LIST_232 ", " "%116, %117, %118, %119"
#define BINADE_LIST_248 BINADE_LIST_240 ", " "%120, %121, %122, %123"
#define BINADE_LIST_256 BINADE_LIST_248 ", " "%124, %125, %126, %127"
#define BINADE_BIND(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define BINADE_BIND_8 BINADE_BIND(0)
#define BINADE_BIND_16 BINADE_BIND_8, BINADE_BIND(4)
#define BINADE_BIND_24 BINADE_BIND_16, BINADE_BIND(8)
#define BINADE_BIND_32 BINADE_BIND_24, BINADE_BIND(12)
#define BINADE_BIND_40 BINADE_BIND_32, BINADE_BIND(16)
#define BINADE_BIND_48 BINADE_BIND_40, BINADE_BIND(20)
#define BINADE_BIND_56 BINADE_BIND_48, BINADE_BIND(24)
#define BINADE_BIND_64 BINADE_BIND_56, BINADE_BIND(28)
#define BINADE_BIND_72 BINADE_BIND_64, BINADE_BIND(32)
#define BINADE_BIND_80 BINADE_BIND_72, BINADE_BIND(36)
#define BINADE_BIND_88 BINADE_BIND_80, BINADE_BIND(40)
#define BINADE_BIND_96 BINADE_BIND_88, BINADE_BIND(44)
#define BINADE_BIND_104 BINADE_BIND_96, BINADE_BIND(48)
#define BINADE_BIND_112 BINADE_BIND_104, BINADE_BIND(52)
#define BINADE_BIND_120 BINADE_BIND_112, BINADE_BIND(56)
#define BINADE_BIND_128 BINADE_BIND_120, BINADE_BIND(60)
#define BINADE_BIND_136 BINADE_BIND_128, BINADE_BIND(64)
#define BINADE_BIND_144 BINADE_BIND_136, BINADE_BIND(68)
#define BINADE_BIND_152 BINADE_BIND_144, BINADE_BIND(72)
#define BINADE_BIND_160 BINADE_BIND_152, BINADE_BIND(76)
#define BINADE_BIND_168 BINADE_BIND_160, BINADE_BIND(80)
#define BINADE_BIND_176 BINADE_BIND_168, BINADE_BIND(84)
#define BINADE_BIND_184 BINADE_BIND_176, BINADE_BIND(88)
#define BINADE_BIND_192 BINADE_BIND_184, BINADE_BIND(92)
#define BINADE_BIND_200 BINADE_BIND_192, BINADE_BIND(96)
#define BINADE_BIND_208 BINADE_BIND_200, BINADE_BIND(100)
#define BINADE_BIND_216 BINADE_BIND_208, BINADE_BIND(104)
#define BINADE_BIND_224 BINADE_BIND_216, BINADE_BIND(108)
#define BINADE_BIND_232 BINADE_BIND_224, BINADE_BIND(112)
#define BINADE_BIND_240 BINADE_BIND_232, BINADE_BIND(116)
#define BINADE_BIND_248 BINADE_BIND_240, BINADE_BIND(120)
#define BINADE_BIND_256 BINADE_BIND_248, BINADE_BIND(124)

/// D[64, n]: `d` holds a thread's n / 2 numbers. accumulate 0: D is not read. TA, TB: E4M3 or E5M2.
template <class TA, class TB, int n>
struct Wgmma;
// scale-d is a predicate; both imm-scales are 1: nothing is negated.
#define BINADE_WGMMA_TEXT(n, types, a, b, accumulate)                                      \
  "{\n.reg .pred p;\nsetp.ne.b32 p, " accumulate ", 0;\nwgmma.mma_async.sync.aligned.m64n" \
  #n "k32.f32." types " {" BINADE_LIST_##n "}, " a ", " b ", p, 1, 1;\n}"
#define BINADE_WGMMA(n, a, b, accumulate_at)                                                     \
  template <class TA, class TB>                                                                  \
  struct Wgmma<TA, TB, n> {                                                                      \
    static __device__ __forceinline__ void run(float (&d)[n / 2], std::uint64_t desc_a,          \
                                               std::uint64_t desc_b, int accumulate) {           \
      constexpr bool kWideA = TA::format.mantissa_bits == 2, kWideB = TB::format.mantissa_bits == 2; \
      if constexpr (kWideA && kWideB) {                                                          \
        BINADE_WGMMA_ASM(n, "e5m2.e5m2", a, b, accumulate_at);                                   \
      } else if constexpr (kWideA) {                                                             \
        BINADE_WGMMA_ASM(n, "e5m2.e4m3", a, b, accumulate_at);                                   \
      } else if constexpr (kWideB) {                                                             \
        BINADE_WGMMA_ASM(n, "e4m3.e5m2", a, b, accumulate_at);                                   \
      } else {                                                                                   \
        BINADE_WGMMA_ASM(n, "e4m3.e4m3", a, b, accumulate_at);                                   \
      }                                                                                          \
    }                                                                                            \
  }
#define BINADE_WGMMA_ASM(n, types, a, b, accumulate_at)          \
  asm volatile(BINADE_WGMMA_TEXT(n, types, a, b, accumulate_at)  \
               : BINADE_BIND_##n                                 \
               : "l"(desc_a), "l"(desc_b), "r"(accumulate))

BINADE_WGMMA(56, "%28", "%29", "%30");
BINADE_WGMMA(64, "%32", "%33", "%34");
BINADE_WGMMA(80, "%40", "%41", "%42");
BINADE_WGMMA(96, "%48", "%49", "%50");
BINADE_WGMMA(112, "%56", "%57", "%58");
BINADE_WGMMA(128, "%64", "%65", "%66");
BINADE_WGMMA(144, "%72", "%73", "%74");
BINADE_WGMMA(160, "%80", "%81", "%82");
BINADE_WGMMA(176, "%88", "%89", "%90");
BINADE_WGMMA(192, "%96", "%97", "%98");
BINADE_WGMMA(256, "%128", "%129", "%130");

#undef BINADE_WGMMA_TEXT
#undef BINADE_WGMMA
#undef BINADE_WGMMA_ASM

}  // namespace binade::cuda::ptx

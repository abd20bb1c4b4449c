// The conversion instructions of sm_90, one a function, under their names in PTX. Containers are
// integers; of a pair, `high` and `low` are the halves of the packed result.
#pragma once

#include <cstdint>

namespace binade::cuda::ptx {

// Two fp32 into a pair of narrower numbers.
#define BINADE_CVT_PAIR(name, text, Result, result)                 \
  __device__ __forceinline__ Result name(float high, float low) {   \
    Result d;                                                       \
    asm(text " %0, %1, %2;" : "=" result(d) : "f"(high), "f"(low)); \
    return d;                                                       \
  }
BINADE_CVT_PAIR(cvt_rn_satfinite_e4m3x2_f32, "cvt.rn.satfinite.e4m3x2.f32", std::uint16_t, "h")
BINADE_CVT_PAIR(cvt_rn_satfinite_e5m2x2_f32, "cvt.rn.satfinite.e5m2x2.f32", std::uint16_t, "h")
BINADE_CVT_PAIR(cvt_rn_f16x2_f32, "cvt.rn.f16x2.f32", std::uint32_t, "r")
BINADE_CVT_PAIR(cvt_rz_f16x2_f32, "cvt.rz.f16x2.f32", std::uint32_t, "r")
BINADE_CVT_PAIR(cvt_rn_bf16x2_f32, "cvt.rn.bf16x2.f32", std::uint32_t, "r")
BINADE_CVT_PAIR(cvt_rz_bf16x2_f32, "cvt.rz.bf16x2.f32", std::uint32_t, "r")
#undef BINADE_CVT_PAIR

// One container into another; a pair travels in one register.
#define BINADE_CVT(name, text, Result, result, Source, source) \
  __device__ __forceinline__ Result name(Source a) {           \
    Result d;                                                  \
    asm(text " %0, %1;" : "=" result(d) : source(a));          \
    return d;                                                  \
  }
BINADE_CVT(cvt_rn_satfinite_e4m3x2_f16x2, "cvt.rn.satfinite.e4m3x2.f16x2", std::uint16_t, "h",
           std::uint32_t, "r")
BINADE_CVT(cvt_rn_satfinite_e5m2x2_f16x2, "cvt.rn.satfinite.e5m2x2.f16x2", std::uint16_t, "h",
           std::uint32_t, "r")
BINADE_CVT(cvt_rn_f16x2_e4m3x2, "cvt.rn.f16x2.e4m3x2", std::uint32_t, "r", std::uint16_t, "h")
BINADE_CVT(cvt_rn_f16x2_e5m2x2, "cvt.rn.f16x2.e5m2x2", std::uint32_t, "r", std::uint16_t, "h")
BINADE_CVT(cvt_rn_f16_f32, "cvt.rn.f16.f32", std::uint16_t, "h", float, "f")
BINADE_CVT(cvt_rz_f16_f32, "cvt.rz.f16.f32", std::uint16_t, "h", float, "f")
BINADE_CVT(cvt_rm_f16_f32, "cvt.rm.f16.f32", std::uint16_t, "h", float, "f")
BINADE_CVT(cvt_rp_f16_f32, "cvt.rp.f16.f32", std::uint16_t, "h", float, "f")
BINADE_CVT(cvt_rn_bf16_f32, "cvt.rn.bf16.f32", std::uint16_t, "h", float, "f")
BINADE_CVT(cvt_rz_bf16_f32, "cvt.rz.bf16.f32", std::uint16_t, "h", float, "f")
BINADE_CVT(cvt_rn_tf32_f32, "cvt.rn.tf32.f32", std::uint32_t, "r", float, "f")
BINADE_CVT(cvt_rz_tf32_f32, "cvt.rz.tf32.f32", std::uint32_t, "r", float, "f")
BINADE_CVT(cvt_rna_tf32_f32, "cvt.rna.tf32.f32", std::uint32_t, "r", float, "f")
BINADE_CVT(cvt_rna_satfinite_tf32_f32, "cvt.rna.satfinite.tf32.f32", std::uint32_t, "r", float, "f")
BINADE_CVT(cvt_rn_f16_bf16, "cvt.rn.f16.bf16", std::uint16_t, "h", std::uint16_t, "h")
BINADE_CVT(cvt_rn_bf16_f16, "cvt.rn.bf16.f16", std::uint16_t, "h", std::uint16_t, "h")
BINADE_CVT(cvt_f32_f16, "cvt.f32.f16", float, "f", std::uint16_t, "h")
BINADE_CVT(cvt_f32_bf16, "cvt.f32.bf16", float, "f", std::uint16_t, "h")
#undef BINADE_CVT

}  // namespace binade::cuda::ptx

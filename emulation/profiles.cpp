// The GEMM profiles: which chain, how often it is promoted, and where the scales come in.
#include "binade/emulation/profiles.hpp"

#include <stdexcept>

#include "binade/formats/catalog.hpp"

namespace binade {
namespace {

constexpr Granularity kTile128{1, 128};
constexpr Granularity kBlock128{128, 128};
constexpr bool kVerified = true;
constexpr bool kPublished = false;

GemmProfile wgmma(std::string name, int interval, ScaleOrder order, Granularity a, Granularity b,
                  bool verified, std::string source) {
  return {std::move(name),
          std::move(source),
          ChainKind::kInstruction,
          "hopper.wgmma.f32",
          interval,
          order,
          a,
          b,
          verified};
}

std::vector<GemmProfile> make_profiles() {
  using enum ScaleOrder;
  const std::string te = "Transformer Engine d0067d0, blockwise_fp8_gemm_reference.py";
  return {
      wgmma("cublaslt-fast", 0, kEpilogueProduct, kPerTensor, kPerTensor, kVerified,
            "cuBLASLt 13 through torch 2.11 _scaled_mm, tensorwise, use_fast_accum=True; measured "
            "on an H200"),
      wgmma("cublaslt", 128, kEpilogueProduct, kPerTensor, kPerTensor, kVerified,
            "cuBLASLt 13 through torch 2.11 _scaled_mm, tensorwise, use_fast_accum=False; "
            "measured on an H200"),
      wgmma("torch-rowwise-fast", 0, kEpilogueBThenA, kPerRow, kPerRow, kVerified,
            "torch 2.11 _scaled_mm, rowwise, use_fast_accum=True; measured on an H200 (300 "
            "outputs of 64x128x1024)"),
      wgmma("torch-rowwise", 128, kEpilogueBThenA, kPerRow, kPerRow, kVerified,
            "torch 2.11 _scaled_mm, rowwise, use_fast_accum=False; measured on an H200 (300 "
            "outputs of 64x128x1024)"),
      wgmma("deepgemm", 128, kPromoteFmaProduct, kTile128, kBlock128, kVerified,
            "DeepGEMM 2.6.1 fp8_gemm_nt (sm90_fp8_gemm_1d2d.cuh), and torch 2.11 _scaled_mm with "
            "1x128 by 128x128 scales; measured on an H200"),
      wgmma("cutlass", 128, kPromoteFmaAThenB, kAnyGranularity, kAnyGranularity, kPublished,
            "CUTLASS 7107b05, collective/fp8_accumulation.hpp: accum += temp * scaleA * scaleB, "
            "mma_promotion_interval 4"),
      wgmma("te-1dx1d", 128, kPromoteFmaAThenB, kTile128, kTile128, kPublished, te),
      wgmma("te-1dx2d", 128, kPromoteFmaAThenB, kTile128, kBlock128, kPublished, te),
      wgmma("te-2dx1d", 128, kPromoteFmaBThenA, kBlock128, kTile128, kPublished, te),
      wgmma("triton-v3", 128, kPromoteFmaAThenB, kTile128, kBlock128, kPublished,
            "DeepSeek-V3 9b4e978, inference/kernel.py fp8_gemm: acc += dot * a_s * b_s"),
      {"fp32-sequential", "contrast: one FP32 sum in ascending k, product and sum each rounded",
       ChainKind::kFp32Sequential, "", 0, kPromoteFmaProduct, kAnyGranularity, kAnyGranularity,
       kPublished},
      {"exact", "contrast: the exact sum of products and scales, rounded once", ChainKind::kExact,
       "", 0, kExact, kAnyGranularity, kAnyGranularity, kPublished},
  };
}

}  // namespace

const std::vector<GemmProfile>& gemm_profiles() {
  static const std::vector<GemmProfile> profiles = make_profiles();
  return profiles;
}

const GemmProfile& find_gemm_profile(std::string_view name) {
  std::vector<std::string> names;
  for (const GemmProfile& p : gemm_profiles()) {
    if (p.name == name) return p;
    names.push_back(p.name);
  }
  std::string hint;
  for (const std::string& n : nearest_names(name, names)) hint += (hint.empty() ? "" : ", ") + n;
  throw std::invalid_argument("unknown GEMM profile '" + std::string(name) + "': did you mean " +
                              hint + "?");
}

}  // namespace binade

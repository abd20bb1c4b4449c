// wgmma with fp32 accumulators: every pair of types, every n for e4m3, and sparse A.
#include "dot_model_wgmma.cuh"

// clang-format off
BINADE_WGMMA_TYPES(F32E4m3E4m3, "f32.e4m3.e4m3", std::uint32_t, "k32.f32.e4m3.e4m3 ", "", 4, 32, 128)
BINADE_WGMMA_TYPES(F32E4m3E5m2, "f32.e4m3.e5m2", std::uint32_t, "k32.f32.e4m3.e5m2 ", "", 4, 32, 128)
BINADE_WGMMA_TYPES(F32E5m2E4m3, "f32.e5m2.e4m3", std::uint32_t, "k32.f32.e5m2.e4m3 ", "", 4, 32, 128)
BINADE_WGMMA_TYPES(F32E5m2E5m2, "f32.e5m2.e5m2", std::uint32_t, "k32.f32.e5m2.e5m2 ", "", 4, 32, 128)
BINADE_WGMMA_TYPES(F32F16F16, "f32.f16.f16", std::uint32_t, "k16.f32.f16.f16 ", ", 0", 4, 32, 128)
BINADE_WGMMA_TYPES(F32Bf16Bf16, "f32.bf16.bf16", std::uint32_t, "k16.f32.bf16.bf16 ", ", 0", 4, 32, 128)
BINADE_WGMMA_TYPES(F32Tf32Tf32, "f32.tf32.tf32", std::uint32_t, "k8.f32.tf32.tf32 ", "", 4, 32, 128)

namespace binade::ptx {
#define BINADE_MORE_COLUMNS(N, R) BINADE_WGMMA(cuda::F32E4m3E4m3, N, R, "k32.f32.e4m3.e4m3 ", "", "")
BINADE_MORE_COLUMNS(16, 8) BINADE_MORE_COLUMNS(24, 12) BINADE_MORE_COLUMNS(32, 16) BINADE_MORE_COLUMNS(40, 20)
BINADE_MORE_COLUMNS(48, 24) BINADE_MORE_COLUMNS(56, 28) BINADE_MORE_COLUMNS(72, 36)
BINADE_MORE_COLUMNS(80, 40) BINADE_MORE_COLUMNS(88, 44) BINADE_MORE_COLUMNS(96, 48) BINADE_MORE_COLUMNS(104, 52)
BINADE_MORE_COLUMNS(112, 56) BINADE_MORE_COLUMNS(120, 60) BINADE_MORE_COLUMNS(128, 64) BINADE_MORE_COLUMNS(136, 68)
BINADE_MORE_COLUMNS(144, 72) BINADE_MORE_COLUMNS(152, 76) BINADE_MORE_COLUMNS(160, 80) BINADE_MORE_COLUMNS(168, 84)
BINADE_MORE_COLUMNS(176, 88) BINADE_MORE_COLUMNS(184, 92) BINADE_MORE_COLUMNS(192, 96) BINADE_MORE_COLUMNS(200, 100)
BINADE_MORE_COLUMNS(208, 104) BINADE_MORE_COLUMNS(216, 108) BINADE_MORE_COLUMNS(224, 112) BINADE_MORE_COLUMNS(232, 116)
BINADE_MORE_COLUMNS(240, 120) BINADE_MORE_COLUMNS(248, 124) 
BINADE_SPARSE_WGMMA(cuda::F32E4m3E4m3, 64, 32, "k64.f32.e4m3.e4m3 ")
BINADE_SPARSE_WGMMA(cuda::F32E5m2E5m2, 64, 32, "k64.f32.e5m2.e5m2 ")
}  // namespace binade::ptx
// clang-format on

namespace binade::cuda {
namespace {

/// n = 16, 24, ... 248, but for 64.
template <int n = 16>
void add_columns(WgmmaForms<F32E4m3E4m3>& forms) {
  if constexpr (n < 256) {
    if constexpr (n != 64) forms.add<n>();
    add_columns<n + 8>(forms);
  }
}

/// Every choice of two places among four.
template <class Types>
void add_sparse_forms(WgmmaForms<Types> forms) {
  forms.template add_sparse<0b0011>()
      .template add_sparse<0b0101>()
      .template add_sparse<0b1001>()
      .template add_sparse<0b0110>()
      .template add_sparse<0b1010>()
      .template add_sparse<0b1100>();
}

}  // namespace

void add_wgmma_f32_forms(std::vector<TileForm>& forms) {
  WgmmaForms<F32E4m3E4m3> e4m3(forms);
  add_columns(e4m3.add_usual());
  add_sparse_forms(e4m3);
  WgmmaForms<F32E4m3E5m2>(forms).add_usual();
  WgmmaForms<F32E5m2E4m3>(forms).add_usual();
  add_sparse_forms(WgmmaForms<F32E5m2E5m2>(forms).add_usual());
  WgmmaForms<F32F16F16>(forms).add_usual();
  WgmmaForms<F32Bf16Bf16>(forms).add_usual();
  WgmmaForms<F32Tf32Tf32>(forms).add_usual();
}

}  // namespace binade::cuda

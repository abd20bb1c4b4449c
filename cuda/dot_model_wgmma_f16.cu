// wgmma with fp16 accumulators: every pair of types.
#include "dot_model_wgmma.cuh"

// clang-format off
BINADE_WGMMA_TYPES(F16E4m3E4m3, "f16.e4m3.e4m3", std::uint16_t, "k32.f16.e4m3.e4m3 ", "", 2, 16, 64)
BINADE_WGMMA_TYPES(F16E4m3E5m2, "f16.e4m3.e5m2", std::uint16_t, "k32.f16.e4m3.e5m2 ", "", 2, 16, 64)
BINADE_WGMMA_TYPES(F16E5m2E4m3, "f16.e5m2.e4m3", std::uint16_t, "k32.f16.e5m2.e4m3 ", "", 2, 16, 64)
BINADE_WGMMA_TYPES(F16E5m2E5m2, "f16.e5m2.e5m2", std::uint16_t, "k32.f16.e5m2.e5m2 ", "", 2, 16, 64)
BINADE_WGMMA_TYPES(F16F16F16, "f16.f16.f16", std::uint16_t, "k16.f16.f16.f16 ", ", 0", 2, 16, 64)
// clang-format on

namespace binade::cuda {

void add_wgmma_f16_forms(std::vector<TileForm>& forms) {
  WgmmaForms<F16E4m3E4m3>(forms).add_usual();
  WgmmaForms<F16E4m3E5m2>(forms).add_usual();
  WgmmaForms<F16E5m2E4m3>(forms).add_usual();
  WgmmaForms<F16E5m2E5m2>(forms).add_usual();
  WgmmaForms<F16F16F16>(forms).add_usual();
}

}  // namespace binade::cuda

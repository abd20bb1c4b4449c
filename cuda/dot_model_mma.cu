// mma.sync of every pair of types on sm_90.
#include "dot_model_kernel.cuh"
#include "ptx/mma.cuh"

namespace binade::cuda {
namespace {

template <class Container,
          void (*instruction)(std::uint32_t*, const std::uint32_t*, const std::uint32_t*)>
TileForm form(const char* types) {
  TileForm f;
  f.instruction = std::string("hopper.mma.") + types;
  f.name = "m16n8";
  f.warpgroup = false;
  f.launch = launch_tiles<MmaOp<Container, 64, instruction>>;
  return f;
}

}  // namespace

void add_mma_forms(std::vector<TileForm>& forms) {
  using Fp32 = std::uint32_t;
  using Fp16 = std::uint16_t;
  forms.push_back(form<Fp32, ptx::mma_f32_e4m3_e4m3>("f32.e4m3.e4m3"));
  forms.push_back(form<Fp32, ptx::mma_f32_e4m3_e5m2>("f32.e4m3.e5m2"));
  forms.push_back(form<Fp32, ptx::mma_f32_e5m2_e4m3>("f32.e5m2.e4m3"));
  forms.push_back(form<Fp32, ptx::mma_f32_e5m2_e5m2>("f32.e5m2.e5m2"));
  forms.push_back(form<Fp32, ptx::mma_f32_f16_f16>("f32.f16.f16"));
  forms.push_back(form<Fp32, ptx::mma_f32_bf16_bf16>("f32.bf16.bf16"));
  forms.push_back(form<Fp32, ptx::mma_f32_tf32_tf32>("f32.tf32.tf32"));
  forms.push_back(form<Fp16, ptx::mma_f16_e4m3_e4m3>("f16.e4m3.e4m3"));
  forms.push_back(form<Fp16, ptx::mma_f16_e4m3_e5m2>("f16.e4m3.e5m2"));
  forms.push_back(form<Fp16, ptx::mma_f16_e5m2_e4m3>("f16.e5m2.e4m3"));
  forms.push_back(form<Fp16, ptx::mma_f16_e5m2_e5m2>("f16.e5m2.e5m2"));
  forms.push_back(form<Fp16, ptx::mma_f16_f16_f16>("f16.f16.f16"));
}

}  // namespace binade::cuda

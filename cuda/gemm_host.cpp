// A GEMM of matrices in host memory by a profile: what the kernels have of it, up and down again.
// Needs no CUDA of its own, so that both builds share it.
#include <stdexcept>

#include "binade/cuda/gemm.hpp"
#include "binade/cuda/memory.hpp"
#include "binade/formats/catalog.hpp"

namespace binade::cuda {
namespace {

[[noreturn]] void refuse(const GemmProfile& profile, const std::string& what) {
  throw std::invalid_argument("gemm_hw (" + profile.name + "): " + what);
}

void check_profile(const GemmProfile& profile, const GemmOptions& options) {
  if (profile.chain != ChainKind::kInstruction ||
      profile.instruction_family != "hopper.wgmma.f32") {
    refuse(profile, "the tensor cores' kernels have the chains of hopper.wgmma.f32 only");
  }
  if (options.instruction != nullptr) {
    refuse(profile, "instruction " + options.instruction->name +
                        " is a model; the tensor cores' kernels have their own");
  }
}

GemmScaling scaling_of(const GemmProfile& profile) {
  if (profile.scale_order == ScaleOrder::kEpilogueProduct) return GemmScaling::kTensor;
  if (profile.scale_order == ScaleOrder::kEpilogueBThenA) return GemmScaling::kRow;
  if (profile.scale_order == ScaleOrder::kPromoteFmaProduct) return GemmScaling::kBlock;
  refuse(profile,
         "its order of scales has no kernel; there are D = acc * (sa * sb), D = (acc * sb) * sa "
         "and s = fma(sa * sb, chain, s)");
}

/// The granularity that each operand's scales must have.
Granularity granularity_of(GemmScaling scaling, bool is_a) {
  if (scaling == GemmScaling::kTensor) return kPerTensor;
  if (scaling == GemmScaling::kRow) return kPerRow;
  return is_a ? Granularity{1, 128} : Granularity{128, 128};
}

void check_scales(const GemmProfile& profile, const GemmOperand& x, const char* name, std::size_t k,
                  Granularity granularity) {
  if (x.scales.empty()) return;
  const BlockGrid grid = block_grid(x.rows, k, granularity);
  const auto shape = [](std::size_t rows, std::size_t cols) {
    return std::to_string(rows) + " x " + std::to_string(cols);
  };
  if (x.scale_rows != grid.grid_rows || x.scale_cols != grid.grid_cols ||
      x.scales.size() != grid.grid_rows * grid.grid_cols) {
    refuse(profile, std::string("scales of operand ") + name + " are " +
                        std::to_string(x.scales.size()) + " as " +
                        shape(x.scale_rows, x.scale_cols) + ", expected " +
                        granularity_name(granularity) + " over " + shape(x.rows, k) + ": " +
                        shape(grid.grid_rows, grid.grid_cols));
  }
}

void check_scale_values(const GemmProfile& profile, const GemmOperand& x, const char* name) {
  for (const float scale : x.scales) {
    if (!(scale >= 0.0f)) {
      refuse(profile, std::string("a scale of operand ") + name + " is " + std::to_string(scale) +
                          ", neither zero nor positive");
    }
  }
}

/// The interval in force, in the kernels' words: an interval that K does not reach is none.
int interval_of(const GemmProfile& profile, const GemmOptions& options, std::size_t k,
                GemmScaling scaling) {
  const int asked = options.promotion_interval.value_or(profile.promotion_interval);
  if (asked < 0) refuse(profile, "promotion interval " + std::to_string(asked));
  const bool one_chain = asked == 0 || static_cast<std::size_t>(asked) >= k;
  if (!one_chain) return asked;
  return scaling == GemmScaling::kBlock && k <= 128 ? 128 : 0;
}

void check_operand(const GemmProfile& profile, const GemmOperand& x, const char* name,
                   std::size_t k) {
  if (x.rows == 0 || k == 0 || x.codes == nullptr) {
    refuse(profile, std::string("operand ") + name + " is empty: " + std::to_string(x.rows) +
                        " rows of " + std::to_string(k) + (x.codes == nullptr ? ", no data" : ""));
  }
  if (x.format != E4M3::format && x.format != E5M2::format) {
    refuse(profile, std::string("operand ") + name + " is " + format_name(x.format) +
                        ", expected e4m3 or e5m2");
  }
}

DeviceArray upload_scales(const GemmOperand& x) {
  return x.scales.empty() ? DeviceArray() : DeviceArray(x.scales);
}

}  // namespace

DeviceGemm device_gemm(const GemmProfile& profile, const GemmOperand& a, const GemmOperand& b,
                       std::size_t k, FloatFormat output, void* d, const GemmOptions& options,
                       MatrixLayout scales_a, MatrixLayout scales_b) {
  check_profile(profile, options);
  check_operand(profile, a, "A", k);
  check_operand(profile, b, "B", k);
  GemmScaling scaling = scaling_of(profile);
  check_scales(profile, a, "A", k, granularity_of(scaling, true));
  check_scales(profile, b, "B", k, granularity_of(scaling, false));
  if (a.scales.empty() && b.scales.empty()) scaling = GemmScaling::kTensor;  // all of them are 1
  if (d == nullptr) refuse(profile, "no place for D");
  if (output != kFp32Format && output != Bf16::format) {
    refuse(profile, "output " + format_name(output) + ", expected fp32 or bf16");
  }
  const auto scales = [](const GemmOperand& x, MatrixLayout layout) {
    return DeviceScales::of(x.scales.empty() ? nullptr : x.scales.data(), x.scale_rows,
                            x.scale_cols, layout);
  };
  DeviceGemm call;
  call.m = a.rows, call.n = b.rows, call.k = k;
  call.a_format = a.format, call.b_format = b.format, call.output = output;
  call.a = a.codes, call.b = b.codes, call.d = d;
  call.scaling = scaling;
  call.scale_a = scales(a, scales_a), call.scale_b = scales(b, scales_b);
  call.promotion_interval = interval_of(profile, options, k, scaling);
  return call;
}

void gemm_hw(const GemmProfile& profile, const GemmOperand& a, const GemmOperand& b, std::size_t k,
             FloatFormat output, void* d, const GemmOptions& options) {
  DeviceGemm call = device_gemm(profile, a, b, k, output, d, options);
  check_scale_values(profile, a, "A");
  check_scale_values(profile, b, "B");
  require_device(90, "gemm_hw (wgmma)");
  const DeviceArray device_a(a.codes, a.rows * k), device_b(b.codes, b.rows * k);
  const DeviceArray scales_a = upload_scales(a), scales_b = upload_scales(b);
  DeviceArray device_d(a.rows * b.rows * static_cast<std::size_t>(output.container_bits()) / 8);
  call.a = device_a.data(), call.b = device_b.data(), call.d = device_d.data();
  if (!a.scales.empty()) call.scale_a.data = scales_a.as<float>();
  if (!b.scales.empty()) call.scale_b.data = scales_b.as<float>();
  gemm_hw(call);
  synchronize();
  device_d.download(d, device_d.size());
}

}  // namespace binade::cuda

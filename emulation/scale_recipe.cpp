#include "binade/emulation/scale_recipe.hpp"

#include <array>
#include <stdexcept>
#include <utility>

namespace binade {
namespace {

template <class Value, std::size_t count>
using Names = std::array<std::pair<Value, std::string_view>, count>;

constexpr Names<ScaleType, 4> kScaleTypes{{{ScaleType::kFp32, "fp32"},
                                           {ScaleType::kPow2, "pow2"},
                                           {ScaleType::kUe8m0, "ue8m0"},
                                           {ScaleType::kE4M3, "e4m3"}}};
constexpr Names<PowerOfTwo, 2> kPowersOfTwo{
    {{PowerOfTwo::kCeil, "ceil"}, {PowerOfTwo::kFloor, "floor"}}};
constexpr Names<BlockPolicy, 4> kPolicies{{{BlockPolicy::kUnitScale, "unit"},
                                           {BlockPolicy::kNanScale, "nan"},
                                           {BlockPolicy::kIgnore, "ignore"},
                                           {BlockPolicy::kFollow, "follow"}}};

template <class Value, std::size_t count>
std::vector<std::string> names_in(const Names<Value, count>& table) {
  std::vector<std::string> names;
  for (const auto& [value, name] : table) names.emplace_back(name);
  return names;
}

template <class Value, std::size_t count>
Value parse(const Names<Value, count>& table, const char* kind, std::string_view word) {
  std::string choices;
  for (const auto& [value, name] : table) {
    if (name == word) return value;
    choices += (choices.empty() ? "" : ", ") + std::string(name);
  }
  throw std::invalid_argument("unknown " + std::string(kind) + " '" + std::string(word) +
                              "': expected one of " + choices);
}

template <class Value, std::size_t count>
std::string_view name_in(const Names<Value, count>& table, Value value) {
  for (const auto& [candidate, name] : table) {
    if (candidate == value) return name;
  }
  return "?";
}

/// The cast of PyTorch: overflow is NaN or infinity, and NaN keeps its sign.
constexpr CastRules kTorchCast = kIeeeRules;
constexpr ScaleType kFp32 = ScaleType::kFp32, kPow2 = ScaleType::kPow2, kUe8m0 = ScaleType::kUe8m0;

// The kernels in Triton, TileLang and CUDA take their maxima with an operation that skips NaN
// (kIgnore, the default); torch's propagates it (kFollow). Where a lower clamp keeps amax above
// zero, a zero block needs no case of its own (kFollow).

constexpr ScaleRule deepseek_v3() {
  ScaleRule r;
  r.floor = AmaxFloor::kOnAmax;
  r.floor_value = 1e-4f;
  r.zero_block = BlockPolicy::kFollow;
  return r;
}

constexpr ScaleRule deepseek_v3_2() {
  ScaleRule r = deepseek_v3();
  r.formula = ScaleFormula::kReciprocalConstant;
  return r;
}

constexpr ScaleRule deepgemm() {
  ScaleRule r = deepseek_v3();
  r.apply = ApplyScale::kMultiplyReciprocal;
  r.min_exponent = -126;
  r.max_exponent = 127;
  r.nan_block = BlockPolicy::kFollow;
  r.cast_rules = kTorchCast;
  return r;
}

constexpr ScaleRule deepgemm_cuda() {
  ScaleRule r = deepgemm();
  r.formula = ScaleFormula::kReciprocalConstant;
  return r;
}

constexpr ScaleRule tilekernels(float floor_value) {
  ScaleRule r = deepseek_v3();
  r.formula = ScaleFormula::kBoth;
  r.apply = ApplyScale::kMultiplyInverse;
  r.floor_value = floor_value;
  return r;
}

constexpr ScaleRule transformer_engine() {
  ScaleRule r;
  r.formula = ScaleFormula::kInverseFirst;
  r.apply = ApplyScale::kMultiplyInverse;
  r.nan_block = BlockPolicy::kUnitScale;
  r.infinite_block = BlockPolicy::kUnitScale;
  return r;
}

constexpr ScaleRule flashmla() {
  ScaleRule r;
  r.floor = AmaxFloor::kOnScale;
  r.floor_value = 1e-4f;
  r.zero_block = BlockPolicy::kFollow;
  r.nan_block = BlockPolicy::kFollow;
  r.cast_rules = kTorchCast;
  return r;
}

constexpr ScaleRule ocp_mx() {
  ScaleRule r;
  r.power_of_two = PowerOfTwo::kFloor;
  r.zero_block = BlockPolicy::kFollow;
  r.nan_block = BlockPolicy::kNanScale;
  r.infinite_block = BlockPolicy::kNanScale;
  return r;
}

constexpr ScaleRule nvidia_mx() {
  ScaleRule r;
  r.formula = ScaleFormula::kReciprocalConstant;
  r.max_exponent = 127;
  r.zero_block = BlockPolicy::kFollow;
  return r;
}

constexpr ScaleRule nvfp4() {
  ScaleRule r;
  r.zero_block = BlockPolicy::kFollow;
  return r;
}

}  // namespace

const std::vector<ScaleRecipe>& scale_recipes() {
  static const std::vector<ScaleRecipe> recipes = {
      {deepseek_v3(),
       "deepseek-v3",
       "deepseek-ai/DeepSeek-V3 9b4e978 inference/kernel.py act_quant; IEEE division stands in for "
       "Triton's div.full (at most 2 ulp), whose last bit on the device is not verified, nor that "
       "its cast saturates; ue8m0 there is a power of two kept as FP32 (pow2 here)",
       {kFp32, kPow2, kUe8m0},
       "1x128"},
      {deepseek_v3_2(),
       "deepseek-v3.2",
       "deepseek-ai/DeepSeek-V3.2-Exp 3b99a53 inference/kernel.py act_quant; its clamp to +-448 is "
       "the saturation of the cast for every number; what it makes of NaN is not verified",
       {kFp32, kPow2, kUe8m0},
       "1x128"},
      {deepgemm(),
       "deepgemm",
       "deepseek-ai/DeepGEMM 54e2261 deep_gemm/utils/math.py on CPU tensors (true division)",
       {kFp32, kPow2, kUe8m0},
       "1x128"},
      {deepgemm_cuda(),
       "deepgemm-cuda",
       "the same on CUDA tensors, where torch turns a / 448 into a * fl(1/448) "
       "(BinaryDivTrueKernel.cu); equal to torch 2.11 on an H200 in 1572 scales, 786432 codes",
       {kFp32, kPow2, kUe8m0},
       "1x128"},
      {tilekernels(1e-4f),
       "tilekernels",
       "deepseek-ai/TileKernels 36d9e45 quant/common.py get_sf_and_inv, FP8",
       {kFp32, kPow2, kUe8m0},
       "1x128"},
      {tilekernels(0x1.8p-124f),
       "tilekernels-fp4",
       "the same for E2M1, whose amax is clamped at 6 * 2^-126",
       {kFp32, kPow2, kUe8m0},
       "1x32"},
      {transformer_engine(),
       "transformer-engine",
       "NVIDIA/TransformerEngine d0067d0 recipe_common.cuh compute_scale_from_amax, epsilon 0, "
       "inverted into our direction; its kernel gives scale 1 to an amax of 0, Inf or NaN (its "
       "Python reference gives 0)",
       {kFp32, kPow2, kUe8m0},
       "tensor"},
      {flashmla(),
       "flashmla",
       "deepseek-ai/FlashMLA 9241ae3 tests/quant.py quantize_k_cache; the clamp acts on the scale, "
       "so s >= 2^-13; exponents from bits where the original has torch.log2",
       {kPow2, kUe8m0},
       "1x128"},
      {ocp_mx(),
       "ocp-mx",
       "OCP MX 1.0 section 6.3; clamps and zero, NaN and Inf blocks as microsoft/microxcaling "
       "7bc4195 with round='even'",
       {kUe8m0, kPow2},
       "1x32"},
      {nvidia_mx(),
       "nvidia-mx",
       "arXiv 2506.08027; NVIDIA/TransformerEngine ptx.cuh float_to_e8m0: amax * fl(1/max) rounded "
       "up to a power of two; unlike there, a block at the scale 2^-127 is divided by it too",
       {kUe8m0, kPow2},
       "1x32"},
      {nvfp4(),
       "nvfp4",
       "arXiv 2509.25149; NVIDIA/TransformerEngine 0718c01 core_nvfp4.cuh (FP32 coefficient)",
       {ScaleType::kE4M3},
       "1x16"},
  };
  return recipes;
}

const ScaleRecipe& find_scale_recipe(std::string_view name) {
  std::vector<std::string> names;
  for (const ScaleRecipe& recipe : scale_recipes()) {
    if (recipe.name == name) return recipe;
    names.push_back(recipe.name);
  }
  std::string nearest;
  for (const std::string& near : nearest_names(name, names)) {
    nearest += (nearest.empty() ? "" : ", ") + near;
  }
  throw std::invalid_argument("unknown scale recipe '" + std::string(name) + "': nearest are " +
                              nearest);
}

ScaleType parse_scale_type(std::string_view name) { return parse(kScaleTypes, "scale type", name); }
PowerOfTwo parse_power_of_two(std::string_view name) {
  return parse(kPowersOfTwo, "power-of-two rule", name);
}
BlockPolicy parse_block_policy(std::string_view name) {
  return parse(kPolicies, "block policy", name);
}
std::string_view name_of(ScaleType type) { return name_in(kScaleTypes, type); }
std::string_view name_of(PowerOfTwo rule) { return name_in(kPowersOfTwo, rule); }
std::string_view name_of(BlockPolicy policy) { return name_in(kPolicies, policy); }
std::vector<std::string> scale_type_names() { return names_in(kScaleTypes); }
std::vector<std::string> power_of_two_names() { return names_in(kPowersOfTwo); }
std::vector<std::string> block_policy_names() { return names_in(kPolicies); }

FloatFormat parse_element_format(std::string_view name) {
  if (name == "int8") return kInt8;
  if (name == "mxint8") return kMxInt8;
  return parse_format(name).format;
}

std::string element_name(FloatFormat element) {
  if (element == kInt8) return "int8";
  if (element == kMxInt8) return "mxint8";
  return format_name(element);
}

}  // namespace binade

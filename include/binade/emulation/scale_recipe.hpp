// Named quantisers: each is a record of choices, because they differ in the last bit.
//
// `scale` is always the dequantisation factor, x ~ value(code) * scale. Papers and libraries use
// the word for either direction; the records here have been turned to this one.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "binade/formats/catalog.hpp"
#include "binade/formats/codec.hpp"
#include "binade/formats/float_format.hpp"

namespace binade {

inline constexpr float kMaxFloat = std::numeric_limits<float>::max();

namespace detail {
// As variables, because device code may not call the functions of numeric_limits.
inline constexpr float kFp32Nan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kFp32Infinity = std::numeric_limits<float>::infinity();
inline constexpr float kFp32Smallest = std::numeric_limits<float>::denorm_min();
}  // namespace detail

/// What a scale is and how it is stored.
enum class ScaleType : std::uint8_t {
  kFp32,
  kPow2,   ///< a power of two, kept as FP32
  kUe8m0,  ///< a power of two, stored as an E8M0 code
  kE4M3,   ///< E4M3 codes under an FP32 scale of the tensor (NVFP4); has its own formula, below
};

/// How the scale follows from a block's amax; max is the largest finite element. Each operation is
/// one FP32 operation, rounded to nearest even.
enum class ScaleFormula : std::uint8_t {
  kDivide,              ///< s = amax / max
  kReciprocalConstant,  ///< s = amax * fl(1 / max): what CUDA PyTorch makes of a / 448
  kInverseFirst,        ///< inv = max / amax, s = 1 / inv
  kBoth,                ///< s = amax / max and inv = max / amax, each rounded once
};

/// How a power of two is made of it.
enum class PowerOfTwo : std::uint8_t {
  kCeil,   ///< 2^ceil(log2 s), under kInverseFirst 1 / 2^floor(log2 inv): no element saturates
  kFloor,  ///< 2^(floor(log2 amax) - emax), OCP MX: amax / s above max saturates
};

/// How the elements are brought to range.
enum class ApplyScale : std::uint8_t {
  kDivide,              ///< y = x / s
  kMultiplyReciprocal,  ///< y = x * fl(1 / s)
  kMultiplyInverse,     ///< y = x * inv
};

/// What a lower clamp acts on.
enum class AmaxFloor : std::uint8_t { kNone, kOnAmax, kOnScale };

/// What becomes of a block without a usable amax: all zeros, or with a NaN or an infinity in it.
enum class BlockPolicy : std::uint8_t {
  kUnitScale,  ///< scale 1, elements cast as they are
  kNanScale,   ///< the scale is NaN: every element of the block reads back NaN
  kIgnore,     ///< amax over the other elements; the offending ones go through the cast
  kFollow,     ///< no special case: amax is 0, NaN or infinite, and the arithmetic takes its course
};

/// The choices of a quantiser that bear on bits; trivially copyable, for device code too.
struct ScaleRule {
  ScaleFormula formula = ScaleFormula::kDivide;
  ApplyScale apply = ApplyScale::kDivide;
  PowerOfTwo power_of_two = PowerOfTwo::kCeil;
  AmaxFloor floor = AmaxFloor::kNone;
  float floor_value = 0.0f;
  int min_exponent = -127;  ///< power-of-two scales are clamped to 2^min_exponent from below
  int max_exponent = 129;   ///< and from above; 128 stands for infinity, 129 for NaN
  BlockPolicy zero_block = BlockPolicy::kUnitScale;
  BlockPolicy nan_block = BlockPolicy::kIgnore;  ///< decides when there are infinities too
  BlockPolicy infinite_block = BlockPolicy::kFollow;
  CastRules cast_rules{};
};

/// A quantiser as people know it. Copy a record and change its fields to ask "what if".
struct ScaleRecipe : ScaleRule {
  std::string name;
  std::string source;                  ///< where it is defined, and what is not verified
  std::vector<ScaleType> scale_types;  ///< what the original offers, the default first
  std::string default_granularity;
};

/// deepseek-v3, deepseek-v3.2, deepgemm, deepgemm-cuda, tilekernels, tilekernels-fp4,
/// transformer-engine, flashmla, ocp-mx, nvidia-mx, nvfp4.
const std::vector<ScaleRecipe>& scale_recipes();
/// Errors: std::invalid_argument naming the nearest.
const ScaleRecipe& find_scale_recipe(std::string_view name);

/// Names as the CLI and Python spell them. Parsing throws std::invalid_argument with the choices.
///   scale type: fp32 pow2 ue8m0 e4m3        power of two: ceil floor
///   policy:     unit nan ignore follow
ScaleType parse_scale_type(std::string_view name);
PowerOfTwo parse_power_of_two(std::string_view name);
BlockPolicy parse_block_policy(std::string_view name);
std::string_view name_of(ScaleType type);
std::string_view name_of(PowerOfTwo rule);
std::string_view name_of(BlockPolicy policy);
std::vector<std::string> scale_type_names();
std::vector<std::string> power_of_two_names();
std::vector<std::string> block_policy_names();

/// Symmetric INT8, -127 .. 127. A format with one exponent bit is a uniform grid: its subnormals
/// (0 .. 63 here) and its one binade of normals (64 .. 127) share their last place, 2^0. So integer
/// elements need no code of their own; the container is sign and magnitude, not two's complement.
inline constexpr FloatFormat kInt8{1, 6, -5, true, kFiniteOnly};
/// OCP MX INT8: the same with an implied factor 2^-6, so that emax is 0. -128 / 64 does not occur.
inline constexpr FloatFormat kMxInt8{1, 6, 1, true, kFiniteOnly};

/// "int8", "mxint8" or whatever parse_format takes. Errors: std::invalid_argument.
FloatFormat parse_element_format(std::string_view name);
/// The name that parse_element_format reads back.
std::string element_name(FloatFormat element);

/// The elements that go under scales of a type unless others are asked for: E2M1 under E4M3 scales
/// (NVFP4), else E4M3.
constexpr FloatFormat default_element(ScaleType type) {
  return type == ScaleType::kE4M3 ? E2M1::format : E4M3::format;
}

/// floor(log2 x) and ceil(log2 x) from exponent bits, for positive finite x: a logarithm in FP32 is
/// wrong next to powers of two. Zero counts as 2^-150 (below every subnormal). Infinity gives 128,
/// NaN 129.
BINADE_HD constexpr int floor_log2(float x) {
  const std::uint32_t bits = bit_cast<std::uint32_t>(x) & 0x7fffffffu;
  if (bits > 0x7f800000u) return 129;
  if (bits >= 0x00800000u) return static_cast<int>(bits >> 23) - 127;
  return bits == 0 ? -150 : bit_width_of(bits) - 150;
}
/// 2^e; 0 below the subnormals, infinity for 128 and NaN above.
BINADE_HD constexpr float exp2_of(int e) {
  if (e > 128) return detail::kFp32Nan;
  if (e >= -126) return bit_cast<float>(static_cast<std::uint32_t>(e + 127) << 23);
  return e < -149 ? 0.0f : bit_cast<float>(std::uint32_t{1} << (e + 149));
}
BINADE_HD constexpr int ceil_log2(float x) {
  const int e = floor_log2(x);
  return e < 128 && exp2_of(e) < x ? e + 1 : e;
}

/// 2^ceil(log2 x) and 2^floor(log2 x), exactly, for positive finite x.
BINADE_HD constexpr float power_of_two_ceil(float x) { return exp2_of(ceil_log2(x)); }
BINADE_HD constexpr float power_of_two_floor(float x) { return exp2_of(floor_log2(x)); }

/// The largest finite element. The format must embed in fp32.
BINADE_HD constexpr float largest_element(FloatFormat element) {
  const Unpacked u = unpack(element, element.max_finite_code());
  return static_cast<float>(u.significand) * exp2_of(u.exponent);
}

/// What a block holds, as far as its scale is concerned.
struct BlockContent {
  float amax = 0.0f;  ///< over the finite elements
  bool has_nan = false;
  bool has_infinity = false;
};

/// The scale of a tensor above E4M3 block scales; {1, 1} elsewhere.
struct TensorScale {
  float scale = 1.0f;
  float inv_scale = 1.0f;
};

/// The scale of one block.
struct BlockScale {
  float scale = 1.0f;     ///< the dequantisation factor, as stored
  float factor = 1.0f;    ///< what ApplyScale divides or multiplies by; under kE4M3 multiplies
  std::uint8_t code = 0;  ///< of `scale`, under kUe8m0 and kE4M3
};

namespace detail {

/// The amax that the formula sees once the policies have spoken, or the decision that there is no
/// formula to follow.
struct UsableAmax {
  float amax;
  BlockPolicy decision;  ///< kFollow: use amax; kUnitScale or kNanScale: that is the scale
};

BINADE_HD constexpr UsableAmax usable_amax(const ScaleRule& rule, BlockContent block) {
  BlockPolicy policy = BlockPolicy::kFollow;
  float amax = block.amax;
  if (block.has_nan && rule.nan_block != BlockPolicy::kIgnore) {
    policy = rule.nan_block;
    amax = detail::kFp32Nan;
  } else if (block.has_infinity && rule.infinite_block != BlockPolicy::kIgnore) {
    policy = rule.infinite_block;
    amax = detail::kFp32Infinity;
  } else if (amax == 0.0f && rule.zero_block != BlockPolicy::kIgnore) {
    policy = rule.zero_block;
  }
  return {amax, policy};
}

/// Keeps an inverse finite, as TransformerEngine does, so that 0 * inv is 0.
BINADE_HD constexpr float finite_inverse(float inv, float largest) {
  return inv == detail::kFp32Infinity ? largest : inv;
}

BINADE_HD constexpr BlockScale power_of_two_scale(const ScaleRule& rule, FloatFormat element,
                                                  float amax, float s, float inv) {
  int exponent = 0;
  if (rule.power_of_two == PowerOfTwo::kFloor) {
    // microxcaling counts a zero amax as the smallest normal number. E8M0 ends at 2^127, and the
    // specification makes what is beyond it NaN.
    const int top = floor_log2(amax == 0.0f ? 0x1p-126f : amax);
    exponent = top - element.emax();
    if (top > 127 || exponent > 127) exponent = 129;
  } else if (rule.formula == ScaleFormula::kInverseFirst) {
    exponent = -floor_log2(inv);
    if (exponent < -127) exponent = exponent == -128 ? -150 : 129;  // inv infinite, NaN
  } else {
    exponent = ceil_log2(s);
  }
  exponent = min_of(max_of(exponent, rule.min_exponent), rule.max_exponent);
  BlockScale b;
  b.scale = exp2_of(exponent);
  b.factor =
      rule.apply == ApplyScale::kDivide ? b.scale : finite_inverse(1.0f / b.scale, kMaxFloat);
  return b;
}

/// The E8M0 code of a power of two from 2^-127 to 2^127 is its FP32 exponent field; infinity and
/// NaN share the field 255, which is E8M0's NaN.
BINADE_HD constexpr std::uint8_t ue8m0_code(float scale) {
  return static_cast<std::uint8_t>(bit_cast<std::uint32_t>(scale) >> 23);
}

BINADE_HD constexpr void store_ue8m0(BlockScale& b) {
  b.code = ue8m0_code(b.scale);
  b.scale = exp2_of(b.code == 255 ? 129 : b.code - 127);
}

/// Rounds the scale to E4M3, saturating, and takes the factor from what is stored.
BINADE_HD constexpr void store_e4m3(BlockScale& b, TensorScale tensor) {
  constexpr auto kPlan = make_plan<std::uint32_t>(E4M3::format, CastRules{});
  b.code = static_cast<std::uint8_t>(encode_word<Rounding::kNearestEven, std::uint32_t>(
      kPlan, bit_cast<std::uint32_t>(b.scale), 0));
  const Unpacked u = unpack(E4M3::format, b.code);
  b.scale = u.value_class == ValueClass::kNan
                ? detail::kFp32Nan
                : static_cast<float>(u.significand) * exp2_of(u.exponent);
  b.factor = finite_inverse(1.0f / (b.scale * tensor.scale), kMaxFloat);
}

}  // namespace detail

/// The scale of a tensor whose blocks have E4M3 scales.
/// Arithmetic: inv = min(fl(448 * max) / amax, FLT_MAX), scale = 1 / inv; both 1 where amax is zero
/// or inv is. Source: TransformerEngine, core_nvfp4.cuh.
BINADE_HD constexpr TensorScale tensor_scale_of(FloatFormat element, float amax) {
  const float range = largest_element(E4M3::format) * largest_element(element);
  const float inv = amax == 0.0f ? 1.0f : detail::finite_inverse(range / amax, kMaxFloat);
  if (inv == 0.0f || amax == 0.0f) return {};
  return {1.0f / inv, inv};
}

/// The scale of one block, by the rule.
///
/// Units: amax and scale in those of the data. Arithmetic: amax after the policies; the lower clamp
/// on amax; the formula; the lower clamp on s; for kPow2 and kUe8m0 the power of two and its clamp;
/// then the factor, 1 / s rounded once for kMultiplyReciprocal. An inverse that overflows becomes
/// `largest_inverse` (TransformerEngine: the largest number of the input type) and a scale that
/// underflows 2^-149, so that a block of tiny numbers reads back finite. kE4M3: s = E4M3(amax *
/// fl(inv_t * fl(1 / max))), factor = min(1 / fl(s * scale_t), FLT_MAX).
/// Special values: by the policies. Determinism: a pure function. Errors: none (total).
/// Source: the recipe's. Tests: tests/emulation/scale_rule_test.cpp.
BINADE_HD constexpr BlockScale scale_of_block(const ScaleRule& rule, ScaleType type,
                                              FloatFormat element, BlockContent block,
                                              TensorScale tensor = {},
                                              float largest_inverse = kMaxFloat) {
  const detail::UsableAmax usable = detail::usable_amax(rule, block);
  const float max = largest_element(element);
  float amax = usable.amax;
  BlockScale b;
  if (rule.floor == AmaxFloor::kOnAmax && amax < rule.floor_value) amax = rule.floor_value;
  if (usable.decision == BlockPolicy::kUnitScale || usable.decision == BlockPolicy::kNanScale) {
    b.scale = usable.decision == BlockPolicy::kUnitScale ? 1.0f : detail::kFp32Nan;
    b.factor = b.scale;
  } else if (type == ScaleType::kE4M3) {
    b.scale = amax * (tensor.inv_scale * (1.0f / max));
  } else {
    float s = rule.formula == ScaleFormula::kReciprocalConstant ? amax * (1.0f / max) : amax / max;
    const float inv = detail::finite_inverse(max / amax, largest_inverse);
    if (rule.formula == ScaleFormula::kInverseFirst) s = 1.0f / inv;
    if (rule.floor == AmaxFloor::kOnScale && s < rule.floor_value) s = rule.floor_value;
    if (s == 0.0f) s = detail::kFp32Smallest;
    b.scale = s;
    b.factor = rule.apply == ApplyScale::kDivide ? s
               : rule.apply == ApplyScale::kMultiplyInverse
                   ? inv
                   : detail::finite_inverse(1.0f / s, kMaxFloat);
    if (type != ScaleType::kFp32) b = detail::power_of_two_scale(rule, element, amax, s, inv);
  }
  if (type == ScaleType::kUe8m0) detail::store_ue8m0(b);
  if (type == ScaleType::kE4M3) detail::store_e4m3(b, tensor);
  return b;
}

}  // namespace binade

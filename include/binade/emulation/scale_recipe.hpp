// Named quantisers: each is a record of choices, because they differ in the last bit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "binade/formats/codec.hpp"
#include "binade/formats/float_format.hpp"

namespace binade {

enum class ScaleType : std::uint8_t {
  kFp32,
  kUe8m0,  ///< a power of two
  kE4M3,   ///< E4M3 codes under an FP32 scale of the tensor (NVFP4)
};

/// How the dequantisation scale follows from a block's amax (all in FP32, one rounding an
/// operation).
enum class ScaleFormula : std::uint8_t {
  kDivide,              ///< s = amax / max_finite
  kReciprocalConstant,  ///< s = amax * fl(1 / max_finite): what CUDA PyTorch makes of a / 448
  kInverseFirst,        ///< inv = max_finite / amax, s = 1 / inv
  kBoth,                ///< s = amax / max_finite and inv = max_finite / amax, each rounded once
  kAmaxExponent,        ///< s = 2^(floor(log2 amax) - emax): OCP MX
};

/// How a power of two is made of it.
enum class PowerOfTwo : std::uint8_t { kCeil, kFloor };

/// How the elements are brought to range.
enum class ApplyScale : std::uint8_t {
  kDivide,              ///< y = x / s
  kMultiplyReciprocal,  ///< y = x * fl(1 / s)
  kMultiplyInverse,     ///< y = x * inv
};

/// What the smallest amax is clamped to.
enum class AmaxFloor : std::uint8_t { kNone, kOnAmax, kOnScale };

/// What a block without a usable amax becomes.
enum class BlockPolicy : std::uint8_t {
  kUnitScale,  ///< scale 1, elements cast as they are
  kNanScale,   ///< the scale is NaN: every element of the block reads back NaN
  kIgnore,     ///< amax over the finite elements; the others go through the cast
  kFollow,     ///< no special case: the arithmetic takes its course
};

struct ScaleRecipe {
  std::string name;
  std::string source;
  ScaleFormula formula = ScaleFormula::kDivide;
  ApplyScale apply = ApplyScale::kDivide;
  PowerOfTwo power_of_two = PowerOfTwo::kCeil;
  AmaxFloor floor = AmaxFloor::kNone;
  float floor_value = 0.0f;
  bool clamp_before_cast = false;
  Overflow overflow = Overflow::kSaturate;
  Rounding rounding = Rounding::kNearestEven;
  BlockPolicy zero_block = BlockPolicy::kUnitScale;
  BlockPolicy nan_block = BlockPolicy::kIgnore;
  BlockPolicy infinite_block = BlockPolicy::kFollow;
  std::vector<ScaleType> scale_types;  ///< what the original offers, the default first
  std::string default_granularity;
};

/// deepseek-v3, deepseek-v3.2, deepgemm, deepgemm-cuda, tilekernels, transformer-engine, flashmla,
/// ocp-mx, nvfp4.
const std::vector<ScaleRecipe>& scale_recipes();
/// Errors: std::invalid_argument naming the nearest.
const ScaleRecipe& find_scale_recipe(std::string_view name);
/// "fp32", "ue8m0", "e4m3".
ScaleType parse_scale_type(std::string_view name);
std::string_view name_of(ScaleType type);

/// 2^ceil(log2 x) and 2^floor(log2 x) by exponent bits alone, for positive finite x.
float power_of_two_ceil(float x);
float power_of_two_floor(float x);

}  // namespace binade

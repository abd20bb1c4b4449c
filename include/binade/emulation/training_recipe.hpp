// Training recipes: which GEMM runs in which format and scale, and what stays wider, as a record.
//
// What runs the recipe, prints it or draws it reads it from here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "binade/emulation/block_scale.hpp"
#include "binade/emulation/gemm.hpp"

namespace binade {

/// How a tensor enters a GEMM, or waits between two of them.
struct TensorRule {
  std::string format;  ///< of the elements
  /// Which elements share a scale, in rows x K of the GEMM that reads them; empty: no scales.
  std::string granularity{};
  ScaleType scale_type = ScaleType::kFp32;
  std::string quantizer{};  ///< a ScaleRecipe
  /// The scale follows from the amax of earlier steps (DelayedScaling), not from this tensor's.
  bool delayed = false;

  bool is_scaled() const { return !granularity.empty(); }
};
/// "e4m3 1x128", "e5m2 tensor delayed", "e4m3 1x128 pow2", "bf16".
std::string describe(const TensorRule& rule);

/// D = L R^T. Rows and K are those of this product, whatever the tensor's own are.
struct GemmRule {
  TensorRule left, right;
  std::string profile;         ///< a GemmProfile
  int promotion_interval = 0;  ///< K elements between promotions to FP32; 0: never
  std::string output;
};

/// What stays out of FP8.
struct WideRule {
  std::string what, format;
};

/// The three GEMMs of a linear layer, X [tokens, in], W [out, in], dY [tokens, out].
struct TrainingRecipe {
  std::string name;
  std::string summary;
  std::string source;
  GemmRule forward;  ///< Y = X W^T: left X, right W
  GemmRule dgrad;    ///< dX = dY W: left dY, right W^T
  GemmRule wgrad;    ///< dW = dY^T X: left dY^T, right X^T
  /// How X waits for its wgrad: what is quantised there is read back from this. That of the linear
  /// layer after attention may be wider, for attention's backward reads it too.
  TensorRule saved_input, saved_attention_output;
  /// How gate and up wait for SwiGLU's backward. Where they are scaled, its output is not saved but
  /// computed again from them.
  TensorRule saved_swiglu_input;
  std::vector<WideRule> wide;
  /// Of a matrix unit that does not exist: fraction bits in alignment and accumulator; 0: Hopper's.
  int fraction_bits = 0;
};

/// bf16, deepseek-v3, te-block, te-delayed, te-current, and what they are compared with:
/// e4m3-tensor, e4m3-tensor-fast (never promoted), e4m3-tensor-f9 and -f23 (never promoted, on
/// units with 9 and 23 fraction bits).
const std::vector<TrainingRecipe>& training_recipes();
/// Errors: std::invalid_argument naming the nearest.
const TrainingRecipe& find_training_recipe(std::string_view name);

/// The instruction that runs one of a recipe's GEMMs: that of the profile's family, with the
/// recipe's fraction bits where it names some. Errors: as find_instruction.
Instruction training_instruction(const TrainingRecipe& recipe, const GemmRule& rule);

}  // namespace binade

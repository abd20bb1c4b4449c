// The training recipes, from the few ways of scaling that they are made of.
#include "binade/emulation/training_recipe.hpp"

#include <stdexcept>

namespace binade {
namespace {

TensorRule unscaled(std::string format) { return {std::move(format)}; }

TensorRule deepseek(std::string format, std::string block, ScaleType type = ScaleType::kFp32) {
  return {std::move(format), std::move(block), type, "deepgemm"};
}

TensorRule transformer_engine(std::string format, std::string block,
                              ScaleType type = ScaleType::kFp32, bool delayed = false) {
  return {std::move(format), std::move(block), type, "transformer-engine", delayed};
}

const std::vector<WideRule>& usual_wide_rules() {
  static const std::vector<WideRule> rules = {
      {"embedding, output head", "bf16"}, {"normalisation, softmax, loss", "fp32"},
      {"attention's products", "bf16"},   {"activations between operations", "bf16"},
      {"master weights", "fp32"},         {"weight gradients", "fp32"}};
  return rules;
}

std::vector<WideRule> wide_rules(std::vector<WideRule> more) {
  std::vector<WideRule> rules = usual_wide_rules();
  rules.insert(rules.end(), more.begin(), more.end());
  return rules;
}

TrainingRecipe bf16() {
  const TensorRule x = unscaled("bf16");
  TrainingRecipe r;
  r.name = "bf16";
  r.summary = "every GEMM in BF16, summed by the matrix unit";
  r.source = "Kalamkar et al., arXiv 1905.12322; what the FP8 recipes are compared with";
  r.forward = r.dgrad = {x, x, "cublaslt-fast", 0, "bf16"};
  r.wgrad = {x, x, "cublaslt-fast", 0, "fp32"};
  r.saved_input = r.saved_attention_output = r.saved_swiglu_input = x;
  r.wide = wide_rules({{"Adam's moments", "fp32"}});
  return r;
}

TrainingRecipe deepseek_v3() {
  const TensorRule tile = deepseek("e4m3", "1x128"), weight = deepseek("e4m3", "128x128");
  TrainingRecipe r;
  r.name = "deepseek-v3";
  r.summary = "E4M3 everywhere, scales of 1x128 and 128x128, promoted every 128";
  r.source =
      "DeepSeek-V3 report (arXiv 2412.19437) 3.3; orders of operations as DeepGEMM's 1d2d kernel "
      "and TransformerEngine's 1dx1d reference have them";
  r.forward = r.dgrad = {tile, weight, "deepgemm", 128, "bf16"};
  r.wgrad = {tile, tile, "te-1dx1d", 128, "fp32"};
  r.saved_input = tile;
  r.saved_attention_output = deepseek("e5m6", "1x128", ScaleType::kPow2);
  r.saved_swiglu_input = tile;
  r.wide = wide_rules({{"MoE gating", "bf16"}, {"Adam's moments", "bf16"}});
  return r;
}

TrainingRecipe te_block() {
  const auto scaled = [](std::string block) {
    return transformer_engine("e4m3", std::move(block), ScaleType::kPow2);
  };
  TrainingRecipe r;
  r.name = "te-block";
  r.summary = "E4M3 everywhere, power-of-two scales of 1x128 and 128x128, promoted every 128";
  r.source = "TransformerEngine, Float8BlockScaling";
  r.forward = r.dgrad = {scaled("1x128"), scaled("128x128"), "te-1dx2d", 128, "bf16"};
  r.wgrad = {scaled("1x128"), scaled("1x128"), "te-1dx1d", 128, "fp32"};
  // Both orders are quantised from the original.
  r.saved_input = r.saved_attention_output = r.saved_swiglu_input = unscaled("bf16");
  r.wide = wide_rules({{"Adam's moments", "fp32"}});
  return r;
}

/// E4M3 forward and `gradient` backward under one scale a tensor; the forward GEMM sums in the
/// matrix unit alone where it is `fast`, and so do the others where all are.
TrainingRecipe per_tensor(std::string gradient, bool delayed, bool fast_forward,
                          bool fast_backward) {
  const TensorRule x = transformer_engine("e4m3", "tensor", ScaleType::kFp32, delayed);
  const TensorRule dy =
      transformer_engine(std::move(gradient), "tensor", ScaleType::kFp32, delayed);
  const auto profile = [](bool fast) { return fast ? "cublaslt-fast" : "cublaslt"; };
  const auto interval = [](bool fast) { return fast ? 0 : 128; };
  TrainingRecipe r;
  r.forward = {x, x, profile(fast_forward), interval(fast_forward), "bf16"};
  r.dgrad = {dy, x, profile(fast_backward), interval(fast_backward), "bf16"};
  r.wgrad = {dy, x, profile(fast_backward), interval(fast_backward), "fp32"};
  // One scale serves both orders of a matrix, so its codes are merely transposed.
  r.saved_input = r.saved_attention_output = x;
  r.saved_swiglu_input = unscaled("bf16");
  r.wide = wide_rules({{"Adam's moments", "fp32"}});
  return r;
}

TrainingRecipe hybrid(bool delayed) {
  TrainingRecipe r = per_tensor("e5m2", delayed, true, false);
  r.name = delayed ? "te-delayed" : "te-current";
  r.summary = delayed ? "E4M3 forward, E5M2 backward, one scale a tensor from earlier steps' amax"
                      : "E4M3 forward, E5M2 backward, one scale a tensor from its own amax";
  r.source = delayed ? "TransformerEngine, DelayedScaling (format HYBRID, history 1024, max)"
                     : "TransformerEngine, Float8CurrentScaling (format HYBRID)";
  return r;
}

TrainingRecipe contrast(std::string name, std::string summary, bool fast, int fraction_bits) {
  TrainingRecipe r = per_tensor("e4m3", false, fast, fast);
  r.name = std::move(name);
  r.summary = std::move(summary);
  r.source = "contrast: one change at a time from E4M3 with one scale a tensor";
  r.fraction_bits = fraction_bits;
  return r;
}

std::vector<TrainingRecipe> make_recipes() {
  return {
      bf16(),
      deepseek_v3(),
      te_block(),
      hybrid(true),
      hybrid(false),
      contrast("e4m3-tensor", "E4M3 everywhere, one scale a tensor, promoted every 128", false, 0),
      contrast("e4m3-tensor-fast", "the same, never promoted", true, 0),
      contrast("e4m3-tensor-f9", "never promoted, on a unit of 9 fraction bits", true, 9),
      contrast("e4m3-tensor-f23", "never promoted, on a unit of 23 fraction bits", true, 23),
  };
}

}  // namespace

std::string describe(const TensorRule& rule) {
  std::string text = rule.format;
  if (!rule.is_scaled()) return text;
  text += " " + rule.granularity;
  if (rule.scale_type != ScaleType::kFp32) text += " " + std::string(name_of(rule.scale_type));
  if (rule.delayed) text += " delayed";
  return text;
}

const std::vector<TrainingRecipe>& training_recipes() {
  static const std::vector<TrainingRecipe> recipes = make_recipes();
  return recipes;
}

const TrainingRecipe& find_training_recipe(std::string_view name) {
  std::vector<std::string> names;
  for (const TrainingRecipe& r : training_recipes()) {
    if (r.name == name) return r;
    names.push_back(r.name);
  }
  std::string hint;
  for (const std::string& n : nearest_names(name, names)) hint += (hint.empty() ? "" : ", ") + n;
  throw std::invalid_argument("unknown training recipe '" + std::string(name) + "': did you mean " +
                              hint + "?");
}

Instruction training_instruction(const TrainingRecipe& recipe, const GemmRule& rule) {
  Instruction i = find_instruction(find_gemm_profile(rule.profile).instruction_family + "." +
                                   rule.left.format + "." + rule.right.format);
  if (recipe.fraction_bits == 0) return i;
  i.name = "hypothetical";
  i.verified = false;
  i.model.alignment_fraction_bits = recipe.fraction_bits;
  i.model.result.mantissa_bits = recipe.fraction_bits;
  return i;
}

}  // namespace binade

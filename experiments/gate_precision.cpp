// How often a narrower gate sends a token to other experts.
#include <algorithm>
#include <cmath>
#include <span>

#include "binade/emulation/gemm.hpp"
#include "binade/emulation/moe_gate.hpp"
#include "binade/emulation/top_k.hpp"
#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"
#include "fp64_product.hpp"
#include "sampling.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

const std::vector<std::string> kPrecisions = {"fp32", "bf16-logits", "fp8-tokens", "fp8-both"};

std::vector<std::uint16_t> bf16_codes(std::span<const float> x) {
  std::vector<std::uint16_t> codes(x.size());
  cast(kFp32Format, x.data(), Bf16::format, codes.data(), codes.size());
  return codes;
}

/// Tokens and the gate's weights in BF16, as they reach it, with their FP8 versions.
struct Gate {
  std::size_t tokens, hidden;
  GateRules rules;
  std::vector<float> x_values, w_values;  ///< of the BF16 codes
  std::vector<std::uint16_t> x, w;
  Quantized x8, w8;
  std::vector<double> bias, exact;  ///< logits in fp64

  GemmOperand tokens_bf16() const { return {Bf16::format, x.data(), tokens}; }
  GemmOperand weights_bf16() const { return {Bf16::format, w.data(), rules.experts}; }
};

GemmOperand operand_of(const Quantized& q) {
  return {q.element, q.codes.data(), q.rows, q.scales, q.scale_rows, q.scale_cols};
}

Gate make_gate(const Arguments& arguments) {
  Gate g;
  g.tokens = size_argument(arguments, "tokens");
  g.hidden = size_argument(arguments, "hidden");
  g.rules = kDeepSeekV3Gate;
  g.rules.experts = size_argument(arguments, "experts");
  g.rules.groups = size_argument(arguments, "groups");
  g.rules.kept_groups = size_argument(arguments, "kept_groups");
  g.rules.active = size_argument(arguments, "active");
  const std::uint64_t seed = seed_argument(arguments);
  const int threads = arguments.threads;
  const std::vector<float> x = sample("normal", g.tokens * g.hidden, seed, 0, threads);
  std::vector<float> w = sample("normal", g.rules.experts * g.hidden, seed, 1, threads);
  const double size = arguments.number("weight_size"), spread = arguments.number("bias_spread");
  for (float& v : w) v = static_cast<float>(size * v);
  g.x = bf16_codes(x);
  g.w = bf16_codes(w);
  const ScaleRecipe& recipe = find_scale_recipe("deepseek-v3");
  g.x8 = quantize(Bf16::format, g.x.data(), g.tokens, g.hidden, recipe, {1, 128}, ScaleType::kFp32,
                  E4M3::format, threads);
  g.w8 = quantize(Bf16::format, g.w.data(), g.rules.experts, g.hidden, recipe, {128, 128},
                  ScaleType::kFp32, E4M3::format, threads);
  for (const float b : sample("normal", g.rules.experts, seed, 2)) g.bias.push_back(spread * b);
  g.x_values.resize(g.x.size());
  g.w_values.resize(g.w.size());
  decode(Bf16::format, g.x.data(), g.x_values);
  decode(Bf16::format, g.w.data(), g.w_values);
  g.exact = fp64_product(widened(g.x_values), widened(g.w_values), g.hidden, threads);
  return g;
}

std::vector<float> logits_of(const Gate& g, const std::string& precision, int threads) {
  std::vector<float> logits(g.exact.size());
  GemmOptions options;
  options.threads = threads;
  if (precision == "fp32") {
    gemm(find_gemm_profile("fp32-sequential"), g.tokens_bf16(), g.weights_bf16(), g.hidden,
         kFp32Format, logits.data(), options);
  } else if (precision == "fp8-both") {
    gemm(find_gemm_profile("deepgemm"), operand_of(g.x8), operand_of(g.w8), g.hidden, kFp32Format,
         logits.data(), options);
  } else if (precision == "fp8-tokens") {
    std::vector<float> x(g.x.size());
    dequantize(g.x8, x, threads);
    const std::vector<double> exact =
        fp64_product(widened(x), widened(g.w_values), g.hidden, threads);
    std::ranges::transform(exact, logits.begin(), [](double v) { return static_cast<float>(v); });
  } else {
    std::ranges::transform(g.exact, logits.begin(), [](double v) { return static_cast<float>(v); });
    round_to(Bf16::format, logits, logits);
  }
  return logits;
}

Table run(const Arguments& arguments) {
  const Gate g = make_gate(arguments);
  const auto precisions = arguments.text_list("precisions");
  const GateChoice<double> want =
      moe_gate(g.rules, std::span<const double>(g.exact), g.bias, arguments.threads);
  const std::vector<float> bias(g.bias.begin(), g.bias.end());
  Table table;
  Progress progress{arguments, precisions.size()};
  for (const std::string& precision : precisions) {
    const std::vector<float> logits = logits_of(g, precision, arguments.threads);
    const GateChoice<float> got =
        moe_gate(g.rules, std::span<const float>(logits), bias, arguments.threads);
    const std::size_t active = g.rules.active;
    double changed = 0, moved = 0, error = 0, signal = 0;
    for (std::size_t t = 0; t < g.tokens; ++t) {
      const auto a = std::span(want.experts).subspan(t * active, active);
      const auto b = std::span(got.experts).subspan(t * active, active);
      const double kept = recall(b, a);
      changed += kept < 1;
      moved += (1 - kept) * static_cast<double>(active);
    }
    for (std::size_t i = 0; i < g.exact.size(); ++i) {
      const double e = static_cast<double>(logits[i]) - g.exact[i];
      error += e * e;
      signal += g.exact[i] * g.exact[i];
    }
    const auto tokens = static_cast<double>(g.tokens);
    table.rows.push_back({precision, count_cell(g.tokens), changed / tokens, moved / tokens,
                          std::sqrt(error / signal)});
    progress.step();
  }
  return table;
}

}  // namespace

Experiment gate_precision() {
  Experiment e;
  e.name = "gate_precision";
  e.question = "How narrow may the gate of a mixture of experts be?";
  e.source =
      "DeepSeek-V3 report 3.3: the gate keeps its precision; inference/model.py Gate: sigmoid, "
      "a bias for the choice alone, groups by the sum of their two best, weights that sum to 2.5";
  e.parameters = {
      {"precisions", "fp32,bf16-logits,fp8-tokens,fp8-both", "",
       "FP32 sums; fp64 logits rounded to BF16; tokens in FP8 1x128; weights in FP8 128x128 too",
       kPrecisions},
      {"tokens", "2048", "32", "that are routed", {}},
      {"hidden", "7168", "256", "elements of a token", {}},
      {"experts", "256", "32", "routed", {}},
      {"groups", "8", "", "of experts", {}},
      {"kept_groups", "4", "", "that a token may be sent to", {}},
      {"active", "8", "4", "experts of a token", {}},
      {"weight_size", "0.006", "", "standard deviation of the gate's weights", {}},
      {"bias_spread", "0", "", "standard deviation of the bias", {}},
      seed_parameter(),
  };
  e.columns = {
      {"precision", "", "of the gate"},
      {"tokens", "", "that were routed"},
      {"changed_tokens", "", "share of the tokens with another set of experts"},
      {"changed_experts", "", "experts of a token that are others, mean"},
      {"logit_error", "", "root mean square error of the logits over their own"},
  };
  e.keeps_figure = true;
  e.findings = {
      {"tokens that go to other experts, BF16 logits",
       "2.3 % (calculated)",
       "2.9 %",
       "reproduced within the draws: 2.4 to 4.2 % over nine",
       "changed_tokens",
       {},
       {{"precision", "bf16-logits"}},
       {}},
      {"tokens that go to other experts, tokens in FP8",
       "22 % (calculated)",
       "21.6 %",
       "reproduced within the draws: 21.6 to 24.5 % over nine",
       "changed_tokens",
       {},
       {{"precision", "fp8-tokens"}},
       {}},
      {"tokens that go to other experts, tokens and weights in FP8",
       "33 % (calculated)",
       "29.1 %",
       "reproduced within the draws: 29.1 to 33.5 % over nine",
       "changed_tokens",
       {},
       {{"precision", "fp8-both"}},
       {}},
      {"the same, FP32",
       "0 (calculated)",
       "0",
       "reproduced",
       "changed_tokens",
       {},
       {{"precision", "fp32"}},
       {}},
  };
  e.run = run;
  return e;
}

}  // namespace binade::experiments

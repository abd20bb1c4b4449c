// Which experts a token is sent to: scores, groups, the choice and its weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace binade {

enum class GateScore : std::uint8_t {
  kSigmoid,       ///< 1 / (1 + exp(-x)); DeepSeek-V3
  kSoftmax,       ///< exp(x - max) / sum; DeepSeek-V2
  kSqrtSoftplus,  ///< sqrt(log(1 + exp(x))), sqrt(x) above 20; DeepSeek-V4
};

struct GateRules {
  std::size_t experts = 0;  ///< routed
  std::size_t active = 0;   ///< that a token is sent to
  std::size_t groups = 1, kept_groups = 1;
  GateScore score = GateScore::kSigmoid;
  double route_scale = 1.0;
};

/// DeepSeek-V3's: 256 experts in 8 groups of which 4 are kept, 8 active, weights that sum to 2.5.
inline constexpr GateRules kDeepSeekV3Gate{256, 8, 8, 4, GateScore::kSigmoid, 2.5};

/// [tokens, active], the best first.
template <class Real>
struct GateChoice {
  std::vector<std::int32_t> experts;
  std::vector<Real> weights;
};

/// The experts of each token and their weights.
///
/// Shapes: logits [tokens, experts]; bias [experts], or empty for none; returns [tokens, active].
/// Arithmetic, in the type of the logits, one rounding an operation (the scores themselves in fp64,
/// rounded once):
///   score   by rules.score; ranked by fl(score + bias), so that the bias decides the choice alone
///   groups  of consecutive experts; where fewer are kept than there are, a group ranks by the sum
///           of its two largest, or by its largest where there is no bias; experts of the others
///           are out
///   choice  the `active` largest, by stable_top_k: of equals the lower index, groups alike
///   weight  the chosen scores, without bias; divided by their sum (added up in the order of
///           choice) unless they are of a softmax; times route_scale
/// Special values: a NaN logit ranks first, as in torch.topk.
/// Determinism: the same on any number of threads; the scores call exp and log, so another C
/// library may move a rare one by an ulp.
/// Errors: std::invalid_argument for sizes that do not fit, groups that do not divide the experts,
/// more groups kept than there are, groups of one expert ranked by two, or more active experts than
/// the kept groups hold.
/// Source: deepseek-ai/DeepSeek-V3 9b4e978 and DeepSeek-V3.2-Exp 3b99a53 inference/model.py Gate;
/// TileKernels moe/top2_sum_gate_kernel.py, which adds 1e-20 to the sum and takes ties likewise.
/// Tests: tests/emulation/moe_gate_test.cpp.
GateChoice<float> moe_gate(const GateRules& rules, std::span<const float> logits,
                           std::span<const float> bias, int threads = 0);
GateChoice<double> moe_gate(const GateRules& rules, std::span<const double> logits,
                            std::span<const double> bias, int threads = 0);

}  // namespace binade

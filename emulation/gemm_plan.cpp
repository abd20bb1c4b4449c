#include "binade/emulation/gemm_plan.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "binade/formats/catalog.hpp"
#include "gemm_scales.hpp"

namespace binade {

void refuse_gemm(const GemmProfile& profile, const std::string& what) {
  throw std::invalid_argument("gemm (" + profile.name + "): " + what);
}

namespace {

void check_operand(const GemmProfile& profile, const GemmOperand& x, const char* name,
                   std::size_t k) {
  if (x.rows == 0 || k == 0 || x.codes == nullptr) {
    refuse_gemm(profile, std::string("operand ") + name + " is empty: " + std::to_string(x.rows) +
                             " rows of " + std::to_string(k) +
                             (x.codes == nullptr ? ", no data" : ""));
  }
}

const Instruction& choose_instruction(const GemmProfile& profile, const GemmOperand& a,
                                      const GemmOperand& b, const GemmOptions& options) {
  const auto short_name = [](FloatFormat f) {
    return f == Fp16::format ? std::string("f16") : format_name(f);
  };
  const Instruction& i = options.instruction != nullptr
                             ? *options.instruction
                             : find_instruction(profile.instruction_family + "." +
                                                short_name(a.format) + "." + short_name(b.format));
  validate(i);
  if (i.a != a.format || i.b != b.format) {
    refuse_gemm(profile, "instruction " + i.name + " takes " + format_name(i.a) + " and " +
                             format_name(i.b) + ", the operands are " + format_name(a.format) +
                             " and " + format_name(b.format));
  }
  return i;
}

/// The promotion interval in force; the whole K stands for never.
std::size_t choose_interval(const GemmProfile& profile, std::size_t k, std::size_t instruction_k,
                            const ScaleLayout& sa, const ScaleLayout& sb,
                            const GemmOptions& options) {
  const int asked = options.promotion_interval.value_or(profile.promotion_interval);
  if (asked < 0 || static_cast<std::size_t>(asked) % instruction_k != 0) {
    refuse_gemm(profile, "promotion interval " + std::to_string(asked) + " is no multiple of the " +
                             std::to_string(instruction_k) + " products of one instruction");
  }
  const std::size_t shared = std::min(sa.block_k, sb.block_k);
  std::size_t interval = asked == 0 ? k : std::min(static_cast<std::size_t>(asked), k);
  if (profile.chain == ChainKind::kFp32Sequential && asked == 0) interval = shared;
  if (shared < k && !scales_at_promotion(profile.scale_order)) {
    refuse_gemm(profile, "scales that vary along K cannot be applied after the last step");
  }
  const auto fits = [&](std::size_t block) { return block >= k || block % interval == 0; };
  if (!fits(sa.block_k) || !fits(sb.block_k)) {
    refuse_gemm(profile, "scales change every " + std::to_string(shared) +
                             " along K, which promotion interval " + std::to_string(asked) +
                             " does not divide");
  }
  return interval;
}

}  // namespace

GemmPlan plan_gemm(const GemmProfile& profile, const GemmOperand& a, const GemmOperand& b,
                   std::size_t k, const GemmOptions& options) {
  check_operand(profile, a, "A", k);
  check_operand(profile, b, "B", k);
  GemmPlan plan;
  plan.scale_a = detail::scale_layout(a, "A", k, profile.scale_a);
  plan.scale_b = detail::scale_layout(b, "B", k, profile.scale_b);
  plan.interval = k;
  if (profile.chain == ChainKind::kExact) return plan;
  std::size_t instruction_k = 1;
  if (profile.chain == ChainKind::kInstruction) {
    plan.instruction = &choose_instruction(profile, a, b, options);
    instruction_k = static_cast<std::size_t>(plan.instruction->k);
  } else if (!embeds_in(a.format, kFp32Format) || !embeds_in(b.format, kFp32Format)) {
    refuse_gemm(profile, "operands " + format_name(a.format) + " and " + format_name(b.format) +
                             " do not both fit in fp32");
  }
  plan.interval = choose_interval(profile, k, instruction_k, plan.scale_a, plan.scale_b, options);
  plan.promotes = plan.interval < k || scales_at_promotion(profile.scale_order);
  return plan;
}

}  // namespace binade

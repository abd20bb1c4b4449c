#include "binade/emulation/dot_neighbours.hpp"

#include <array>
#include <utility>

#include "binade/emulation/dot_model.hpp"

namespace binade {

std::vector<DotNeighbour> dot_neighbours(const Instruction& instruction) {
  validate(instruction);
  const DotModel& m = instruction.model;
  const bool fp16 = instruction.c.mantissa_bits == 10;
  std::vector<DotNeighbour> all;
  const auto add = [&](std::string name, auto change) {
    Instruction other = instruction;
    change(other.model);
    if (other.model == m || !is_valid(other)) return;
    all.push_back({std::move(name), other.model});
  };
  add("F - 1", [](DotModel& x) { --x.alignment_fraction_bits; });
  add("F + 1", [](DotModel& x) { ++x.alignment_fraction_bits; });
  add("alignment floor", [](DotModel& x) { x.alignment = AlignmentRounding::kFloor; });
  add("alignment nearest", [](DotModel& x) { x.alignment = AlignmentRounding::kNearestEven; });
  for (const int clamp :
       fp16 ? std::array{-19, -20, -22, -23} : std::array{-126, -132, -133, -134}) {
    add("clamp " + std::to_string(clamp), [&](DotModel& x) { x.min_exponent = clamp; });
  }
  add("no clamp", [](DotModel& x) { x.min_exponent = kNoExponentClamp; });
  add("zeros join the maximum", [](DotModel& x) { x.zeros_join_maximum = true; });
  add("products normalised", [](DotModel& x) { x.normalize_products = true; });
  if (m.order == StepOrder::kConsecutive) {
    add("half as many products a step", [](DotModel& x) { x.step_k /= 2; });
  }
  add("steps consecutive", [](DotModel& x) { x.order = StepOrder::kConsecutive; });
  add("C joins the first step", [](DotModel& x) { x.addend = AddendRule::kAligned; });
  add("C added last", [](DotModel& x) { x.addend = AddendRule::kAddedLast; });
  add("result one bit less", [](DotModel& x) { --x.result.mantissa_bits; });
  if (m.result.mantissa_bits < instruction.c.mantissa_bits) {
    add("result one bit more", [](DotModel& x) { ++x.result.mantissa_bits; });
  }
  add("result toward zero", [](DotModel& x) { x.result_rounding = Rounding::kTowardZero; });
  add("result to nearest", [](DotModel& x) { x.result_rounding = Rounding::kNearestEven; });
  return all;
}

}  // namespace binade

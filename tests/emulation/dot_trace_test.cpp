// The trace tells the truth: its terms, sums and results follow from one another and end in the
// bits that dot gives; and the core is a constant expression.
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "binade/emulation/dot_step.hpp"
#include "binade/emulation/instructions.hpp"
#include "binade/formats/catalog.hpp"
#include "catch.hpp"

using namespace binade;

namespace {

/// |x| truncated to a whole number, as the model's default alignment does.
double toward_zero(double x) { return std::trunc(x); }

void check_step(const Instruction& i, const DotStep& step) {
  double sum = 0;
  for (const DotTerm& t : step.terms) {
    const double value =
        std::ldexp(static_cast<double>(t.significand), t.exponent - t.fraction_bits);
    const double units = std::ldexp(t.negative ? -value : value, -step.unit_exponent);
    if (t.significand != 0) CHECK(t.exponent <= step.max_exponent);
    if (!step.is_final_addition) {
      CHECK(static_cast<double>(t.aligned) == toward_zero(units));
      CHECK(t.lost_bits == (toward_zero(units) != units));
      CHECK(t.takes_part == (t.significand != 0));
    }
    sum += static_cast<double>(t.aligned);
  }
  CHECK(sum == static_cast<double>(step.sum));
  if (step.terms.empty()) return;
  CastRules rules = kIeeeRules;
  rules.rounding = step.is_final_addition ? Rounding::kNearestEven : i.model.result_rounding;
  const double total = std::ldexp(sum, step.unit_exponent);
  const double limit = std::ldexp(1.0, i.c.emax() + 1);
  if (std::abs(total) >= limit) return;
  std::uint64_t code = encode(i.model.result, total, rules)
                       << (i.c.mantissa_bits - i.model.result.mantissa_bits);
  if ((code & i.c.magnitude_mask()) == 0) code = 0;
  CHECK(step.result == code);
}

}  // namespace

TEST_CASE("traces are consistent and end in the result of dot") {
  std::mt19937 bits(8);
  for (const Instruction& i : instructions()) {
    if (i.model.alignment != AlignmentRounding::kTruncate) continue;
    INFO(i.name);
    const auto width = static_cast<std::size_t>(i.a.container_bits()) / 8;
    const std::size_t k = static_cast<std::size_t>(i.k) + 3;  // two instructions, one ragged
    for (int trial = 0; trial < 20; ++trial) {
      std::vector<unsigned char> a(k * width), b(a.size());
      for (auto& byte : a) byte = static_cast<unsigned char>(bits());
      for (auto& byte : b)
        byte = static_cast<unsigned char>(bits() & (trial % 2 == 0 ? 0x3f : 0xff));
      const std::uint64_t c = bits() & (i.c.bits() == 32 ? 0xbfffffffu : 0xbfffu);
      std::uint64_t d = 0;
      dot(i, a.data(), b.data(), &c, &d, 1, k, 1);
      const DotTrace trace = trace_dot(i, a.data(), b.data(), &c, k);
      CHECK(trace.result == d);
      CHECK(trace.steps.back().result == d);
      const bool last = i.model.addend == AddendRule::kAddedLast;
      CHECK(trace.steps.size() ==
            2 * static_cast<std::size_t>(i.k / i.model.step_k + (last ? 1 : 0)));
      for (const DotStep& step : trace.steps) {
        check_step(i, step);
        const std::size_t terms =
            step.is_final_addition ? 2 : static_cast<std::size_t>(i.model.step_k) + 1;
        CHECK((step.terms.empty() || step.terms.size() == terms));
      }
    }
  }
}

TEST_CASE("a trace names the products of its step, C and the chain") {
  const Instruction& mma = find_instruction("hopper.mma.f32.e4m3.e4m3");
  std::vector<unsigned char> a(64, 0x38), b(64, 0x38);  // all 1
  const float c = 0.5f;
  const DotTrace trace = trace_dot(mma, a.data(), b.data(), &c, 64);
  REQUIRE(trace.steps.size() == 6);
  const auto ks = [&](std::size_t step) {
    std::vector<int> list;
    for (const DotTerm& t : trace.steps[step].terms) list.push_back(t.k);
    return list;
  };
  CHECK(ks(0) ==
        std::vector<int>{0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29, kTermC});
  CHECK(ks(1)[0] == 2);
  CHECK(ks(4)[1] == 32 + 3);
  CHECK(ks(5) == std::vector<int>{kTermChain, kTermC});
  CHECK(trace.steps[2].is_final_addition);
  CHECK(trace.steps[2].result == bit_cast<std::uint32_t>(32.5f));
  CHECK(trace.result == bit_cast<std::uint32_t>(64.5f));
  // Bits lost in the final addition are said to be lost.
  const float far = 1e-30f;
  const DotTrace lossy = trace_dot(mma, a.data(), b.data(), &far, 32);
  CHECK(lossy.steps.back().terms[1].lost_bits);
  CHECK_FALSE(trace.steps[2].terms[1].lost_bits);
}

TEST_CASE("the core is a constant expression") {
  constexpr std::uint64_t d = [] {
    const DotPlan plan = make_dot_plan(DotModel{}, E4M3::format, E4M3::format, Fp32::format, 32);
    DotOperand a[32] = {}, b[32] = {};
    for (int i = 0; i < 32; ++i) {
      a[i] = b[i] = dot_operand(E4M3::format, 0x3f);  // 1.875
    }
    return dot_instruction(plan, a, b, 0);
  }();
  static_assert(d == 0x42e10000);  // 112.5
  CHECK(d == 0x42e10000);
}

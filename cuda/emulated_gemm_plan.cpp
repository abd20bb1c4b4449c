#include "emulated_gemm_plan.hpp"

#include <algorithm>
#include <cmath>

namespace binade::cuda::detail {
namespace {

constexpr int kDepth = 32;               ///< products that a stage holds, where steps are shorter
constexpr int kSharedBytes = 226 << 10;  ///< what one block may have on Hopper
constexpr int kFarthest = 400;           ///< exponents of products in fp64
constexpr int kSingleReach = 40;         ///< and in fp32

/// Whether a step's sum of products and C stays below 2^bits units.
bool sum_fits(const DotModel& m, int bits) {
  return bits > m.alignment_fraction_bits &&
         4 * std::int64_t{m.step_k} + 2 <= std::int64_t{1} << (bits - m.alignment_fraction_bits);
}

bool products_within(const Instruction& i, int reach) {
  return i.a.emax() + i.b.emax() <= reach &&
         operand_emin(i.model, i.a) + operand_emin(i.model, i.b) >= -reach;
}

/// Whether a number scaled below 1 is still a normal fp32.
bool stays_normal(FloatFormat f) { return f.emax() - f.min_ulp_exponent() <= 100; }

template <class Real>
bool lanes_suffice(const Instruction& i) {
  const DotModel& m = i.model;
  // Floor and nearest start in the middle of a binade.
  const int sum_bits =
      RealBits<Real>::kMantissa - (m.alignment == AlignmentRounding::kTruncate ? 0 : 1);
  constexpr bool kSingle = sizeof(Real) == 4;
  const int reach = kSingle ? kSingleReach : kFarthest;
  const bool rounds = m.result.mantissa_bits == i.c.mantissa_bits || m.result.mantissa_bits <= 22;
  return products_within(i, reach) && m.min_exponent <= reach && sum_fits(m, sum_bits) &&
         embeds_in(i.a, kFp32Format) && embeds_in(i.b, kFp32Format) &&
         !(m.normalize_products && m.zeros_join_maximum) &&
         (!kSingle || (i.a.precision() + i.b.precision() <= 24 && rounds && stays_normal(i.a) &&
                       stays_normal(i.b) && m.addend == AddendRule::kAligned));
}

/// C is an fp32 whose clamps no number in sight can reach, and D is cut, not rounded.
bool is_plain(const Instruction& i) {
  const DotModel& m = i.model;
  return i.c == kFp32Format && m.result_rounding == Rounding::kTowardZero &&
         products_within(i, kSingleReach);
}

template <class Real>
void set_lanes(ChainPlan& plan, const Instruction& i, std::size_t k, const GemmPlan& gemm) {
  using L = RealBits<Real>;
  const DotModel& m = i.model;
  constexpr bool kSingle = sizeof(Real) == 4;
  plan.kind = kSingle ? LaneKind::kSingle : LaneKind::kDouble;
  const int down_a = kSingle ? i.a.emax() + 1 : 0, down_b = kSingle ? i.b.emax() + 1 : 0;
  const int down = down_a + down_b;
  // The code of a product is the exponent field of M = 2^(E - F + kMantissa).
  const int bias = L::kBias + L::kMantissa - m.alignment_fraction_bits;
  const int bias_a = bias / 2;
  plan.a = {i.a, m, i.k, down_a, bias_a, L::kCodeShift};
  plan.b = {i.b, m, i.k, down_b, bias - bias_a, L::kCodeShift};
  LanePlan& p = plan.lanes;
  p.step_k = m.step_k;
  p.steps = i.k / m.step_k;
  p.stage_steps = std::max(1, (kSingle ? kDepth : kDepth / 2) / m.step_k);
  const auto steps_of = [&](std::size_t products) {
    return static_cast<int>((products + static_cast<std::size_t>(i.k) - 1) /
                            static_cast<std::size_t>(i.k)) *
           p.steps;
  };
  p.total_steps = steps_of(k);
  p.promotion_steps = steps_of(gemm.interval);
  p.added_last = m.addend == AddendRule::kAddedLast;
  p.nearest = m.result_rounding == Rounding::kNearestEven;
  p.plain = is_plain(i);
  const auto packed = [](int code) { return static_cast<int>((code & 0xffff) * 0x10001u); };
  const auto code = [&](int field) { return packed(field * (1 << L::kCodeShift)); };
  p.code_offset = code(L::kMantissa - m.alignment_fraction_bits);
  // Below every product and every C: all that such a grid could cut is zero.
  const int lowest = kSingle ? 24 : L::kBias + L::kMantissa - 48 - kFarthest;
  p.lowest_code =
      code(std::max(lowest, m.min_exponent == kNoExponentClamp ? 0 : m.min_exponent - down + bias));
  p.c_emin_field = std::max(0, i.c.emin() - down + L::kBias);
  p.c_zero_field = m.zeros_join_maximum ? p.c_emin_field : 0;
  p.result_mantissa_bits = m.result.mantissa_bits;
  p.result_emin_field = std::max(0, m.result.emin() - down + L::kBias);
  p.result_max = std::ldexp(decode(m.result, m.result.max_finite_code()), -down);
  p.result_mask = ~((std::uint64_t{1} << (L::kMantissa - m.result.mantissa_bits)) - 1);
  p.up = std::ldexp(1.0, down);
  const int depth = p.stage_steps * p.step_k;
  const auto outputs =
      static_cast<std::size_t>(tile_shape<Real>().rows() * tile_shape<Real>().cols());
  plan.shared_bytes = 2 * (stage_bytes_a<Real>(depth) + stage_bytes_b<Real>(depth)) +
                      (p.added_last ? outputs * sizeof(Real) : 0) +
                      (gemm.promotes ? outputs * sizeof(float) : 0);
}

}  // namespace

ChainPlan make_chain_plan(const Instruction& i, std::size_t k, const GemmPlan& gemm, bool scalar) {
  ChainPlan plan;
  plan.alignment = i.model.alignment;
  plan.normalized = i.model.normalize_products;
  if (!scalar && lanes_suffice<float>(i)) {
    set_lanes<float>(plan, i, k, gemm);
  } else if (!scalar && lanes_suffice<double>(i)) {
    set_lanes<double>(plan, i, k, gemm);
  }
  const int depth = plan.lanes.stage_steps * plan.lanes.step_k;
  if (plan.shared_bytes > kSharedBytes || depth > kMostDepth) plan.kind = LaneKind::kScalar;
  return plan;
}

}  // namespace binade::cuda::detail

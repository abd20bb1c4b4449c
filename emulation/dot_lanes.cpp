#include "dot_lanes.hpp"

#include <algorithm>
#include <cmath>

#include "binade/emulation/dot_step.hpp"
#include "binade/formats/catalog.hpp"
#include "block_scale_shape.hpp"

namespace binade::detail {
namespace {

constexpr std::size_t kDepth = 32;

bool lanes_are_exact(const Instruction& i, const ChainSetup& s) {
  return !s.double_lanes && s.order.empty() && s.plan.bounded && s.plan.flat &&
         !s.plan.added_last && !s.plan.normalizes && i.c == kFp32Format &&
         i.model.alignment == AlignmentRounding::kTruncate && !i.model.zeros_join_maximum;
}

/// Zero, or far enough from both ends of fp32 that sums which start at it lie within.
bool addend_serves(float c) {
  return c == 0.0f || (std::fabs(c) >= 0x1p-59f && std::fabs(c) <= 0x1p100f);
}

/// Whether all 128 magnitudes and the sign bit are where a RowPlan's tables look for them.
bool fills_a_byte(FloatFormat f) {
  return f.is_signed && f.bits() == 8 && f.padding_bits == 0 && f.specials.has_zero &&
         f.specials.nan != NanCodes::kNegativeZero;
}

/// Exponents are counted from the operand's emin, plus `gap`; significands stand `up` bits higher.
void fill_entries(std::uint16_t (&entries)[128], const DotModel& m, FloatFormat f, int gap,
                  int up) {
  for (std::uint64_t code = 0; code < 128; ++code) {
    const DotOperand x = dot_operand(f, code);
    if (x.value_class != ValueClass::kFinite) {
      entries[code] = kSpecialCode << 8;
    } else {
      const int exponent = operand_exponent(m, x, f.mantissa_bits);
      const int counted = x.significand == 0 ? 0 : exponent - operand_emin(m, f) + gap;
      entries[code] = static_cast<std::uint16_t>(
          counted << 8 | x.significand << (up + x.exponent - exponent));
    }
  }
}

/// The plan of dot_rows.hpp, if its bounds hold; for instructions whose lanes are exact.
std::optional<RowPlan> make_row_plan(const Instruction& i, const ChainSetup& s) {
  if (gemm_kernels().row_group == nullptr || !fills_a_byte(i.a) || !fills_a_byte(i.b)) return {};
  const DotModel& m = i.model;
  const int gap = s.split_a.zero_gap;
  const int spans = i.a.emax() + i.b.emax() - s.split_a.emin - s.split_b.emin;
  const int up = m.alignment_fraction_bits - i.a.mantissa_bits - i.b.mantissa_bits;
  const int up_b = std::min(up, 6 - i.b.mantissa_bits), up_a = up - up_b;
  if (m.step_k > kRowStep || up < 0 || up_b < 0 || up_a > 7 - i.a.mantissa_bits ||
      2 * gap + spans >= kSpecialCode - kFarBelow) {
    return {};
  }
  RowPlan p{};
  fill_entries(p.a, m, i.a, gap, up_a);
  fill_entries(p.b, m, i.b, gap, up_b);
  p.step_k = m.step_k;
  p.unit = i.k;
  p.fraction_bits = m.alignment_fraction_bits;
  p.code_offset = s.plan.code_offset;
  p.nonzero_code = 2 * gap;
  p.largest_code = 2 * gap + spans;
  p.lowest_exponent = s.plan.lowest_exponent;
  p.result_mantissa_bits = s.plan.result_mantissa_bits;
  return p;
}

}  // namespace

DotLanes::DotLanes(const Instruction& i)
    : setup_(make_chain_setup(i)),
      serves_(lanes_are_exact(i, setup_)),
      depth_(round_up(kDepth, static_cast<std::size_t>(i.k))) {
  if (!serves_) return;
  rows_ = make_row_plan(i, setup_);
  const std::size_t lanes = rows_at_once(), size = rows_ ? 0 : lanes * depth_;
  const std::size_t bytes = rows_ ? 0 : lanes * round_up(depth_ * 4, 16);
  arena_.lay_out(piece(codes_, bytes), piece(turned_, bytes), piece(values_, bytes / 4),
                 piece(chain_, lanes), piece(a_.values, size), piece(a_.codes, size),
                 piece(b_.values, size), piece(b_.codes, size), piece(special_, lanes));
}

/// Turns and decodes elements k0 .. k0 + depth of some rows, padded with zeros.
void DotLanes::unpack(FloatFormat f, const SplitPlan& split, const std::byte* source,
                      std::size_t rows, std::size_t k, std::size_t k0, Operand out) {
  const std::size_t lanes = rows_at_once(), bytes = bytes_of(f);
  const std::size_t row_bytes = round_up(depth_ * bytes, 16), count = std::min(depth_, k - k0);
  turn_rows(gemm_kernels(), {source + k0 * bytes, k * bytes, rows, count}, bytes, lanes, row_bytes,
            codes_, turned_);
  decode(f, turned_, std::span(values_, lanes * count));
  std::fill(values_ + lanes * count, values_ + lanes * depth_, 0.0f);
  for (std::size_t i = 0; i < count && rows < lanes; ++i) {
    std::fill(values_ + i * lanes + rows, values_ + (i + 1) * lanes, 0.0f);
  }
  const auto& loops = gemm_kernels().single_lanes;
  if (!loops.split(split, values_, lanes * depth_, out.values, out.codes)) return;
  for (std::size_t i = 0; i < lanes * count; ++i) {
    if (!std::isfinite(values_[i])) special_[i % lanes] = 1;
  }
}

void DotLanes::run_turned(const void* a, const void* b, std::size_t rows, std::size_t k) {
  const Instruction& i = *setup_.instruction;
  const int nonzero = setup_.split_a.zero_gap + setup_.split_b.zero_gap;
  for (std::size_t k0 = 0; k0 < k; k0 += depth_) {
    unpack(i.a, setup_.split_a, static_cast<const std::byte*>(a), rows, k, k0, a_);
    unpack(i.b, setup_.split_b, static_cast<const std::byte*>(b), rows, k, k0, b_);
    const std::size_t unit = static_cast<std::size_t>(i.k);
    const std::size_t depth = round_up(std::min(depth_, k - k0), unit);
    gemm_kernels().single_lanes.pairs(
        setup_.plan, {a_.values, b_.values, a_.codes, b_.codes, chain_, depth, nonzero});
  }
}

const std::vector<std::size_t>& DotLanes::run(const void* a, const void* b, const float* c,
                                              float* d, std::size_t rows, std::size_t k) {
  const std::size_t lanes = rows_at_once();
  undone_.clear();
  for (std::size_t l = 0; l < lanes; ++l) {
    const bool serves = l < rows && addend_serves(c[l]);
    chain_[l] = serves ? c[l] : 0.0f;
    special_[l] = l < rows && !serves ? 1 : 0;
  }
  if (rows_) {
    gemm_kernels().row_group(*rows_, {static_cast<const std::uint8_t*>(a),
                                      static_cast<const std::uint8_t*>(b), rows, k, chain_,
                                      special_});
  } else {
    run_turned(a, b, rows, k);
  }
  for (std::size_t l = 0; l < rows; ++l) {
    if (special_[l] != 0) {
      undone_.push_back(l);
    } else {
      d[l] = chain_[l];
    }
  }
  return undone_;
}

}  // namespace binade::detail

// A GEMM checked and resolved before anything runs: what the CPU and the device must agree on.
#pragma once

#include <cstddef>

#include "binade/emulation/gemm.hpp"
#include "binade/formats/host_device.hpp"

namespace binade {

/// Where the scale of an element lies in [grid_rows, grid_cols] row-major scales. Without scales
/// there is one block.
struct ScaleLayout {
  std::size_t block_rows = 1;
  std::size_t block_k = 1;  ///< how many successive k share a scale: the whole K if it is constant
  std::size_t grid_cols = 1;
  bool empty = true;

  BINADE_HD constexpr std::size_t index(std::size_t row, std::size_t k) const {
    return row / block_rows * grid_cols + k / block_k;
  }
};

struct GemmPlan {
  const Instruction* instruction = nullptr;  ///< null but for ChainKind::kInstruction
  ScaleLayout scale_a, scale_b;
  std::size_t interval =
      0;                  ///< K elements between promotions, never 0: all of K where there is none
  bool promotes = false;  ///< whether chains join an FP32 sum at all
};

/// Reads shapes and formats, neither codes nor scales: those may lie in the memory of a device. The
/// plan refers to the instruction of `options` or of the table.
/// Errors: as gemm, but for the values of scales.
GemmPlan plan_gemm(const GemmProfile& profile, const GemmOperand& a, const GemmOperand& b,
                   std::size_t k, const GemmOptions& options);

/// Errors: std::invalid_argument for negative or NaN scales; `name` is the operand's.
void check_scales(const GemmOperand& x, const char* name);

/// Whether an order applies the scales at each promotion, and not after the last chain.
constexpr bool scales_at_promotion(ScaleOrder order) {
  return order == ScaleOrder::kPromoteFmaProduct || order == ScaleOrder::kPromoteFmaAThenB ||
         order == ScaleOrder::kPromoteFmaBThenA;
}

/// The rounding of a result to the output of a GEMM: nearest even; beyond the range infinity where
/// the format has one, else the largest finite number; NaN canonical.
constexpr CastRules output_rules(FloatFormat output) {
  CastRules rules;
  if (output.has_infinity()) {
    rules.overflow = Overflow::kSpecial;
    rules.infinity = InfinityRule::kPropagate;
  }
  return rules;
}

/// Errors: std::invalid_argument, always; names the profile.
[[noreturn]] void refuse_gemm(const GemmProfile& profile, const std::string& what);

}  // namespace binade

// The scales of a GEMM operand, checked and indexed. Private to this folder.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "binade/emulation/gemm_plan.hpp"

namespace binade::detail {

/// Reads the shape of the scales, not the scales. Errors: std::invalid_argument for a wrong one.
ScaleLayout scale_layout(const GemmOperand& x, const char* name, std::size_t k,
                         Granularity granularity);

class ScaleGrid {
 public:
  ScaleGrid(const GemmOperand& x, const ScaleLayout& layout) : scales_(x.scales), layout_(layout) {}
  /// Errors: std::invalid_argument for scales of the wrong shape, negative or NaN.
  ScaleGrid(const GemmOperand& x, const char* name, std::size_t k, Granularity granularity);

  float at(std::size_t row, std::size_t k) const {
    return scales_.empty() ? 1.0f : scales_[layout_.index(row, k)];
  }
  bool empty() const { return scales_.empty(); }
  /// How many successive k share a scale: the whole K where it does not vary.
  std::size_t block_k() const { return layout_.block_k; }

 private:
  std::span<const float> scales_;
  ScaleLayout layout_;
};

}  // namespace binade::detail

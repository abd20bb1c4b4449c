// The scales of a GEMM operand, checked and indexed. Private to this folder.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "binade/emulation/gemm.hpp"

namespace binade::detail {

class ScaleGrid {
 public:
  /// Errors: std::invalid_argument for scales of the wrong shape, negative or NaN.
  ScaleGrid(const GemmOperand& x, const char* name, std::size_t k, Granularity granularity);

  float at(std::size_t row, std::size_t k) const {
    return scales_.empty() ? 1.0f : scales_[row / block_rows_ * grid_cols_ + k / block_cols_];
  }
  bool empty() const { return scales_.empty(); }
  /// How many successive k share a scale: the whole K where it does not vary.
  std::size_t block_k() const { return block_cols_; }

 private:
  std::span<const float> scales_;
  std::size_t block_rows_, block_cols_, grid_cols_ = 1;
};

}  // namespace binade::detail

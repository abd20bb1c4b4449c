#include "gemm_scales.hpp"

#include <stdexcept>

#include "block_scale_shape.hpp"

namespace binade {
using detail::shape_text;

Granularity infer_granularity(std::size_t rows, std::size_t cols, std::size_t scale_rows,
                              std::size_t scale_cols) {
  constexpr Granularity kKnown[] = {kPerTensor, kPerRow,  kPerColumn, {1, 128},
                                    {128, 128}, {128, 1}, {1, 32},    {1, 16}};
  for (const Granularity g : kKnown) {
    const BlockGrid grid = block_grid(rows, cols, g);
    if (grid.grid_rows == scale_rows && grid.grid_cols == scale_cols) return g;
  }
  throw std::invalid_argument("scales of shape " + shape_text(scale_rows, scale_cols) +
                              " for an operand of shape " + shape_text(rows, cols) +
                              " are none of tensor, row, column, 1x128, 128x128, 128x1, 1x32, "
                              "1x16");
}

namespace detail {

ScaleGrid::ScaleGrid(const GemmOperand& x, const char* name, std::size_t k, Granularity granularity)
    : scales_(x.scales), block_rows_(x.rows), block_cols_(k) {
  if (scales_.empty()) return;
  const auto refuse = [name](const std::string& what) {
    throw std::invalid_argument("gemm: " + what + " of operand " + name);
  };
  if (scales_.size() != x.scale_rows * x.scale_cols) {
    refuse(std::to_string(scales_.size()) + " scales for the stated shape " +
           shape_text(x.scale_rows, x.scale_cols));
  }
  if (granularity == kAnyGranularity) {
    granularity = infer_granularity(x.rows, k, x.scale_rows, x.scale_cols);
  }
  const BlockGrid grid = block_grid(x.rows, k, granularity);
  if (x.scale_rows != grid.grid_rows || x.scale_cols != grid.grid_cols) {
    refuse("scales of shape " + shape_text(x.scale_rows, x.scale_cols) + " where " +
           granularity_name(granularity) + " over " + shape_text(x.rows, k) + " has " +
           shape_text(grid.grid_rows, grid.grid_cols) + ", the scales");
  }
  for (std::size_t i = 0; i < scales_.size(); ++i) {
    if (!(scales_[i] >= 0.0f)) {
      refuse("scale " + std::to_string(i) + " is " + std::to_string(scales_[i]) +
             ", neither zero nor positive: the scales");
    }
  }
  block_rows_ = grid.block_rows;
  block_cols_ = grid.block_cols;
  grid_cols_ = grid.grid_cols;
}

}  // namespace detail
}  // namespace binade

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

namespace {
[[noreturn]] void refuse(const char* name, const std::string& what) {
  throw std::invalid_argument("gemm: " + what + " of operand " + name);
}
}  // namespace

void check_scales(const GemmOperand& x, const char* name) {
  for (std::size_t i = 0; i < x.scales.size(); ++i) {
    if (!(x.scales[i] >= 0.0f)) {
      refuse(name, "scale " + std::to_string(i) + " is " + std::to_string(x.scales[i]) +
                       ", neither zero nor positive: the scales");
    }
  }
}

namespace detail {

ScaleLayout scale_layout(const GemmOperand& x, const char* name, std::size_t k,
                         Granularity granularity) {
  if (x.scales.empty()) return {x.rows, k, 1, true};
  if (x.scales.size() != x.scale_rows * x.scale_cols) {
    refuse(name, std::to_string(x.scales.size()) + " scales for the stated shape " +
                     shape_text(x.scale_rows, x.scale_cols));
  }
  if (granularity == kAnyGranularity) {
    granularity = infer_granularity(x.rows, k, x.scale_rows, x.scale_cols);
  }
  const BlockGrid grid = block_grid(x.rows, k, granularity);
  if (x.scale_rows != grid.grid_rows || x.scale_cols != grid.grid_cols) {
    refuse(name, "scales of shape " + shape_text(x.scale_rows, x.scale_cols) + " where " +
                     granularity_name(granularity) + " over " + shape_text(x.rows, k) + " has " +
                     shape_text(grid.grid_rows, grid.grid_cols) + ", the scales");
  }
  return {grid.block_rows, grid.block_cols, grid.grid_cols, false};
}

ScaleGrid::ScaleGrid(const GemmOperand& x, const char* name, std::size_t k, Granularity granularity)
    : ScaleGrid(x, scale_layout(x, name, k, granularity)) {
  check_scales(x, name);
}

}  // namespace detail
}  // namespace binade

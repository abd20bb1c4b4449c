// Scaling in blocks: quantize = scale + cast, by a named recipe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "binade/emulation/scale_recipe.hpp"
#include "binade/formats/cast.hpp"

namespace binade {

/// The block that shares one scale, in rows x columns; 0 means the whole extent.
struct Granularity {
  std::size_t rows = 0, cols = 0;
  friend constexpr bool operator==(const Granularity&, const Granularity&) = default;
};
inline constexpr Granularity kPerTensor{0, 0};
inline constexpr Granularity kPerRow{1, 0};
inline constexpr Granularity kPerColumn{0, 1};

/// "tensor", "row", "column" or "RxC". Errors: std::invalid_argument.
Granularity parse_granularity(std::string_view name);
std::string granularity_name(Granularity granularity);

/// How many blocks cover a [rows, cols] matrix; ragged blocks at the edges count.
struct BlockGrid {
  std::size_t rows, cols, block_rows, block_cols, grid_rows, grid_cols;
};
BlockGrid block_grid(std::size_t rows, std::size_t cols, Granularity granularity);

/// A quantised matrix. value ~ decode(code) * scale of its block (* tensor_scale).
struct Quantized {
  FloatFormat element;
  std::size_t rows = 0, cols = 0;
  std::vector<std::uint8_t> codes;  ///< [rows, cols] containers of `element`
  Granularity granularity;
  std::size_t scale_rows = 0, scale_cols = 0;
  std::vector<float> scales;               ///< [scale_rows, scale_cols], the dequantisation factor
  FloatFormat scale_format = kFp32Format;  ///< e8m0 or e4m3 where scales are stored as codes
  std::vector<std::uint8_t> scale_codes;   ///< [scale_rows, scale_cols] when scale_format is 8 bits
  float tensor_scale = 1.0f;               ///< NVFP4's second level, else 1
};

/// Shapes: x [rows, cols] row-major. Arithmetic: the recipe's, in FP32, in the order its record
/// states. Special values: by the recipe's policies for zero, NaN and infinite blocks.
/// Determinism: the same bits on every ISA and thread count.
/// Errors: std::invalid_argument for empty input, a size that is not rows * cols, or a scale type
/// that the recipe does not have. Tests: tests/emulation/.
Quantized quantize(std::span<const float> x, std::size_t rows, std::size_t cols,
                   const ScaleRecipe& recipe, Granularity granularity, ScaleType scale_type,
                   FloatFormat element, int threads = 0);

/// fl(fl(decode(code) * scale) * tensor_scale) in FP32 (the second product only where tensor_scale
/// is not 1).
void dequantize(const Quantized& q, std::span<float> x, int threads = 0);

}  // namespace binade

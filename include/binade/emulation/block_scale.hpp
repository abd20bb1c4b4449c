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

/// "tensor", "row", "column" or "RxC", where either of R and C may be * for the whole extent.
/// Errors: std::invalid_argument.
Granularity parse_granularity(std::string_view name);
std::string granularity_name(Granularity granularity);

/// How many blocks cover a [rows, cols] matrix; ragged blocks at the edges count.
/// Errors: std::invalid_argument for a matrix without elements.
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

/// Quantises a matrix of any format that embeds in fp32, widened exactly first.
///
/// Shapes: x holds rows * cols containers of `source`, row-major. Units: scales in those of x.
/// Arithmetic: for each block amax = max |x|, then scale_of_block (scale_recipe.hpp), then for each
/// element y = x / factor or x * factor in FP32 as the recipe applies it, then one cast of y by
/// recipe.cast_rules. With ScaleType::kE4M3, tensor_scale_of the largest amax comes first. A block
/// at the edge is its part inside the matrix; nothing outside is read.
/// Special values: by the recipe's policies for zero, NaN and infinite blocks; NaN and infinite
/// elements go through the same product and cast as the others.
/// Determinism: the same bits on every ISA and thread count; stochastic rounding draws
/// random_at(seed, row * cols + col).
/// Errors: std::invalid_argument for an empty matrix, a scale type that the recipe does not have,
/// an element or source that does not embed in fp32, an element without zero or of more than 16
/// bits, or threads < 0. Source: the recipe's. Tests: tests/emulation/scale_*.cpp.
Quantized quantize(FloatFormat source, const void* x, std::size_t rows, std::size_t cols,
                   const ScaleRecipe& recipe, Granularity granularity, ScaleType scale_type,
                   FloatFormat element, int threads = 0, std::uint64_t seed = 0);

/// The same into a result that is there, whose memory is used again where it suffices: a fresh
/// result of many megabytes costs as long again, for its pages.
void quantize(FloatFormat source, const void* x, std::size_t rows, std::size_t cols,
              const ScaleRecipe& recipe, Granularity granularity, ScaleType scale_type,
              FloatFormat element, Quantized& result, int threads = 0, std::uint64_t seed = 0);

/// The same for fp32. Errors: also std::invalid_argument when x.size() is not rows * cols.
Quantized quantize(std::span<const float> x, std::size_t rows, std::size_t cols,
                   const ScaleRecipe& recipe, Granularity granularity, ScaleType scale_type,
                   FloatFormat element, int threads = 0, std::uint64_t seed = 0);

/// Quantises a whole tensor by a scale that was chosen beforehand (static or delayed scaling).
///
/// Shapes: x [rows, cols]. Arithmetic: code = cast(fl(x * scale.inv_scale)) by `rules`; scale.scale
/// is what dequantize uses. Special values: by the cast. Determinism and errors: as quantize;
/// stochastic rules are refused.
Quantized quantize_with_scale(std::span<const float> x, std::size_t rows, std::size_t cols,
                              TensorScale scale, FloatFormat element, int threads = 0,
                              CastRules rules = {});

/// Errors: std::invalid_argument unless quantize takes this element format.
void check_element_format(FloatFormat element);

/// Reads a quantised matrix back.
///
/// Shapes: x [q.rows, q.cols]. Arithmetic: fl(fl(decode(code) * scale) * tensor_scale) in FP32 (the
/// second product only where tensor_scale is not 1). Special values: a NaN scale makes its block
/// NaN. Determinism: the same bits on every ISA and thread count. Errors: std::invalid_argument
/// when the sizes of x, codes or scales do not fit the shape, or threads < 0.
void dequantize(const Quantized& q, std::span<float> x, int threads = 0);

/// Scales as 8-bit codes of `scale_format` (e8m0, e4m3). Nothing is rounded: a kernel that takes
/// powers of two and is given others is silently wrong by up to a quarter.
/// Errors: std::invalid_argument with index and value of the first scale that is not a value of
/// `scale_format`.
std::vector<std::uint8_t> encode_scales(std::span<const float> scales, FloatFormat scale_format);

/// Scale codes in the order in which Blackwell's block-scaled matrix instructions read them.
///
/// Shapes: codes [rows, cols] row-major, one scale a block of 16 or 32 elements along a row; the
/// result holds ceil(rows / 128) * ceil(cols / 4) tiles of 512 bytes, tiles row-major. Arithmetic:
/// code [r, c] of a tile lies at (r % 32) * 16 + (r / 32) * 4 + c; places outside the matrix hold
/// `padding`. Errors: std::invalid_argument when codes.size() is not rows * cols or zero.
/// Source: cuBLAS documentation, 1D block scaling factors layout. Tests: scale_block_test.cpp.
std::vector<std::uint8_t> tile_scales(std::span<const std::uint8_t> codes, std::size_t rows,
                                      std::size_t cols, std::uint8_t padding = 0);
/// The inverse; what stands in the padding is not looked at.
std::vector<std::uint8_t> untile_scales(std::span<const std::uint8_t> tiled, std::size_t rows,
                                        std::size_t cols);

}  // namespace binade

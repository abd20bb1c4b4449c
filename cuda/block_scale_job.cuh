// What the kernels of block scaling have in common: a matrix, where its results go, and what
// becomes of a block and of an element. Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>

#include "binade/cuda/block_scale.hpp"
#include "binade/emulation/scale_lanes.hpp"
#include "containers.cuh"

namespace binade::cuda {

/// One matrix to quantise. Elements are at x[row * row_stride + col * col_stride], so that a
/// transpose is the same job with its strides exchanged.
struct BlockJob {
  FloatFormat source, element;
  const void* x;
  BlockGrid grid;
  std::size_t row_stride, col_stride;
  ScaleRule rule;
  ScaleType type;
  detail::ScaleLanes lanes;
  float largest_inverse;
  bool divides;      ///< y = x / factor, else x * factor
  bool reciprocals;  ///< the factor is a power of two to divide by: multiply by its inverse
  QuantizedArrays out;
  std::uint64_t seed;
};

/// The job of a quantisation, but for its arrays.
inline BlockJob make_job(FloatFormat source, std::size_t rows, std::size_t cols,
                         const ScaleRecipe& recipe, Granularity granularity, ScaleType type,
                         FloatFormat element) {
  BlockJob job{};
  job.source = source;
  job.element = element;
  job.grid = block_grid(rows, cols, granularity);
  job.row_stride = cols;
  job.col_stride = 1;
  job.rule = recipe;
  job.type = type;
  job.lanes = detail::make_scale_lanes(recipe, type, element);
  job.largest_inverse = largest_element(source);
  const bool powers = type == ScaleType::kPow2 || type == ScaleType::kUe8m0;
  job.divides = recipe.apply == ApplyScale::kDivide && type != ScaleType::kE4M3;
  // From 2^-127 up the inverse of a power of two is exact, and so is what it is for.
  job.reciprocals = job.divides && powers && recipe.min_exponent >= -127;
  if (job.reciprocals) job.divides = false;
  return job;
}

/// The same on x's transpose.
inline BlockJob transpose_of(const BlockJob& job, Granularity granularity) {
  BlockJob t = job;
  t.grid = block_grid(job.grid.cols, job.grid.rows, granularity);
  t.row_stride = 1;
  t.col_stride = job.grid.cols;
  return t;
}

inline constexpr std::uint32_t kInfinityBits = 0x7f800000u;

/// What is known of a block while it is measured: bits of magnitudes order as the numbers do.
struct Measure {
  std::uint32_t amax_bits = 0;  ///< over the finite elements
  std::uint32_t found = 0;      ///< kNan, kInfinite
  static constexpr std::uint32_t kNan = 1, kInfinite = 2;

  __device__ void add(std::uint32_t bits) {
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > kInfinityBits) {
      found |= kNan;
    } else if (magnitude == kInfinityBits) {
      found |= kInfinite;
    } else {
      amax_bits = max(amax_bits, magnitude);
    }
  }
  __device__ BlockContent content() const {
    return {bit_cast<float>(amax_bits), (found & kNan) != 0, (found & kInfinite) != 0};
  }
  /// The largest magnitude of all: infinity's or NaN's bits where there is one.
  __device__ std::uint32_t largest_bits() const {
    if (found == 0) return amax_bits;
    return (found & kNan) != 0 ? kInfinityBits + 1 : kInfinityBits;
  }
  /// Over the lanes of the mask, all of which call.
  __device__ Measure over_lanes(unsigned mask) const {
    return {__reduce_max_sync(mask, amax_bits), __reduce_or_sync(mask, found)};
  }
};

__device__ inline float canonical(float scale) { return scale != scale ? detail::kFp32Nan : scale; }

/// The scale of a block by the text, as the CPU has it: the device's own NaN has other bits.
__device__ __forceinline__ BlockScale block_scale_by_text(const BlockJob& job, FloatFormat element,
                                                          BlockContent content,
                                                          TensorScale tensor) {
  BlockScale b = scale_of_block(job.rule, job.type, element, content, tensor, job.largest_inverse);
  b.scale = canonical(b.scale);
  b.factor = canonical(job.reciprocals ? 1.0f / b.factor : b.factor);
  return b;
}

/// The scale of a block: in a few operations where its amax leaves no case to tell, as in nearly
/// all blocks, because the others wait for it.
__device__ __forceinline__ BlockScale block_scale(const BlockJob& job, FloatFormat element,
                                                  BlockContent content, TensorScale tensor = {}) {
  if (!job.lanes.serves || content.has_nan || content.has_infinity ||
      !detail::is_easy_amax(bit_cast<std::uint32_t>(content.amax))) {
    return block_scale_by_text(job, element, content, tensor);
  }
  const detail::LaneScale lanes = detail::lane_scale(job.lanes, content.amax);
  BlockScale b;
  b.scale = bit_cast<float>(lanes.scale);
  b.factor = bit_cast<float>(lanes.factor);
  if (job.reciprocals) b.factor = 1.0f / b.factor;
  if (job.type == ScaleType::kUe8m0) b.code = detail::ue8m0_code(b.scale);
  return b;
}

__device__ inline void store_scale_at(const BlockJob& job, std::size_t at, const BlockScale& b) {
  job.out.scales[at] = b.scale;
  if (job.out.scale_codes != nullptr) job.out.scale_codes[at] = b.code;
}

/// block: its number along the rows of blocks. Index: wide enough for the count of them.
template <class Index>
__device__ void store_scale(const BlockJob& job, Index block, const BlockScale& b) {
  if (job.out.scale_layout == MatrixLayout::kRowMajor) return store_scale_at(job, block, b);
  const auto cols = static_cast<Index>(job.grid.grid_cols);
  store_scale_at(job, block % cols * job.grid.grid_rows + block / cols, b);
}

/// x over or times the factor, with the NaN that x86 makes: x's own, else the factor's, else a
/// negative one.
__device__ inline float scaled(float x, float factor, bool divides) {
  const float y = divides ? x / factor : x * factor;
  if (y == y) return y;
  constexpr std::uint32_t kQuiet = 0x00400000u;
  if (x != x) return bit_cast<float>(bit_cast<std::uint32_t>(x) | kQuiet);
  return factor != factor ? factor : bit_cast<float>(0xffc00000u);
}

}  // namespace binade::cuda

// The matrix that a quantiser reads, and the scales of its blocks. Private to this folder.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "binade/emulation/block_scale.hpp"
#include "block_scale_kernels.hpp"
#include "block_scale_shape.hpp"

namespace binade::detail {

/// The matrix as fp32: a view where it is fp32, decoded chunk by chunk elsewhere.
struct QuantizeSource {
  FloatFormat format;
  const std::byte* data;

  const float* read(std::size_t at, std::size_t count, float* buffer) const {
    const std::byte* from = data + at * bytes_of(format);
    if (format == kFp32Format) return reinterpret_cast<const float*>(from);
    decode(format, from, std::span(buffer, count));
    return buffer;
  }
};

/// Scales of blocks from their amaxes, into a result. A block's amax is bits of |x|, as
/// block_scale_kernels.hpp has it.
class BlockScales {
 public:
  BlockScales(const QuantizeSource& source, const BlockGrid& grid, const ScaleRecipe& recipe,
              ScaleType type, Quantized& q)
      : source_(source),
        grid_(grid),
        recipe_(recipe),
        type_(type),
        q_(q),
        lanes_(make_scale_lanes(recipe, type, q.element)),
        kernels_(block_kernels()),
        largest_inverse_(largest_element(source.format)) {}

  /// The scales of blocks [begin, end) of row `g` of blocks. amax and factors: of all of that row.
  void derive(std::size_t g, std::size_t begin, std::size_t end, const std::uint32_t* amax,
              float* factors) {
    const std::size_t at = g * grid_.grid_cols + begin;
    std::uint8_t* codes = q_.scale_codes.empty() ? nullptr : q_.scale_codes.data() + at;
    if (lanes_.serves && kernels_.scales(lanes_, amax + begin, end - begin, q_.scales.data() + at,
                                         factors + begin, codes)) {
      return;
    }
    for (std::size_t c = begin; c < end; ++c) {
      if (!lanes_.serves || !is_easy_amax(amax[c])) factors[c] = derive_one(g, c, amax[c]);
    }
  }

  /// Sets what lies above E4M3 scales, from the amaxes of the whole grid.
  void derive_tensor_scale(const std::uint32_t* amax) {
    float largest = 0.0f;
    for (std::size_t g = 0; g < grid_.grid_rows; ++g) {
      for (std::size_t c = 0; c < grid_.grid_cols; ++c) {
        const auto usable = usable_amax(recipe_, content(g, c, amax[g * grid_.grid_cols + c]));
        if (usable.decision == BlockPolicy::kFollow || usable.decision == BlockPolicy::kIgnore) {
          largest = largest < usable.amax || usable.amax != usable.amax ? usable.amax : largest;
        }
      }
    }
    tensor_ = tensor_scale_of(q_.element, largest);
    q_.tensor_scale = tensor_.scale;
  }

 private:
  float derive_one(std::size_t g, std::size_t c, std::uint32_t amax) {
    const std::size_t at = g * grid_.grid_cols + c;
    const BlockScale b =
        scale_of_block(recipe_, type_, q_.element, content(g, c, amax), tensor_, largest_inverse_);
    q_.scales[at] = b.scale;
    if (!q_.scale_codes.empty()) q_.scale_codes[at] = b.code;
    return b.factor;
  }

  BlockContent content(std::size_t g, std::size_t block, std::uint32_t amax) const {
    constexpr std::uint32_t kInfinity = 0x7f800000u;
    return amax < kInfinity ? BlockContent{bit_cast<float>(amax), false, false}
                            : look_closer(g, block);
  }

  /// A block with something in it that is not finite: rare, so element by element.
  BlockContent look_closer(std::size_t g, std::size_t block) const {
    BlockContent found;
    const std::size_t row_end = std::min(grid_.rows, (g + 1) * grid_.block_rows);
    const std::size_t col_end = std::min(grid_.cols, (block + 1) * grid_.block_cols);
    for (std::size_t r = g * grid_.block_rows; r < row_end; ++r) {
      for (std::size_t c = block * grid_.block_cols; c < col_end; ++c) {
        float buffer[1];
        const float x = *source_.read(r * grid_.cols + c, 1, buffer);
        const float magnitude = bit_cast<float>(bit_cast<std::uint32_t>(x) & 0x7fffffffu);
        found.has_nan |= magnitude != magnitude;
        found.has_infinity |= magnitude > kMaxFloat;
        if (magnitude <= kMaxFloat) found.amax = std::max(found.amax, magnitude);
      }
    }
    return found;
  }

  QuantizeSource source_;
  const BlockGrid& grid_;
  const ScaleRecipe& recipe_;
  ScaleType type_;
  Quantized& q_;
  TensorScale tensor_;
  ScaleLanes lanes_;
  const BlockKernels& kernels_;
  float largest_inverse_;
};

}  // namespace binade::detail

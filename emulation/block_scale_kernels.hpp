// The array loops of block scaling, one table an instruction set. Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>

#include "binade/emulation/scale_lanes.hpp"

namespace binade::detail {

/// Magnitudes are compared as integers: the bits of |x| order as the numbers do, with infinity and
/// then NaN on top, so that one maximum also says whether anything is not finite.
struct BlockKernels {
  /// max(start, bits of |x[i]|)
  std::uint32_t (*amax_bits)(const float* x, std::size_t count, std::uint32_t start);
  /// amax[i] = max(amax[i], bits of |x[i]|)
  void (*amax_bits_each)(const float* x, std::size_t count, std::uint32_t* amax);
  /// y[i] = x[i] * factor or x[i] / factor; y may be x
  void (*multiply)(const float* x, float factor, float* y, std::size_t count);
  void (*divide)(const float* x, float factor, float* y, std::size_t count);
  /// y[i] = x[i] * factor[i] or x[i] / factor[i]; y may be x
  void (*multiply_each)(const float* x, const float* factor, float* y, std::size_t count);
  void (*divide_each)(const float* x, const float* factor, float* y, std::size_t count);
  /// Scales, factors and, unless code is null, E8M0 codes of blocks, right wherever is_easy_amax;
  /// whether that is everywhere.
  bool (*scales)(const ScaleLanes& lanes, const std::uint32_t* amax, std::size_t count,
                 float* scale, float* factor, std::uint8_t* code);
};

namespace baseline {
const BlockKernels& block_kernels();
}
#if defined(BINADE_HAVE_X86_64_LEVELS)
namespace x86_64_v3 {
const BlockKernels& block_kernels();
}
namespace x86_64_v4 {
const BlockKernels& block_kernels();
}
#endif

/// Those of the instruction set in force.
const BlockKernels& block_kernels();

}  // namespace binade::detail

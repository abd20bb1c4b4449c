// What a quantiser asks of the cast loops: amax of blocks, and product and cast in one pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "binade/formats/codec.hpp"

namespace binade::detail {

/// Loops over a run of blocks in a row of a matrix, where this instruction set has them: from fp32 or
/// bf16 to formats of at most 8 bits, to nearest even. Elsewhere a quantiser goes block by block.
///
/// Shapes: x holds blocks * width elements of the source, width a multiple of kWidth. Arithmetic: of
/// each element fl(x * factor) or fl(x / factor), and one cast; an element that is NaN stays itself
/// under a factor that is NaN. `ahead`: bytes from what is read to what is asked for meanwhile, 0 for
/// none. Determinism: a pure function. Tests: tests/emulation/scale_fused_test.cpp.
class ScaledCast {
 public:
  static constexpr std::size_t kWidth = 64;

  ScaledCast(FloatFormat from, FloatFormat to, CastRules rules);
  explicit operator bool() const { return plan_ != nullptr; }

  /// amax[b] = max(amax[b], bits of the largest magnitude of block b, as fp32 patterns)
  void amax(const void* x, std::size_t blocks, std::size_t width, std::size_t ahead,
            std::uint32_t* amax) const;
  /// past_caches: whole lines of codes leave the caches alone, and finish() orders them before
  /// whatever is written next.
  void cast(const void* x, std::size_t blocks, std::size_t width, std::size_t ahead,
            const float* factors, bool divides, void* codes, bool past_caches) const;
  void finish() const;

 private:
  struct Plan;
  std::shared_ptr<const Plan> plan_;
};

}  // namespace binade::detail

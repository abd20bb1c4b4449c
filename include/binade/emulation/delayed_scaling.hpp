// Delayed scaling: the scale of a tensor follows from what its amax was in earlier steps.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "binade/emulation/block_scale.hpp"

namespace binade {

enum class AmaxCompute : std::uint8_t {
  kMax,         ///< the largest amax of the history
  kMostRecent,  ///< that of the last step
};
/// "max", "most_recent". Errors: std::invalid_argument with the choices.
AmaxCompute parse_amax_compute(std::string_view name);
std::string_view name_of(AmaxCompute compute);

/// TransformerEngine's DelayedScaling and its defaults.
struct DelayedScalingOptions {
  std::size_t history_length = 1024;
  AmaxCompute compute = AmaxCompute::kMax;
  int margin = 0;  ///< the largest element is reached at amax * 2^margin
  FloatFormat element = E4M3::format;
};

/// One tensor's delayed scale and its amax history.
///
/// A step is quantize (with the scale at hand; records amax) and then update (the next scale).
/// Arithmetic: as the functions say, FP32, one rounding an operation. Determinism: the same bits on
/// every ISA and thread count. Source: NVIDIA/TransformerEngine common/recipe/delayed_scaling.cu.
/// Tests: tests/emulation/scale_delayed_test.cpp.
class DelayedScaling {
 public:
  /// A history of zeros and the scale 1.
  /// Errors: std::invalid_argument for an empty history, a margin outside -126..126 or an element
  /// that quantize refuses.
  explicit DelayedScaling(const DelayedScalingOptions& options = {});

  float scale() const { return scale_; }          ///< the dequantisation factor, fl(1 / inv_scale)
  float inv_scale() const { return inv_scale_; }  ///< TransformerEngine calls this one scale
  /// [history_length]; entry 0 collects the current step, entry 1 is the oldest.
  const std::vector<float>& history() const { return history_; }

  /// Raises entry 0 of the history to amax. A NaN amax is recorded as NaN.
  void record(float amax);

  /// Next step. amax = entry 0 (kMostRecent) or the largest entry, NaN skipped as fmaxf does
  /// (kMax); where it is finite and above 0, inv_scale = fl(fl(max * 2^-margin) / amax), an
  /// infinity becoming the largest finite FP32 number; elsewhere the scale stays. Then the history
  /// rolls: new[i] = old[i + 1], new[last] = old[0], new[0] = 0.
  void update();

  /// Shapes: x [rows, cols]. Arithmetic: code = cast(fl(x * inv_scale)), saturating, nearest even;
  /// records max |x| over the elements that are not NaN. Special values: NaN casts to NaN,
  /// infinities saturate (and are recorded). Errors: std::invalid_argument when x.size() is not
  /// rows * cols or zero, or threads < 0.
  Quantized quantize(std::span<const float> x, std::size_t rows, std::size_t cols, int threads = 0);

 private:
  DelayedScalingOptions options_;
  std::vector<float> history_;
  float scale_ = 1.0f;
  float inv_scale_ = 1.0f;
};

}  // namespace binade

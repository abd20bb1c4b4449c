// What a quantisation did to a tensor, gathered piece by piece.
#pragma once

#include <cstddef>
#include <span>

#include "binade/emulation/block_scale.hpp"

namespace binade {

/// Counts and sums over the finite elements; everything in fp64, in the order of the elements.
/// Tests: tests/emulation/panels_test.cpp, tests/cli/arrays_test.py.
struct QuantizationStats {
  std::size_t count = 0;      ///< all elements
  std::size_t nonfinite = 0;  ///< NaN and infinities that came in
  std::size_t underflow = 0;  ///< not zero before, zero after
  std::size_t saturated = 0;  ///< beyond the largest number by half its last place or more
  double amax = 0;
  double signal = 0, noise = 0;  ///< sums of squares of x and of the error

  /// x holds the first rows of what q was made of; further rows of q are not looked at.
  void add(std::span<const float> x, const Quantized& q, int threads);
  double sqnr_db() const;                ///< 10 log10 (signal / noise)
  double share(std::size_t part) const;  ///< of all elements
};

}  // namespace binade

// A matrix that is too large to hold, quantised piece by piece as it would be as a whole.
//
// Determinism: the pieces' codes and scales are the whole's, bit for bit. Tests:
// tests/emulation/panels_test.cpp.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "binade/emulation/block_scale.hpp"

namespace binade {

/// A matrix that is read in runs of rows, as fp32.
struct RowSource {
  std::size_t rows = 0, cols = 0;
  bool whole_only = false;  ///< it can be read in one piece alone
  /// Fills `into`, a whole number of rows, from row `first` on.
  std::function<void(std::size_t first, std::span<float> into)> read;
};

/// Some rows of a matrix, and what its quantisation has to know of the others.
class Panel {
 public:
  std::size_t first = 0, rows = 0, cols = 0;

  std::span<const float> values() const { return std::span(values_).first(rows * cols); }
  /// Codes and scales of these rows, as binade::quantize gives them for the whole matrix; what
  /// follows in the result, rows that stand for the others, is to be ignored.
  /// Errors: as binade::quantize.
  Quantized quantize(const ScaleRecipe& recipe, Granularity granularity, ScaleType type,
                     FloatFormat element, int threads = 0) const;

 private:
  friend void for_each_panel(const RowSource&, std::span<const Granularity>, std::size_t,
                             const std::function<void(const Panel&)>&);
  std::vector<float> values_;  ///< and, where scales span panels, the rows that stand for the rest
};

/// The least number of rows, at most `rows`, that is whole blocks under all granularities.
std::size_t whole_blocks(std::span<const Granularity> granularities, std::size_t rows);

/// Reads a matrix from its first row to its last in panels of whole blocks, about `elements` at a
/// time, and twice where it does not fit in one.
void for_each_panel(const RowSource& source, std::span<const Granularity> granularities,
                    std::size_t elements, const std::function<void(const Panel&)>& body);

}  // namespace binade

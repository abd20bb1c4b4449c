// A sweep: an experiment over a grid of its parameters' values.
//
// Determinism: the points of a grid have one order, whatever runs them. Tests:
// tests/experiments/sweep_test.cpp.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "binade/experiments/experiment.hpp"

namespace binade::experiments {

/// One parameter and the values that it takes in turn. Each value is a single one, also where the
/// parameter could hold a list.
struct Axis {
  std::string name;
  std::vector<std::string> values;
};

/// Reads "name=VALUES": values and ranges, separated by commas. A range is
///   A..B        each integer from A to B
///   A..B:+S     A, A + S, A + 2S, ... up to B
///   A..B:xF     A, A F, A F^2, ... up to B
///   A..B:N      N numbers, A and B among them, evenly spaced
///   A..B:logN   N numbers, A and B among them, evenly spaced in their logarithm
/// and A..B:N:round, A..B:logN:round the nearest integers to those, each once. Numbers are rounded
/// to 12 decimal digits. Dashes in the name count as underscores.
/// Errors: std::invalid_argument saying what was found: no values, a value twice, a range that is
/// empty or has more than kMaxPoints numbers.
Axis parse_axis(std::string_view text);

constexpr std::size_t kMaxPoints = 1000000;

/// Every combination of the axes' values, the last axis fastest.
class Grid {
 public:
  /// Errors: std::invalid_argument for no axis, an axis without values, a name or value twice, more
  /// than kMaxPoints points.
  explicit Grid(std::vector<Axis> axes);

  const std::vector<Axis>& axes() const { return axes_; }
  std::size_t size() const { return size_; }
  /// Name and value of each axis at a point, in the order of the axes.
  std::vector<std::pair<std::string, std::string>> at(std::size_t point) const;
  /// "k = 1024, seed = 3"
  std::string label(std::size_t point) const;

 private:
  std::vector<Axis> axes_;
  std::size_t size_ = 1;
};

/// The arguments of an experiment at a point: `given` besides what the grid says.
/// Errors: as make_arguments, naming the point; a parameter both given and swept.
Arguments arguments_at(const Experiment& experiment, const Grid& grid, std::size_t point,
                       const std::map<std::string, std::string>& given, bool smoke);

}  // namespace binade::experiments

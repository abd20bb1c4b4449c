// The models next door to an instruction's: what a comparison with hardware must be able to refute.
#pragma once

#include <string>
#include <vector>

#include "binade/emulation/instructions.hpp"

namespace binade {

/// A model that departs in one parameter, and the parameter: "F - 1", "clamp -132", "C added last".
struct DotNeighbour {
  std::string name;
  DotModel model;
};

/// The instruction's model with one parameter changed: the alignment's bits and rounding, the clamp
/// of the exponent, whether zeros join the maximum, whether products are normalised, the products
/// of a step and their order, where C joins, the result's bits and rounding. All differ from the
/// model and are valid; some give its bits for every input of the instruction. Errors:
/// std::invalid_argument for an instruction that is not valid itself. Tests:
/// tests/emulation/dot_neighbours_test.cpp.
std::vector<DotNeighbour> dot_neighbours(const Instruction& instruction);

}  // namespace binade

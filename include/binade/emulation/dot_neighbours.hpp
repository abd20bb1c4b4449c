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

/// Every parameter of the instruction's model changed on its own: alignment bits and rounding, the
/// clamp of the exponent, zeros, normalisation, grouping and order of products, C, the result's
/// bits and rounding. Some give the same bits as the model for every input of the instruction.
std::vector<DotNeighbour> dot_neighbours(const Instruction& instruction);

}  // namespace binade

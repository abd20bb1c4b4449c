// Every conversion instruction of the device against the text of codec.hpp, over all its inputs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "binade/formats/codec.hpp"

namespace binade::cuda {

/// One instruction under one set of rules.
struct ConversionRow {
  std::string name;           ///< the instruction, as PTX spells it
  std::string rules;          ///< of its own: what no CastRules say; of a neighbour: what is other
  bool is_neighbour = false;  ///< rules that it does not follow, which must differ somewhere
  std::uint64_t inputs = 0;   ///< conversions done: the halves of a pair count each
  std::uint64_t differ = 0;   ///< of them, those whose bits differ from the codec's
  std::uint64_t first_input = 0, got = 0, want = 0;  ///< containers; the smallest such input

  /// Whether the instruction is what the model says, and its neighbour is not.
  bool holds() const { return (differ != 0) == is_neighbour; }
};

/// Runs the conversion instructions of the current device over all inputs.
///
/// Shapes: a row for each instruction and, after it, for each of its neighbours: rules that it does
/// not follow (overflow to infinity or NaN, ties away from zero, ...), to show that the comparison
/// can fail. Inputs: all 2^32 of fp32; all 2^16 of fp16 and bf16; all 256 of the FP8 formats; of
/// instructions on pairs each half sees all of them, beside other numbers in the other half.
/// Arithmetic: got is the instruction's container; want is container_of_code(convert(...)) under
/// the rules, worked out on the device by the text of codec.hpp.
/// Special values: NaN are compared to the bit, and most are canonical. Three instructions are
/// integer operations on sm_90: cvt.f32.bf16 hands a NaN on; cvt.rna.tf32.f32 cuts its payload off,
/// so that one with nothing but lower bits becomes infinite; with .satfinite it then loses a step,
/// as infinity does. Their rows say so.
/// Determinism: the same rows each time. Errors: NoDevice below compute capability 9.0.
/// Source: PTX ISA, cvt. Tests: tests/twins/verify_conversions_test.cpp.
std::vector<ConversionRow> verify_conversions();

}  // namespace binade::cuda

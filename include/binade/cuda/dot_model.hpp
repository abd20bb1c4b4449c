// The device twins of `dot`.
#pragma once

#include <cstddef>

#include "binade/emulation/dot_model.hpp"

namespace binade::cuda {

/// D = A . B + C by the instruction itself: rows of one or more chained instructions, whose
/// accumulators stay in registers.
///
/// Shapes, units: as binade::dot. Arithmetic: the hardware's; the tail of K is padded with zeros.
/// Errors: as binade::dot; NoDevice below compute capability 9.0; std::invalid_argument for an
/// instruction that sm_90 does not have. Tests: tests/twins/dot_model_test.cpp.
void dot_hw(const Instruction& instruction, const void* a, const void* b, const void* c, void* d,
            std::size_t rows, std::size_t k);

/// The same by the text of dot_step.hpp, compiled for the device: any instruction, any model card.
/// Errors: as binade::dot; NoDevice.
void dot_portable(const Instruction& instruction, const void* a, const void* b, const void* c,
                  void* d, std::size_t rows, std::size_t k);

}  // namespace binade::cuda

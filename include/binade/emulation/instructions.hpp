// The instructions by name, and model cards: instructions as JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "binade/emulation/dot_model.hpp"

namespace binade {

/// All rows: hopper.wgmma.{f32,f16}.{e4m3,e5m2}.{e4m3,e5m2}, hopper.wgmma.{f32,f16}.f16.f16,
/// hopper.wgmma.f32.bf16.bf16, hopper.wgmma.f32.tf32.tf32, hopper.mma.* of the same types, and
/// volta, ampere, ada and blackwell rows from published models (verified = false).
const std::vector<Instruction>& instructions();

/// Errors: std::invalid_argument naming the nearest instructions.
const Instruction& find_instruction(std::string_view name);

/// A model card is JSON with the fields of Instruction and DotModel; formats by name. Unknown or
/// missing fields, wrong types and models that validate refuses throw std::invalid_argument.
Instruction instruction_from_json(std::string_view json);
std::string instruction_to_json(const Instruction& instruction);

/// The fields of a card in which `to` is not `from`, with its values: "alignment_fraction_bits 12".
std::string changed_fields(const DotModel& from, const DotModel& to);

}  // namespace binade

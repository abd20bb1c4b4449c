// --instruction NAME or --model CARD.json, and the rows of bit patterns that such an instruction
// takes.
#pragma once

#include <optional>
#include <string>

#include "binade/emulation/instructions.hpp"
#include "cli/command.hpp"
#include "io/tensor.hpp"

namespace binade::cli {

struct InstructionOption {
  const Instruction* named = nullptr;
  std::string card;

  /// Errors: UsageError unless exactly one was given; std::invalid_argument or io::DataError for a
  /// card that cannot be read.
  Instruction get() const;
};
void add_instruction(CLI::App& app, InstructionOption& option);
/// --model alone, for commands that have an instruction of their own.
void add_model_card(CLI::App& app, std::string& card);
Instruction read_model_card(const std::string& path);

/// Operands of `dot`: A and B [rows, k], C [rows], containers of the instruction's formats.
struct DotOperands {
  std::string a_path, b_path, c_path;
  io::Tensor a, b, c;
  std::size_t rows = 0, k = 0;
};
void add_dot_operands(CLI::App& app, DotOperands& operands);
/// Reads the files. Errors: io::DataError for types, ranks or shapes that do not fit.
void load_operands(const Instruction& instruction, DotOperands& operands);

}  // namespace binade::cli

// An operand of a GEMM and its scales, as files: what gemm and diagnose take.
#pragma once

#include <optional>
#include <string>

#include "binade/emulation/gemm.hpp"
#include "cli/command.hpp"
#include "io/tensor.hpp"

namespace binade::cli {

struct GemmFileOperand {
  std::string path, scale_path;
  std::optional<FloatFormat> format;
  io::Tensor codes, scales;
};

/// --format-a and --scale-a, or b.
void add_operand(CLI::App& app, GemmFileOperand& operand, const std::string& letter);

/// Reads an operand and its scales; a scalar or a vector of scales is a matrix of one row or, where
/// it has an entry for each row of the operand, of one column. The result points into `operand`.
/// Errors: io::DataError.
GemmOperand load_operand(GemmFileOperand& operand);

/// The K of two operands that were read. Errors: io::DataError where they differ.
std::size_t shared_k(const GemmFileOperand& a, const GemmFileOperand& b);

}  // namespace binade::cli

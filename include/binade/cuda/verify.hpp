// The model against the silicon: every instruction of sm_90, output by output, on the device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "binade/emulation/instructions.hpp"

namespace binade::cuda {

/// The inputs of an output that differed: one row, as `dot` takes it.
struct Counterexample {
  std::vector<std::byte> a,
      b;                ///< [k] containers; operands that an instruction negates are negated
  std::uint32_t c = 0;  ///< container
  std::size_t k = 0;
  std::uint32_t hardware = 0, model = 0;  ///< D, containers
};

/// One line of the report.
struct VerifyRow {
  std::string instruction;
  std::string form;      ///< how it was issued: "n64", "n8, A in registers", ...
  std::string operands;  ///< the stratum of A and B
  std::string addend;    ///< the stratum of C
  int steps = 1;         ///< instructions chained, D of one being C of the next
  std::string model;     ///< "model", or the neighbour that stands in its place
  std::uint64_t outputs = 0;
  std::uint64_t differ = 0;
  std::optional<Counterexample> first;  ///< of the rows with model == "model"
};

struct VerifyOptions {
  std::vector<std::string> instructions;  ///< names; empty: all that sm_90 has
  double outputs = 1e9;                   ///< in all, at least; a stratum has one batch or more
  std::uint64_t seed = 1;
  std::vector<int> devices{0};
  std::function<void(double done, double total)> progress;  ///< outputs; from one thread at a time
};

/// The instructions that a Hopper GPU has and the model predicts.
std::vector<std::string> verifiable_instructions();

/// Compares matrix instructions with the dot model.
///
/// Inputs: strata of A and B (any bits, near unit, sparse with extreme partners, subnormals, NaN
/// and Inf, cancellation, products around 2^-126) by strata of C (zero, near the products,
/// subnormal, any bits), from counter-based random numbers; the plain form (n = 64, both operands
/// in shared memory, or mma.sync) takes them one by one, the others (n = 8 to 256, A in registers,
/// negated operands, scale-d 0 over NaN, sparse A) and chains of 2 to 512 mixed. Arithmetic: the
/// instruction on the device; dot_step.hpp, compiled for the device, beside it. Neighbours of the
/// model (F one less and more, other alignment roundings, clamps, zeros that count, normalised
/// products, other groups, other widths of the result) meet a share of the same outputs, to show
/// what the comparison can tell apart: their `differ` should not be zero. Determinism: inputs by
/// seed, instruction and stratum, also over several devices. Errors: NoDevice below compute
/// capability 9.0; std::invalid_argument for unknown instructions and numbers of outputs that are
/// not positive. Source: PTX ISA 9.0, wgmma and mma. Tests: tests/twins/verify_test.cpp.
std::vector<VerifyRow> verify_instructions(const VerifyOptions& options);

}  // namespace binade::cuda

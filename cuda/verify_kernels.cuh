// The device's part of verify.cu: inputs of a stratum, and the model's verdict. Private.
#pragma once

#include "dot_model_tiles.cuh"
#include "dot_strata.cuh"

namespace binade::cuda {

/// A batch of tiles of one stratum, on the device.
struct VerifyBatch {
  FloatFormat a, b, c;
  Operands operands = Operands::kUniform;
  Addend addend = Addend::kZero;
  std::uint64_t seed = 0;
  int n = 64, tiles = 0, steps = 1;
  int kept = 0;                  ///< sparse A: which two of four
  std::byte* a_codes = nullptr;  ///< [tiles][steps][64][32]
  std::byte* b_codes = nullptr;  ///< [tiles][steps][n][32]: what meets A
  std::byte* b_full = nullptr;   ///< sparse: [tiles][steps][n][64], all that the instruction reads
  void* c_codes = nullptr;       ///< [tiles][64][n]
  void* d_codes = nullptr;       ///< [tiles][64][n], the hardware's
};

/// Fills a_codes, b_codes (and b_full) and c_codes.
void make_inputs(const VerifyBatch& batch);

/// How many outputs differ, and the smallest index [tile][row][column] of one that does.
struct Verdict {
  unsigned long long differ = 0;
  unsigned long long first = ~0ull;
};

/// Adds to *verdict, in device memory, what the plan says of d_codes. Operands are negated, and C
/// ignored, as the form has it.
void judge(const VerifyBatch& batch, const DotPlan& plan, const TileForm& form, Verdict* verdict);

}  // namespace binade::cuda

// Which order of operations made this output? A GEMM's inputs and its output, explained.
//
// An explanation is a chain (a matrix instruction's model, an FP32 loop or the exact sum), a
// promotion interval, a place for the scales, a rounding of the output and, where the kernel is
// wrong, one departure from what it should have read: a dropped tail of K, a stale scale, the other
// FP8 format. All that fit the operands are tried on a sample of the outputs, survivors on all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "binade/emulation/gemm.hpp"

namespace binade {

/// One way in which an output may have been computed.
struct GemmExplanation {
  std::vector<std::string> profiles;  ///< rows of gemm_profiles() that do this with these operands
  std::vector<std::string> chains;    ///< instructions of this one arithmetic, or "fp32-sequential"
                                      ///< or "exact"
  int promotion_interval = 0;         ///< K elements between promotions to FP32; 0: never
  int split_k = 1;                    ///< parts of K that are summed apart and added in order
  /// All that give these bits, the plainest first: the scales as arithmetic (empty without scales),
  /// and what is done to the FP32 sum ("nearest_even", "toward_zero", "through bf16", ...).
  std::vector<std::string> scale_orders, output_rules;
  std::string departure;       ///< what was read otherwise than given; empty: nothing
  std::size_t compared = 0;    ///< outputs looked at
  std::size_t matching = 0;    ///< of them, those equal in every bit
  std::size_t same_value = 0;  ///< these, and NaN or zeros under other bits
  std::string text;            ///< all of this in words
};

struct GemmMismatch {
  std::size_t row = 0, col = 0;
  std::uint64_t expected = 0;  ///< by the closest explanation, a code of the output format
  std::uint64_t found = 0;     ///< in D
  std::int64_t ulps = 0;       ///< found - expected in codes along the axis; 0 next to NaN
  /// Products k_first .. k_end - 1 without which (k_end < K: without these alone; k_end = K: or all
  /// that follow) the explanation gives `found`; both 0 where no such block is known.
  std::size_t k_first = 0, k_end = 0;
};

/// How many outputs lie how far from the closest explanation.
struct UlpBin {
  std::uint64_t from = 0, to = 0;  ///< distance in codes, both ends included
  std::size_t count = 0;
};

/// Two explanations of one output, and an input that would tell them apart.
struct GemmTie {
  std::size_t other = 0;   ///< index into `exact`; the first is index 0
  std::string separating;  ///< what to run, in words; empty if none of those tried separates
  double differing = 0;    ///< share of outputs that would differ there
};

struct GemmDiagnosis {
  std::vector<GemmExplanation> exact;  ///< all that match every bit of every output
  GemmExplanation closest;             ///< exact.front() where there is one
  /// What made most of the outputs that `closest` misses (no chains: unknown). compared counts
  /// those outputs.
  GemmExplanation rest;
  std::size_t rows = 0, cols = 0, k = 0;
  std::size_t mismatches = 0;         ///< of `closest`, in bits
  std::vector<UlpBin> ulp_histogram;  ///< of the finite mismatches; bins without any are left out
  std::size_t not_finite = 0;         ///< mismatches next to NaN or infinity
  std::vector<GemmMismatch> first;    ///< row by row
  std::size_t map_rows = 0, map_cols = 0;  ///< cells of the map
  std::vector<double> map;                 ///< share of mismatches in each cell, row-major
  std::vector<std::string> findings;       ///< structure among the mismatches, in words
  std::vector<GemmTie> ties;               ///< of the exact explanations after the first
  std::size_t tried = 0;                   ///< explanations
};

struct DiagnoseOptions {
  const Instruction* instruction = nullptr;  ///< a model card to try beside the known instructions
  std::size_t most_mismatches = 16;          ///< listed in `first`
  std::uint64_t seed = 1;  ///< of the sample, and of the inputs that separate ties
  int threads = 0;         ///< 0: as many as OpenMP gives
};

/// Finds how D = A B^T was computed.
///
/// Shapes: as gemm; d [m, n] containers of `output`, row-major. Scales of any granularity that
/// infer_granularity knows.
/// Units: scales are dequantisation factors.
/// Arithmetic: every instruction of the operands' types (one entry where arithmetic is equal), the
/// card, fp32-sequential and exact; promotion never, every 32 to 2048 products, and in 2 to 16
/// parts of K; scales after the last chain or at each promotion, fused or rounded apart, in every
/// order; the output rounded to nearest even, away, or cut, or through bf16 or fp16. Where nothing
/// of this is exact, each departure in turn (tails of K, blocks left out or in another order,
/// overrun, no reset after promotion, transposed operands, other formats, stale, shifted, missing
/// or swapped scales), and neighbours of the instructions (those of dot_neighbours, and results with
/// all bits of C). Special values: outputs are compared as bits; NaN patterns and signs of zero are
/// counted apart. Determinism: a pure function of its arguments, the same on any number of threads.
/// The sample includes the corners. Errors: std::invalid_argument as gemm; for an output format of
/// more than 32 bits, no D, or a card that takes other operands.
/// Source: DeepGEMM, CUTLASS and Transformer Engine for the orders (see gemm_profiles()); CUTLASS
/// promote_residue_if_needed and FBGEMM issue 6159 for departures seen in kernels.
/// Tests: tests/emulation/diagnose_test.cpp, diagnose_faults_test.cpp.
GemmDiagnosis diagnose(const GemmOperand& a, const GemmOperand& b, std::size_t k,
                       FloatFormat output, const void* d, const DiagnoseOptions& options = {});

/// The record as JSON, codes in hexadecimal.
std::string diagnosis_to_json(const GemmDiagnosis& diagnosis, FloatFormat output);

}  // namespace binade

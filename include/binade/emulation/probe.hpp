// What is this accumulator? The parameters of a dot model, found from outside.
//
// The unit under test is a function from rows of codes to sums. Directed rows first ask for one
// property each: which products share a step (small terms beside large ones that cancel), after
// how many products the chain is interrupted, how many fraction bits survive alignment, what the
// result is rounded to. A search over the parameters of DotModel then makes the card agree with
// random strata too, and fresh strata judge it. A card that fails says so: `exact` is false and the
// strata tell how many rows agree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "binade/emulation/instructions.hpp"

namespace binade {

/// D[r] = A[r, :] . B[r, :] + C[r], as whatever is under test computes it.
/// Shapes: a, b [rows, k], c, d [rows], containers as arrays hold them.
using DotFunction = std::function<void(const void* a, const void* b, const void* c, void* d,
                                       std::size_t rows, std::size_t k)>;

/// D = A B^T + C, a whole GEMM. Shapes: a [m, k], b [n, k], c, d [m, n], row-major containers.
using GemmFunction = std::function<void(const void* a, const void* b, const void* c, void* d,
                                        std::size_t m, std::size_t n, std::size_t k)>;
/// Rows through a GEMM: squares of up to `side` rows of A and of B, of which the diagonal is read.
/// C stands on the diagonal, zeros elsewhere. Errors: std::invalid_argument for side 0.
DotFunction rows_of_gemm(GemmFunction gemm, FloatFormat a, FloatFormat b, FloatFormat c,
                         std::size_t side = 16);

struct ProbeTarget {
  std::string name = "probed";
  FloatFormat a, b;
  FloatFormat c;               ///< of C and D: fp32 or fp16
  bool takes_c = true;         ///< false: C is not passed on and counts as zero
  std::size_t max_k = 2048;    ///< the longest row it may be asked for
  std::size_t k_multiple = 1;  ///< rows have a multiple of this many products
  DotFunction evaluate;
};

/// Inputs and outputs that were recorded elsewhere. c empty: zero.
struct RecordedRows {
  std::string name = "recorded";
  FloatFormat a, b, c;
  std::size_t rows = 0, k = 0;
  const void* a_codes = nullptr;  ///< [rows, k]
  const void* b_codes = nullptr;  ///< [rows, k]
  const void* c_codes = nullptr;  ///< [rows] or null
  const void* d_codes = nullptr;  ///< [rows]
};

struct ProbeOptions {
  std::uint64_t seed = 1;
  std::size_t rows = 1024;  ///< rows a stratum of the final judgement
};

/// One parameter of the card.
struct ProbeParameter {
  std::string name;
  std::string value;                    ///< the card's
  bool determined = false;              ///< no other value that was tried agrees with the data
  std::vector<std::string> consistent;  ///< values that agree with all rows, the others held
};

/// A family of rows and how well the card predicts it.
struct ProbeStratum {
  std::string name;
  std::size_t k = 0, rows = 0;
  std::size_t matching = 0;          ///< every bit
  std::size_t nan_pattern_only = 0;  ///< NaN on both sides, in other bits
  std::size_t zero_sign_only = 0;    ///< zero on both sides, under another sign
};

/// A case apart, in words: what was asked, the bits that came back, the bits of the card.
struct ProbeObservation {
  std::string question;
  std::uint64_t observed = 0, predicted = 0;
};

/// One of FTTN's feature tests, in the target's types.
struct ProbeFeature {
  std::string name;      ///< the paper's: T_1_bit
  std::string question;  ///< in words
  std::string answer;
};

struct ProbeResult {
  Instruction card;
  int promotion_interval = 0;  ///< fresh chains of this many products join an FP32 sum; 0: none
  bool exact = false;          ///< every bit of every fresh row
  bool exact_values = false;   ///< but for NaN patterns and signs of zero
  std::vector<ProbeStratum> strata;        ///< of fresh rows (recorded: of rows held out)
  std::vector<ProbeParameter> parameters;  ///< empty unless exact_values
  std::vector<ProbeObservation> observations;
  std::vector<ProbeFeature> features;  ///< empty for recorded rows
  std::vector<std::string> known;      ///< rows of instructions() that agree with all rows asked
  std::vector<std::string> notes;
  std::string fingerprint;                    ///< D of one fixed small matrix, as hexadecimal codes
  std::vector<std::string> same_fingerprint;  ///< rows of instructions() that give the same
  std::size_t rows_asked = 0;
};

/// Chains of an instruction, promoted: a fresh chain (C = 0) every `interval` products is added in
/// FP32, nearest even, to a sum that starts at C. Interval 0: dot itself.
/// Shapes, Special values, Errors: as dot; std::invalid_argument for a negative interval or a
/// container c that is not fp32 when interval > 0. A NaN sum is 0x7fffffff.
void promoted_dot(const Instruction& instruction, int interval, const void* a, const void* b,
                  const void* c, void* d, std::size_t rows, std::size_t k);

/// Finds the card of a unit that can be asked anything.
/// Arithmetic: as the head of this file; the search compares values, the judgement bits.
/// Determinism: the same rows for the same target and seed, and a pure function of the answers.
/// Errors: std::invalid_argument for formats that have no zero or no sign on either side, a
/// container that is not fp32 or fp16, no function, max_k below 4.
/// Source: Li et al., FTTN, arXiv 2403.00232 (directed rows, one telling matrix); Khattak and
/// Mikaitis, arXiv 2512.07004; Fasi et al., PeerJ CS 2021. Tests: tests/emulation/probe_*.
ProbeResult probe(const ProbeTarget& target, const ProbeOptions& options = {});

/// The same from recorded rows alone: a search from the known instructions outwards. Every fourth
/// row is held out for the judgement (from 16 rows on; fewer judge themselves, and a note says so).
/// Errors: as probe; std::invalid_argument for no rows.
ProbeResult probe_recorded(const RecordedRows& recorded, const ProbeOptions& options = {});

/// The record as JSON; "card" is what instruction_from_json reads.
std::string probe_to_json(const ProbeResult& result);

}  // namespace binade

// The parametric model of one fused dot-add step of a matrix unit, evaluated in integers.
//
//   for each product k of the step:   s_k = exact product of the two significands
//                                     e_k = sum of the two stored exponents (subnormals: emin)
//   E   = max(e_k over the products that count, exponent of C if it takes part, min_exponent)
//   t_k = s_k * 2^(e_k - E), rounded to F = alignment_fraction_bits fraction bits below 2^E
//   S   = exact integer sum of the t_k and of C, aligned likewise
//   D   = S * 2^E rounded once to the result format
//
// Every Tensor Core generation, every published alternative and hypothetical hardware is a row of
// parameters over this text. Sources: Fasi, Higham, Mikaitis, Pranesh (PeerJ CS 2021); Khattak and
// Mikaitis (arXiv 2512.07004); MMA-Sim (arXiv 2511.10909); the rows marked verified were compared
// with an H200. The text itself, for host and device, is dot_step.hpp.
#pragma once

#include <climits>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "binade/formats/codec.hpp"
#include "binade/formats/float_format.hpp"

namespace binade {

/// What happens to the bits of a term below the alignment grid.
enum class AlignmentRounding : std::uint8_t {
  kTruncate,     ///< the magnitude is truncated (every Tensor Core measured so far)
  kFloor,        ///< two's complement shift, "sign-fill"
  kNearestEven,  ///< each term is rounded to nearest even
};

/// Where C enters.
enum class AddendRule : std::uint8_t {
  kAligned,    ///< joins the maximum and the sum of the first step, like a product
  kAddedLast,  ///< the instruction's steps start from zero; C is added at its end, nearest even, in
               ///< the result format
};

/// Which of an instruction's k make up its successive steps.
enum class StepOrder : std::uint8_t {
  kConsecutive,       ///< step s takes k = s*step_k ... (s+1)*step_k - 1
  kInterleavedPairs,  ///< two steps: k mod 4 in {0,1}, then k mod 4 in {2,3} (FP8 mma.sync on
                      ///< sm_90)
};

inline constexpr int kNoExponentClamp = INT_MIN / 2;
inline constexpr int kStoredExponents = INT_MAX;

struct DotModel {
  int step_k = 32;  ///< products summed in one step
  StepOrder order = StepOrder::kConsecutive;
  int alignment_fraction_bits = 13;  ///< F; fraction bits kept below the largest exponent
  AlignmentRounding alignment = AlignmentRounding::kTruncate;
  int min_exponent = kNoExponentClamp;  ///< E is never below this
  bool zeros_join_maximum = false;      ///< zero products and a zero C count with their stored
                                        ///< exponents; else they never do
  bool normalize_products = false;      ///< e_k is that of the product's leading bit
  /// Subnormal operands are normalised down to this exponent before they are multiplied, as a
  /// conversion to a wider format does (-14: through FP16); else they keep their stored exponent.
  int multiplier_emin = kStoredExponents;
  AddendRule addend = AddendRule::kAligned;
  /// The grid that D is rounded to; D is then held in the instruction's container (fp32 or fp16).
  FloatFormat result{8, 13, 127, true, kIeee};
  Rounding result_rounding = Rounding::kTowardZero;  ///< or kNearestEven; beyond the range: Inf

  friend constexpr bool operator==(const DotModel&, const DotModel&) = default;
};

/// The smallest exponent that operands of format `f` have in front of the multiplier.
BINADE_HD constexpr int operand_emin(const DotModel& m, FloatFormat f) {
  return min_of(f.emin(), m.multiplier_emin);
}

/// A matrix instruction: operand types, its K and the model of its arithmetic.
struct Instruction {
  std::string name;
  FloatFormat a, b;
  FloatFormat c;  ///< the container format of C and D: fp32 or fp16
  int k = 32;     ///< products of one instruction; steps = k / model.step_k
  DotModel model;
  bool verified = false;  ///< compared bit for bit with hardware for this project
  std::string source;

  friend bool operator==(const Instruction&, const Instruction&) = default;
};

/// Errors: std::invalid_argument naming the field when a model cannot be evaluated: operands of
/// more than 24 bits of precision, F outside 1..48, sums beyond 63 bits, k no multiple of step_k,
/// an order that does not fit, a result format other than fp32-like or fp16-like, rounding other
/// than toward_zero or nearest_even.
void validate(const Instruction& instruction);
/// Whether validate has nothing to say.
bool is_valid(const Instruction& instruction);

/// D = A . B + C, rows of one or more chained instructions.
///
/// Shapes: a, b [rows, k] containers of instruction.a and .b, k a multiple of instruction.k or any
/// k > 0 (the tail is padded with zeros); c, d [rows] containers of instruction.c; d may be c.
/// Units: none; codes in, codes out.
/// Arithmetic: the model above, instructions in ascending k, D of one being C of the next.
/// Special values: NaN anywhere, Inf times 0, or +Inf and -Inf among products and C give the
/// canonical NaN (0x7fffffff, 0x7fff), else an infinity gives that infinity; decided step by step,
/// so that an infinity made by overflow meets the next step like any other. A zero result is +0;
/// beyond the result format's range is Inf under either rounding.
/// Determinism: integer arithmetic, the same bits everywhere and on any number of threads (0: as
/// many as OpenMP gives).
/// Errors: as validate; std::invalid_argument for k = 0, null arrays or negative threads.
/// Source: as the head of this file. Tests: tests/emulation/dot_*.
void dot(const Instruction& instruction, const void* a, const void* b, const void* c, void* d,
         std::size_t rows, std::size_t k, int threads = 0);

/// What a term of a step stands for, when it is no product.
inline constexpr int kTermC = -1;      ///< C: the addend, or D of the step before
inline constexpr int kTermChain = -2;  ///< the finished chain, in the addition of a kAddedLast C

/// One term of a step as the matrix unit sees it.
struct DotTerm {
  int k = 0;  ///< index of the product within the row; kTermC or kTermChain
  bool negative = false;
  std::uint64_t significand =
      0;  ///< exact product; value = significand * 2^(exponent - fraction_bits)
  int fraction_bits = 0;
  int exponent = 0;          ///< e_k
  std::int64_t aligned = 0;  ///< t_k in units of 2^unit_exponent, signed
  bool takes_part = true;    ///< false for zeros that do not count
  bool lost_bits = false;    ///< alignment discarded something
};

struct DotStep {
  bool is_final_addition = false;  ///< C of a kAddedLast instruction joins the chain: IEEE addition
  int max_exponent = 0;            ///< E; kNoExponentClamp when no term counts and none clamps
  int unit_exponent = 0;           ///< E - F: what one unit of `aligned` and `sum` is worth
  std::vector<DotTerm> terms;
  std::int64_t sum = 0;      ///< S, in units of 2^unit_exponent
  std::uint64_t result = 0;  ///< D after this step, a code of the instruction's c format
};

/// Everything that one row goes through, for `explain`; the last step's result is what dot gives.
/// Special values: steps that meet NaN or Inf have no terms, only a result.
/// Shapes, Errors: as dot with one row; c points at one container.
struct DotTrace {
  std::vector<DotStep> steps;
  std::uint64_t result = 0;
};
DotTrace trace_dot(const Instruction& instruction, const void* a, const void* b, const void* c,
                   std::size_t k);

}  // namespace binade

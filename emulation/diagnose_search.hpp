// Hypotheses about a GEMM: which there are, how they read, and how they do on a sample. Private to
// this folder.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "diagnose_model.hpp"

namespace binade::detail {

/// A chain under the names of all instructions of this arithmetic.
struct ChainChoice {
  ChainKind kind = ChainKind::kInstruction;
  std::shared_ptr<const Instruction> instruction;
  std::vector<std::string> names;
};
/// The card, the known instructions of the operands' types, fp32-sequential.
std::vector<ChainChoice> known_chains(const DiagnoseInput& input, const Instruction* card);
/// Models one parameter away from those.
std::vector<ChainChoice> neighbouring_chains(const std::vector<ChainChoice>& known);

/// All departures that these operands allow, most innocent first.
std::vector<Departure> departures_of(const DiagnoseInput& input);

/// What is summed, and in which order; the rest is a variant.
struct Candidate {
  ChainChoice chain;
  std::size_t interval = 0, split = 1;
  Departure departure;

  ChainSpec spec() const { return {chain.kind, chain.instruction.get(), interval}; }
};
struct Variant {
  ScaleMath math = ScaleMath::kNone;
  OutputRule rule;
};

struct Score {
  std::size_t compared = 0, matching = 0, same_value = 0;
  double distance = 0;  ///< log2 of (1 + codes) that lie between, summed
  bool is_exact() const { return matching == compared; }
  double share() const {
    return compared == 0 ? 0 : static_cast<double>(same_value) / static_cast<double>(compared);
  }
};
struct Trial {
  Candidate candidate;
  Variant variant;
  Score score;
};

/// Outputs to look at: a selection, and of it those that `wanted` marks (empty: all).
struct Sample {
  Selection at;
  std::vector<char> wanted;
};
Sample spread_sample(const DiagnoseInput& input, std::uint64_t seed);

/// Every chain under every interval, split, order of scales and output rule, for one departure.
/// `thorough` adds splits of K and the rarer output rules.
std::vector<Trial> try_all(const DiagnoseInput& input, const std::vector<ChainChoice>& chains,
                           const Departure& departure, const Sample& sample, bool thorough);

/// Departures whose rough values are about as near to the sample as the nearest one's.
std::vector<Departure> plausible(const DiagnoseInput& input, const std::vector<Departure>& all,
                                 const Sample& sample);

/// Distance of two codes along the axis of values; 0 next to NaN.
std::int64_t code_distance(FloatFormat f, std::uint64_t from, std::uint64_t to);
bool same_but_for_specials(FloatFormat f, std::uint64_t x, std::uint64_t y);

/// The outputs of one candidate and variant.
std::vector<std::uint64_t> outputs_of(const DiagnoseInput& input, const Candidate& candidate,
                                      const Variant& variant, const Selection& at, int threads);
/// The orders of scales that a candidate can have.
std::vector<ScaleMath> maths_of(const DiagnoseInput& input, const Candidate& candidate);

/// Rows of gemm_profiles() that this is.
std::vector<std::string> profiles_of(const DiagnoseInput& input, const Candidate& candidate,
                                     ScaleMath math);
std::string words_of(ScaleMath math);
std::string words_of(const DiagnoseInput& input, const Departure& departure);
/// Everything but counts.
GemmExplanation explain(const DiagnoseInput& input, const Candidate& candidate,
                        const std::vector<Variant>& variants);

/// All of D under one candidate.
struct WholeResult {
  std::vector<Score> scores;         ///< one a variant
  std::vector<std::uint32_t> codes;  ///< [m, n] of the first variant, if wanted
};
WholeResult run_whole(const DiagnoseInput& input, const Candidate& candidate,
                      const std::vector<Variant>& variants, bool keep_codes);

/// Inputs of the same types under which two candidates part, in words.
GemmTie separate(const DiagnoseInput& input, const Trial& first, const Trial& other,
                 std::uint64_t seed);

/// Fills mismatches, histogram, map and findings from the codes of `closest`.
void describe_mismatches(const DiagnoseInput& input, const Trial& closest,
                         const std::vector<std::uint32_t>& codes, std::size_t most,
                         GemmDiagnosis& diagnosis);

}  // namespace binade::detail

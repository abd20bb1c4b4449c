// Directed rows: each asks for one property. Private to this folder.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "probe_judge.hpp"

namespace binade::detail {

/// Which products are summed in one step.
struct Grouping {
  PowerRange powers;                    ///< of products that survive alone, a clamp notwithstanding
  std::vector<std::size_t> first_step;  ///< positions that share a step with position 0
  int step_k = 1;
  StepOrder order = StepOrder::kConsecutive;
  bool loses_small = false;  ///< a small term is lost beside large ones that cancel: F is in reach
  std::string note;          ///< what was odd, if anything
};
Grouping find_grouping(const ProbeTarget& target, ProbeData& data);

/// After how many products a chain is closed and its sum put aside: 0 when never.
int find_chunk(const ProbeTarget& target, const Grouping& grouping, ProbeData& data);

/// +B - B and small terms of both signs at every distance, in one step.
ProbeRows alignment_rows(const ProbeTarget& target, const Grouping& grouping, std::size_t k);
/// Sums in one step that need many result bits; factors of A are powers of two, so that no product
/// has a carry into a second integer bit.
ProbeRows result_rows(const ProbeTarget& target, const Grouping& grouping, std::size_t k);
/// C alone, at every exponent, with random significands; and beside +B - B.
ProbeRows addend_rows(const ProbeTarget& target, const Grouping& grouping, std::size_t k);
/// Significand products of 2 and more, subnormal factors, zeros beside the largest partners, each
/// with a small term that the exponent rule keeps or drops.
ProbeRows exponent_rows(const ProbeTarget& target, const Grouping& grouping, std::size_t k);
/// Products from the lowest exponents upwards, less a few units of their grid: where a clamp bites.
ProbeRows clamp_rows(const ProbeTarget& target, const Card& card);

/// The special values one by one, with the question in words.
struct SpecialQuestions {
  ProbeRows rows;
  std::vector<std::string> questions;
};
SpecialQuestions special_questions(const ProbeTarget& target, std::size_t k);

/// One small matrix whose products tell most accumulators apart, after FTTN.
ProbeRows fingerprint_rows(const ProbeTarget& target);

}  // namespace binade::detail

// The parameters of a card, and the search for those that agree with the rows. Private to this
// folder.
#pragma once

#include <string>
#include <vector>

#include "probe_rows.hpp"

namespace binade::detail {

/// One parameter as integers: which values are tried, how they are read, set and written.
struct CardParameter {
  std::string name;
  std::vector<int> (*values)(const Card&);
  int (*get)(const Card&);
  void (*set)(Card&, int);
  std::string (*text)(int);
  /// Where a value agrees, every lower one does, if the lowest of all agrees.
  bool is_threshold = false;
};
const std::vector<CardParameter>& card_parameters();
const CardParameter& card_parameter(const std::string& name);

/// Whether a card can be evaluated at all.
bool is_valid(const Card& card);

/// How many products a search may still evaluate: a start that is far off must end some time.
struct Effort {
  std::size_t products_left = 60'000'000;
};

/// Rows that a card predicts wrongly (as values), counted up to `enough`. A card that cannot be
/// evaluated misses all.
std::size_t misses(const Card& card, const std::vector<ProbeRows>& data, std::size_t enough,
                   Effort* effort = nullptr);

/// The best of the cards that differ from `card` in the named parameters alone, tried in all
/// combinations; `card` itself unless another misses fewer. Of equals the first wins.
Card best_of(const Card& card, const std::vector<std::string>& names,
             const std::vector<ProbeRows>& data, std::size_t& missed, Effort& effort);

/// The search ends early when the effort is spent; the card is then the best so far.
/// best_of over groups of parameters that mask one another, until nothing improves.
Card descend(Card card, const std::vector<ProbeRows>& data, std::size_t& missed, Effort& effort);

/// Which values of each parameter agree with all rows, the others held at the card's (or at those
/// of the card that says the same in other words).
std::vector<ProbeParameter> judge_parameters(const Card& card, const std::vector<ProbeRows>& data);

}  // namespace binade::detail

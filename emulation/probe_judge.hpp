// What the two kinds of probe share: checks, the first card, the judgement. Private to this folder.
#pragma once

#include <string>
#include <vector>

#include "probe_search.hpp"

namespace binade::detail {

/// Everything asked so far, so that the search can use it again.
using ProbeData = std::vector<ProbeRows>;

/// Errors: std::invalid_argument for types that no probe can ask.
void check_probe_types(FloatFormat a, FloatFormat b, FloatFormat c);
/// A card of these types, the model's defaults besides.
Card start_card(const std::string& name, FloatFormat a, FloatFormat b, FloatFormat c);
/// Every known model in these types, promoted or not, and a plain sequential sum: where a search
/// begins that has no better start. Promotion intervals stay below `k`.
std::vector<Card> known_starts(const std::string& name, FloatFormat a, FloatFormat b, FloatFormat c,
                               std::size_t k);
/// The best of the starts, and of the searches from the three that miss least.
Card search_from(const std::vector<Card>& starts, const ProbeData& data, Effort& effort);

/// The rows of each kind that a card predicts wrongly, `most` of a kind.
ProbeData missed_rows(const Card& card, const ProbeData& data, std::size_t most);

void judge_all(ProbeResult& result, const Card& card, const ProbeData& fresh);
/// Known instructions of the same types that agree with every row.
void find_known(ProbeResult& result, const ProbeData& data);
void add_notes(ProbeResult& result);
std::size_t rows_of(const ProbeData& data);
std::string hex_codes(FloatFormat f, const unsigned char* codes, std::size_t count);

}  // namespace binade::detail

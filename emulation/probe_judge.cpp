// Checks, starts and judgement of a probe.
#include "probe_judge.hpp"

#include <algorithm>
#include <cstdio>
#include <stdexcept>

#include "binade/formats/catalog.hpp"

namespace binade::detail {
namespace {

ProbeStratum judge(const Card& card, const ProbeRows& rows) {
  ProbeStratum s;
  s.name = rows.name;
  s.k = rows.k;
  s.rows = rows.rows;
  Predictor predict(card, rows);
  for (std::size_t i = 0; i < rows.rows; ++i) {
    const std::uint64_t want = rows.answer(i), got = predict(i);
    if (want == got) {
      ++s.matching;
    } else if (same_value(rows.c, want, got)) {
      ++(rows.c.is_nan(want) ? s.nan_pattern_only : s.zero_sign_only);
    }
  }
  return s;
}

}  // namespace

void check_probe_types(FloatFormat a, FloatFormat b, FloatFormat c) {
  const auto refuse = [](const std::string& why) { throw std::invalid_argument("probe: " + why); };
  for (const FloatFormat f : {a, b}) {
    if (!f.specials.has_zero) refuse("operands of " + format_name(f) + " have no zero");
  }
  if (!a.is_signed && !b.is_signed) refuse("neither operand has a sign, so nothing can cancel");
  if (c != Fp32::format && c != Fp16::format) {
    refuse("C and D are " + format_name(c) + ", expected fp32 or fp16");
  }
  Instruction i;
  i.name = "probed";
  i.a = a;
  i.b = b;
  i.c = c;
  i.model.result = c;
  validate(i);
}

Card start_card(const std::string& name, FloatFormat a, FloatFormat b, FloatFormat c) {
  Card card;
  card.instruction.name = name;
  card.instruction.a = a;
  card.instruction.b = b;
  card.instruction.c = c;
  card.instruction.source = "found by binade probe";
  card.instruction.model.result = c;
  return card;
}

std::vector<Card> known_starts(const std::string& name, FloatFormat a, FloatFormat b, FloatFormat c,
                               std::size_t k) {
  std::vector<Card> starts;
  Card sequential = start_card(name, a, b, c);
  sequential.instruction.k = sequential.instruction.model.step_k = 1;
  sequential.instruction.model.alignment_fraction_bits = 48;
  sequential.instruction.model.result_rounding = Rounding::kNearestEven;
  starts.push_back(sequential);
  for (const Instruction& i : instructions()) {
    if (i.c != c) continue;
    for (const int interval : {0, 32, 64, 128, 256, 512}) {
      if (interval != 0 && (i.c != Fp32::format || static_cast<std::size_t>(interval) >= k)) break;
      Card card = start_card(name, a, b, c);
      card.instruction.model = i.model;
      card.instruction.k = i.k;
      card.promotion_interval = interval;
      const bool seen = std::any_of(starts.begin(), starts.end(), [&](const Card& s) {
        return s.instruction == card.instruction && s.promotion_interval == interval;
      });
      if (!seen && is_valid(card)) starts.push_back(card);
    }
  }
  return starts;
}

Card search_from(const std::vector<Card>& starts, const ProbeData& data, Effort& effort) {
  std::vector<std::pair<std::size_t, Card>> ranked;
  for (const Card& start : starts) {
    ranked.emplace_back(misses(start, data, static_cast<std::size_t>(-1)), start);
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& x, const auto& y) { return x.first < y.first; });
  auto [least, best] = ranked.front();
  // Close by, one search is enough.
  const std::size_t searches = least * 20 < rows_of(data) ? 1 : 3;
  for (std::size_t i = 0; i < std::min(ranked.size(), searches) && least != 0; ++i) {
    std::size_t missed = 0;
    const Card card = descend(ranked[i].second, data, missed, effort);
    if (missed < least) {
      least = missed;
      best = card;
    }
  }
  return best;
}

ProbeData missed_rows(const Card& card, const ProbeData& data, std::size_t most) {
  ProbeData missed;
  for (const ProbeRows& rows : data) {
    Predictor predict(card, rows);
    std::vector<std::size_t> which;
    for (std::size_t row = 0; row < rows.rows && which.size() < most; ++row) {
      if (!same_value(rows.c, predict(row), rows.answer(row))) which.push_back(row);
    }
    if (!which.empty()) missed.push_back(rows.selected(which));
  }
  return missed;
}

void judge_all(ProbeResult& result, const Card& card, const ProbeData& fresh) {
  result.card = card.instruction;
  result.promotion_interval = card.promotion_interval;
  result.exact = result.exact_values = true;
  for (const ProbeRows& rows : fresh) {
    const ProbeStratum s = judge(card, rows);
    result.exact &= s.matching == s.rows;
    result.exact_values &= s.matching + s.nan_pattern_only + s.zero_sign_only == s.rows;
    result.strata.push_back(s);
  }
}

void find_known(ProbeResult& result, const ProbeData& data) {
  for (const Instruction& i : instructions()) {
    if (i.a != result.card.a || i.b != result.card.b || i.c != result.card.c) continue;
    const Card card{i, result.promotion_interval};
    if (misses(card, data, 1) == 0) result.known.push_back(i.name);
  }
}

std::string hex_codes(FloatFormat f, const unsigned char* codes, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    char word[20];
    std::snprintf(word, sizeof word, "%0*llx", f.container_bits() / 4,
                  static_cast<unsigned long long>(load_code(f, codes, i)));
    text += word;
  }
  return text;
}

std::size_t rows_of(const ProbeData& data) {
  std::size_t rows = 0;
  for (const ProbeRows& r : data) rows += r.rows;
  return rows;
}

void add_notes(ProbeResult& result) {
  const DotModel& m = result.card.model;
  if (!result.exact_values) return;
  const bool narrow = result.card.a.bits() == 8 && result.card.b.bits() == 8;
  if (narrow && m.order == StepOrder::kInterleavedPairs) {
    result.notes.push_back(
        "8-bit operands in two interleaved steps: the operands go through FP16 instructions");
  }
  if (m.step_k > 1 && m.addend == AddendRule::kAddedLast && m.result == Fp32::format &&
      result.card.c == Fp32::format) {
    result.notes.push_back("every " + std::to_string(result.card.k) +
                           " products are summed from zero and added to FP32: the same as a "
                           "promotion interval of " +
                           std::to_string(result.card.k));
  }
  if (m.step_k == 1) result.notes.push_back("one product a step: a sequential sum");
}

}  // namespace binade::detail

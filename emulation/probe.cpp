// The probe: directed rows give a first card, the search makes it agree with random rows, and fresh
// rows judge it.
#include "binade/emulation/probe.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"
#include "block_scale_shape.hpp"
#include "probe_features.hpp"
#include "probe_vectors.hpp"

namespace binade {
namespace {

using detail::Card;
using detail::Grouping;
using detail::ProbeData;
using detail::ProbeRows;
using detail::Stratum;

constexpr FloatFormat kFp32 = Fp32::format;

/// Candidates for what ends a chain after `chunk` products.
std::vector<Card> chunk_cards(const Card& card, int chunk) {
  std::vector<Card> cards{card};
  if (chunk == 0) return cards;
  Card last = card;
  last.instruction.model.addend = AddendRule::kAddedLast;
  if (card.instruction.model.order == StepOrder::kConsecutive) last.instruction.k = chunk;
  cards.push_back(last);
  Card promoted = card;
  promoted.promotion_interval = chunk;
  if (card.instruction.c == kFp32) cards.push_back(promoted);
  return cards;
}

Card best_card(const std::vector<Card>& cards, const ProbeData& data) {
  Card best = cards.front();
  auto least = static_cast<std::size_t>(-1);
  for (const Card& card : cards) {
    const std::size_t missed = detail::misses(card, data, least);
    if (missed < least) {
      least = missed;
      best = card;
    }
  }
  return best;
}

/// The parameters one at a time, each from rows made to show it.
Card first_card(const ProbeTarget& target, const Grouping& g, int chunk, ProbeData& data) {
  Card card = detail::start_card(target.name, target.a, target.b, target.c);
  DotModel& m = card.instruction.model;
  m.step_k = g.step_k;
  m.order = g.order;
  card.instruction.k = g.order == StepOrder::kInterleavedPairs ? 2 * g.step_k : g.step_k;
  if (g.step_k <= 2 && !g.loses_small) {
    m.alignment_fraction_bits = 48;
    m.result_rounding = Rounding::kNearestEven;
  }
  const std::size_t k = detail::fit_k(target, std::max<std::size_t>(card.instruction.k, 4));
  detail::Effort effort;
  const auto learn = [&](ProbeRows rows, std::vector<Card> cards,
                         const std::vector<std::string>& names) {
    detail::ask(target, rows);
    const ProbeData one{std::move(rows)};
    card = best_card(cards, one);
    std::size_t missed = detail::misses(card, one, static_cast<std::size_t>(-1));
    card = detail::best_of(card, names, one, missed, effort);
    data.insert(data.end(), one.begin(), one.end());
  };
  // The largest F of those that agree: from the top down, and the plainest alignment first.
  if (g.loses_small) {
    learn(detail::alignment_rows(target, g, k), {card}, {"alignment_fraction_bits", "alignment"});
  } else if (g.step_k > 2) {
    m.alignment_fraction_bits = 40;
    learn(detail::alignment_rows(target, g, k), {card}, {"alignment_fraction_bits", "alignment"});
  }
  learn(detail::result_rows(target, g, k), {card}, {"result_mantissa_bits", "result_rounding"});
  const std::size_t several = detail::fit_k(target, 2 * k + static_cast<std::size_t>(chunk));
  learn(make_stratum(target, Stratum::kNearUnit, several, 32, 99), chunk_cards(card, chunk), {});
  learn(detail::clamp_rows(target, card), {card}, {"min_exponent"});
  learn(detail::exponent_rows(target, g, k), {card},
        {"zeros_join_maximum", "normalize_products", "multiplier_emin"});
  if (target.takes_c) learn(detail::addend_rows(target, g, k), {card}, {"addend", "k"});
  return card;
}

/// Every stratum at lengths that cross a few steps and chains, ragged.
ProbeData ask_strata(const ProbeTarget& target, const Card& card, std::size_t rows,
                     std::uint64_t seed) {
  const auto k = static_cast<std::size_t>(card.instruction.k);
  const auto interval = static_cast<std::size_t>(card.promotion_interval);
  ProbeData data;
  for (int s = 0; s < static_cast<int>(Stratum::kCount); ++s) {
    const std::size_t length = detail::fit_k(target, k <= 8 ? 5 * k + 1 : 2 * k + k / 2 + 1);
    data.push_back(make_stratum(target, static_cast<Stratum>(s), length, rows, seed));
  }
  // One instruction alone, where the bottom of the range is not drowned.
  data.push_back(make_stratum(target, Stratum::kLow, detail::fit_k(target, k), rows, seed + 77));
  // Lengths that are whole numbers of larger instructions: what padding does, does not happen
  // there.
  for (const std::size_t length : {64u, 128u, 256u}) {
    data.push_back(make_stratum(target, Stratum::kNearUnit, detail::fit_k(target, length),
                                std::max<std::size_t>(rows / 8, 16), seed + 80 + length));
  }
  const std::size_t long_k = detail::fit_k(target, std::max<std::size_t>(3 * interval + k, 768));
  data.push_back(
      make_stratum(target, Stratum::kNearUnit, long_k, std::min<std::size_t>(rows, 24), seed + 78));
  for (ProbeRows& r : data) detail::ask(target, r);
  return data;
}

void take_fingerprint(const ProbeTarget& target, ProbeResult& result) {
  ProbeRows rows = detail::fingerprint_rows(target);
  detail::ask(target, rows);
  result.fingerprint = detail::hex_codes(rows.c, rows.d_codes.data(), rows.rows);
  for (const Instruction& i : instructions()) {
    if (i.a != target.a || i.b != target.b || i.c != target.c) continue;
    detail::Predictor predict({i, 0}, rows);
    bool same = true;
    for (std::size_t row = 0; row < rows.rows && same; ++row)
      same = predict(row) == rows.answer(row);
    if (same) result.same_fingerprint.push_back(i.name);
  }
}

void observe_specials(const ProbeTarget& target, const Card& card, ProbeResult& result) {
  const std::size_t k = detail::fit_k(target, std::max<std::size_t>(card.instruction.k, 2));
  detail::SpecialQuestions s = detail::special_questions(target, k);
  detail::ask(target, s.rows);
  detail::Predictor predict(card, s.rows);
  for (std::size_t i = 0; i < s.rows.rows; ++i) {
    const ProbeObservation o{s.questions[i], s.rows.answer(i), predict(i)};
    result.exact &= o.observed == o.predicted;
    result.exact_values &= detail::same_value(s.rows.c, o.observed, o.predicted);
    result.observations.push_back(o);
  }
}

/// The search from the card at hand and, where that fails at last, from the known models.
Card refine(const ProbeTarget& target, const Card& start, const ProbeData& data,
            detail::Effort& effort, bool last) {
  std::size_t missed = 0;
  const Card card = detail::descend(start, data, missed, effort);
  if (missed == 0 || !last) return card;
  detail::Effort another;
  const std::vector<Card> starts =
      detail::known_starts(target.name, target.a, target.b, target.c, detail::fit_k(target, 512));
  const Card other = detail::search_from(starts, data, another);
  return detail::misses(other, data, missed) < missed ? other : card;
}

/// Answers that change when they are asked again, or that never change: what to say of them, and
/// nothing of others.
std::string find_nonsense(const ProbeTarget& target, const ProbeData& rows_asked) {
  std::size_t changed = 0, asked = 0;
  bool constant = true;
  for (const ProbeRows& rows : rows_asked) {
    ProbeRows again = rows;
    detail::ask(target, again);
    asked += rows.rows;
    for (std::size_t i = 0; i < rows.rows; ++i) {
      changed += again.answer(i) != rows.answer(i) ? 1 : 0;
      constant &= rows.answer(i) == rows_asked.front().answer(0);
    }
  }
  if (changed != 0) {
    return std::to_string(changed) + " of " + std::to_string(asked) +
           " answers are others when they are asked again: no function of the operands";
  }
  if (!constant) return "";
  return "every answer is 0x" + detail::hex_codes(target.c, rows_asked.front().d_codes.data(), 1) +
         ", whatever is asked";
}

void check_target(const ProbeTarget& target) {
  if (!target.evaluate) throw std::invalid_argument("probe: no function to evaluate");
  if (target.k_multiple == 0 || target.max_k / target.k_multiple == 0 ||
      detail::fit_k(target, 4) < 4) {
    throw std::invalid_argument("probe: max_k " + std::to_string(target.max_k) +
                                " and k_multiple " + std::to_string(target.k_multiple) +
                                ": expected rows of at least 4 products");
  }
}

}  // namespace

DotFunction rows_of_gemm(GemmFunction gemm, FloatFormat a, FloatFormat b, FloatFormat c,
                         std::size_t side) {
  if (side == 0) throw std::invalid_argument("rows_of_gemm: side is 0, expected at least 1");
  return [gemm = std::move(gemm), side, a_bytes = detail::bytes_of(a), b_bytes = detail::bytes_of(b),
          c_bytes = detail::bytes_of(c)](
             const void* a_rows, const void* b_rows, const void* c_rows, void* d_rows,
             std::size_t rows, std::size_t k) {
    std::vector<unsigned char> c_square, d_square;
    for (std::size_t first = 0; first < rows; first += side) {
      const std::size_t m = std::min(side, rows - first);
      c_square.assign(m * m * c_bytes, 0);
      d_square.assign(m * m * c_bytes, 0);
      const auto* from = static_cast<const unsigned char*>(c_rows) + first * c_bytes;
      auto* to = static_cast<unsigned char*>(d_rows) + first * c_bytes;
      for (std::size_t i = 0; i < m; ++i) {
        std::memcpy(&c_square[i * (m + 1) * c_bytes], from + i * c_bytes, c_bytes);
      }
      gemm(static_cast<const unsigned char*>(a_rows) + first * k * a_bytes,
           static_cast<const unsigned char*>(b_rows) + first * k * b_bytes, c_square.data(),
           d_square.data(), m, m, k);
      for (std::size_t i = 0; i < m; ++i) {
        std::memcpy(to + i * c_bytes, &d_square[i * (m + 1) * c_bytes], c_bytes);
      }
    }
  };
}

void promoted_dot(const Instruction& instruction, int interval, const void* a, const void* b,
                  const void* c, void* d, std::size_t rows, std::size_t k) {
  if (interval < 0) {
    throw std::invalid_argument("promotion interval is " + std::to_string(interval) +
                                ", expected 0 or more");
  }
  if (interval == 0) {
    dot(instruction, a, b, c, d, rows, k, 1);
    return;
  }
  if (instruction.c != kFp32) {
    throw std::invalid_argument("promotion adds FP32 sums, but the instruction gives " +
                                format_name(instruction.c));
  }
  const auto chunk = static_cast<std::size_t>(interval);
  const std::size_t a_bytes = detail::bytes_of(instruction.a),
                    b_bytes = detail::bytes_of(instruction.b);
  const auto* a_codes = static_cast<const unsigned char*>(a);
  const auto* b_codes = static_cast<const unsigned char*>(b);
  std::vector<float> sum(rows), chain(rows);
  const std::vector<float> zero(rows);
  std::memcpy(sum.data(), c, rows * sizeof(float));
  std::vector<unsigned char> x, y;
  for (std::size_t first = 0; first < k; first += chunk) {
    const std::size_t width = std::min(chunk, k - first);
    x.resize(rows * width * a_bytes);
    y.resize(rows * width * b_bytes);
    for (std::size_t r = 0; r < rows; ++r) {
      std::memcpy(&x[r * width * a_bytes], a_codes + (r * k + first) * a_bytes, width * a_bytes);
      std::memcpy(&y[r * width * b_bytes], b_codes + (r * k + first) * b_bytes, width * b_bytes);
    }
    dot(instruction, x.data(), y.data(), zero.data(), chain.data(), rows, width, 1);
    for (std::size_t r = 0; r < rows; ++r) sum[r] += chain[r];
  }
  for (std::size_t r = 0; r < rows; ++r) {
    const std::uint32_t code = std::isnan(sum[r]) ? 0x7fffffffu : bit_cast<std::uint32_t>(sum[r]);
    std::memcpy(static_cast<unsigned char*>(d) + r * sizeof code, &code, sizeof code);
  }
}

ProbeResult probe(const ProbeTarget& target, const ProbeOptions& options) {
  detail::check_probe_types(target.a, target.b, target.c);
  check_target(target);
  ProbeData data;
  const Grouping g = detail::find_grouping(target, data);
  const int chunk = detail::find_chunk(target, g, data);
  Card card = first_card(target, g, chunk, data);
  ProbeResult result;
  ProbeData fresh;
  detail::Effort effort;
  std::string nonsense;
  // Rows that a card fails teach the next one; a few rounds, then the failure is reported.
  constexpr std::uint64_t kRounds = 5;
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    const ProbeData more = ask_strata(target, card, 64, options.seed + 2 * round);
    data.insert(data.end(), more.begin(), more.end());
    if (round == 0) nonsense = find_nonsense(target, more);
    if (!nonsense.empty()) {
      fresh = more;  // no search finds anything here
      break;
    }
    card = refine(target, card, data, effort, round == kRounds - 1);
    fresh = ask_strata(target, card, options.rows, options.seed + 1000 + round);
    const ProbeData failed = detail::missed_rows(card, fresh, 16);
    if (failed.empty()) break;
    data.insert(data.end(), failed.begin(), failed.end());
  }
  detail::judge_all(result, card, fresh);
  observe_specials(target, card, result);
  data.insert(data.end(), fresh.begin(), fresh.end());
  if (!nonsense.empty()) {
    result.exact = result.exact_values = false;
    result.notes.push_back(nonsense);
  }
  if (result.exact_values) result.parameters = detail::judge_parameters(card, data);
  detail::find_known(result, data);
  result.features = detail::ask_features(target, card.instruction.model.result.mantissa_bits);
  take_fingerprint(target, result);
  detail::add_notes(result);
  if (!g.note.empty()) result.notes.push_back(g.note);
  result.rows_asked = detail::rows_of(data) + result.observations.size();
  return result;
}

}  // namespace binade

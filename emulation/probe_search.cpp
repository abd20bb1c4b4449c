// The search: one parameter, or a few that mask one another, at a time.
#include "probe_search.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <stdexcept>

#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"

namespace binade::detail {
namespace {

std::vector<int> range(int first, int last) {
  std::vector<int> values(static_cast<std::size_t>(std::max(last - first + 1, 0)));
  std::iota(values.begin(), values.end(), first);
  return values;
}

std::string number(int value) { return std::to_string(value); }
constexpr int kWholeK = 1 << 20;  ///< longer than any row: C joins the finished sum
std::string interval_text(int value) {
  return value == 0 ? "none" : value == kWholeK ? "all of K" : number(value);
}
std::string clamp_text(int value) { return value == kNoExponentClamp ? "none" : number(value); }

/// Keeps k what step and order demand of it.
void fit_instruction_k(Instruction& i) {
  if (i.model.order == StepOrder::kInterleavedPairs) {
    i.k = 2 * i.model.step_k;
  } else if (i.model.addend == AddendRule::kAligned && i.k % i.model.step_k != 0) {
    i.k = i.model.step_k;
  }
}

std::vector<int> step_values(const Card&) {
  std::vector<int> values = range(1, 64);
  values.insert(values.end(), {96, 128, 256});
  return values;
}

std::vector<int> k_values(const Card& card) {
  const int step = card.instruction.model.step_k;
  std::vector<int> values;
  for (int steps = 1; steps <= 16; ++steps) values.push_back(steps * step);
  for (int k = 32; k <= 512; k *= 2) {
    if (k > 16 * step && k % step == 0) values.push_back(k);
  }
  return values;
}

std::vector<int> promotion_values(const Card& card) {
  std::vector<int> values{0, kWholeK};
  for (int k = 4; k <= 2048; k *= 2) values.push_back(k);
  for (int k : {card.instruction.k * 3, card.promotion_interval}) {
    if (k > 0 && std::find(values.begin(), values.end(), k) == values.end()) values.push_back(k);
  }
  if (card.instruction.c != FloatFormat{8, 23, 127, true, kIeee}) values.resize(1);
  return values;
}

/// From where no product or C reaches to where every one does; none first, as the plainest.
std::vector<int> clamp_values(const Card& card) {
  const Instruction& i = card.instruction;
  const int reach = i.c.min_ulp_exponent() - 4;
  std::vector<int> values{kNoExponentClamp};
  const int last = std::min(i.a.emax() + i.b.emax(), 40);
  for (int e = std::max(i.a.emin() + i.b.emin() - 2, reach); e <= last; ++e) values.push_back(e);
  for (int e = -160; e < values[1]; e += 1) {
    if (e >= reach) values.push_back(e);
  }
  return values;
}

std::vector<int> result_values(const Card& card) {
  std::vector<int> values = range(1, card.instruction.c.mantissa_bits);
  std::reverse(values.begin(), values.end());
  return values;
}

std::string alignment_text(int v) {
  constexpr const char* kNames[] = {"truncate", "floor", "nearest_even"};
  return kNames[v];
}
std::string order_text(int v) { return v == 0 ? "consecutive" : "interleaved_pairs"; }
std::string addend_text(int v) { return v == 0 ? "aligned" : "added_last"; }
std::string flag_text(int v) { return v == 0 ? "false" : "true"; }
std::string rounding_text(int v) { return std::string(binade::name_of(static_cast<Rounding>(v))); }

std::vector<CardParameter> step_parameters() {
  using C = Card;
  const auto two = [](const C&) { return std::vector<int>{0, 1}; };
  return {
      {"step_k", step_values, [](const C& c) { return c.instruction.model.step_k; },
       [](C& c, int v) {
         c.instruction.model.step_k = v;
         fit_instruction_k(c.instruction);
       },
       number},
      {"order", two, [](const C& c) { return static_cast<int>(c.instruction.model.order); },
       [](C& c, int v) {
         c.instruction.model.order = static_cast<StepOrder>(v);
         fit_instruction_k(c.instruction);
       },
       order_text},
      {"alignment_fraction_bits", [](const C&) { return range(1, 48); },
       [](const C& c) { return c.instruction.model.alignment_fraction_bits; },
       [](C& c, int v) { c.instruction.model.alignment_fraction_bits = v; }, number},
      {"alignment", [](const C&) { return range(0, 2); },
       [](const C& c) { return static_cast<int>(c.instruction.model.alignment); },
       [](C& c, int v) { c.instruction.model.alignment = static_cast<AlignmentRounding>(v); },
       alignment_text},
      {"min_exponent", clamp_values, [](const C& c) { return c.instruction.model.min_exponent; },
       [](C& c, int v) { c.instruction.model.min_exponent = v; }, clamp_text, true},
      {"zeros_join_maximum", two,
       [](const C& c) { return c.instruction.model.zeros_join_maximum ? 1 : 0; },
       [](C& c, int v) { c.instruction.model.zeros_join_maximum = v != 0; }, flag_text},
      {"normalize_products", two,
       [](const C& c) { return c.instruction.model.normalize_products ? 1 : 0; },
       [](C& c, int v) { c.instruction.model.normalize_products = v != 0; }, flag_text},
      {"multiplier_emin",
       [](const C&) {
         return std::vector<int>{kStoredExponents, -14, -126};
       },
       [](const C& c) { return c.instruction.model.multiplier_emin; },
       [](C& c, int v) { c.instruction.model.multiplier_emin = v; },
       [](int v) { return v == kStoredExponents ? std::string("stored") : number(v); }},
  };
}

std::vector<CardParameter> make_parameters() {
  using C = Card;
  const auto two = [](const C&) { return std::vector<int>{0, 1}; };
  std::vector<CardParameter> all = step_parameters();
  const std::vector<CardParameter> of_results{
      {"addend", two, [](const C& c) { return static_cast<int>(c.instruction.model.addend); },
       [](C& c, int v) {
         c.instruction.model.addend = static_cast<AddendRule>(v);
         fit_instruction_k(c.instruction);
       },
       addend_text},
      {"k", k_values, [](const C& c) { return c.instruction.k; },
       [](C& c, int v) { c.instruction.k = v; }, number},
      {"result_mantissa_bits", result_values,
       [](const C& c) { return c.instruction.model.result.mantissa_bits; },
       [](C& c, int v) { c.instruction.model.result.mantissa_bits = v; }, number},
      {"result_rounding",
       [](const C&) {
         return std::vector<int>{static_cast<int>(Rounding::kTowardZero),
                                 static_cast<int>(Rounding::kNearestEven)};
       },
       [](const C& c) { return static_cast<int>(c.instruction.model.result_rounding); },
       [](C& c, int v) { c.instruction.model.result_rounding = static_cast<Rounding>(v); },
       rounding_text},
      {"promotion_interval", promotion_values, [](const C& c) { return c.promotion_interval; },
       [](C& c, int v) { c.promotion_interval = v; }, interval_text},
  };
  all.insert(all.end(), of_results.begin(), of_results.end());
  return all;
}

using Groups = std::vector<std::vector<std::string>>;

/// Parameters that are tried together, because one can hide behind the other.
const Groups& quick_groups() {
  static const Groups all{
      {"zeros_join_maximum", "normalize_products", "alignment"},
      {"multiplier_emin", "normalize_products"},
      {"min_exponent"},
      {"alignment_fraction_bits", "alignment"},
      {"result_mantissa_bits", "result_rounding"},
      {"order", "addend", "k"},
      {"promotion_interval"},
      {"step_k"},
  };
  return all;
}
/// Tried when those are at an end.
const Groups& wide_groups() {
  static const Groups all{
      {"min_exponent", "zeros_join_maximum", "normalize_products"},
      {"addend", "k", "promotion_interval"},
      {"k", "result_mantissa_bits", "result_rounding"},  // padding steps cut the result to F bits
      {"step_k", "alignment_fraction_bits"},
      {"alignment_fraction_bits", "result_mantissa_bits", "result_rounding"},
      {"alignment_fraction_bits", "normalize_products", "multiplier_emin"},
  };
  return all;
}

/// Rounds over the groups until none improves.
void improve(Card& card, const Groups& groups, const std::vector<ProbeRows>& data,
             std::size_t& missed, Effort& effort) {
  for (std::size_t before = missed + 1; missed != 0 && missed < before;) {
    before = missed;
    for (const auto& names : groups) card = best_of(card, names, data, missed, effort);
  }
}

/// Some rows of each kind, those that the card misses first: enough to steer by.
std::vector<ProbeRows> sample_of(const Card& card, const std::vector<ProbeRows>& data) {
  constexpr std::size_t kRows = 12, kMost = 8192;
  std::vector<ProbeRows> sample;
  for (const ProbeRows& rows : data) {
    if (rows.k > kMost) continue;
    Predictor predict(card, rows);
    std::vector<std::size_t> chosen, others;
    for (std::size_t row = 0; row < rows.rows; ++row) {
      const bool same = same_value(rows.c, predict(row), rows.answer(row));
      std::vector<std::size_t>& list = !same && chosen.size() < kRows / 2 ? chosen : others;
      list.push_back(row);
    }
    const std::size_t stride = std::max<std::size_t>(others.size() / kRows, 1);
    for (std::size_t i = 0; i < others.size(); i += stride) chosen.push_back(others[i]);
    sample.push_back(rows.selected(chosen));
  }
  return sample;
}

}  // namespace

const std::vector<CardParameter>& card_parameters() {
  static const std::vector<CardParameter> all = make_parameters();
  return all;
}

const CardParameter& card_parameter(const std::string& name) {
  for (const CardParameter& p : card_parameters()) {
    if (p.name == name) return p;
  }
  throw std::invalid_argument("no card parameter '" + name + "'");
}

bool is_valid(const Card& card) {
  return is_valid(card.instruction) && card.promotion_interval >= 0;
}

std::size_t misses(const Card& card, const std::vector<ProbeRows>& data, std::size_t enough,
                   Effort* effort) {
  if (!is_valid(card)) return static_cast<std::size_t>(-1);
  std::size_t missed = 0;
  for (const ProbeRows& rows : data) {
    Predictor predict(card, rows);
    const auto unit = static_cast<std::size_t>(card.instruction.k);
    const std::size_t products = (rows.k + unit - 1) / unit * unit;  // the tail is padded
    for (std::size_t row = 0; row < rows.rows && missed < enough; ++row) {
      missed += same_value(rows.c, predict(row), rows.answer(row)) ? 0 : 1;
      if (effort != nullptr) effort->products_left -= std::min(effort->products_left, products);
    }
  }
  return missed;
}

Card best_of(const Card& card, const std::vector<std::string>& names,
             const std::vector<ProbeRows>& data, std::size_t& missed, Effort& effort) {
  Card best = card;
  // The value lists are taken on the way down, as a step decides which k there are.
  const std::function<void(const Card&, std::size_t)> visit = [&](const Card& at,
                                                                  std::size_t level) {
    if (missed == 0 || effort.products_left == 0) return;
    if (level < names.size()) {
      const CardParameter& p = card_parameter(names[level]);
      for (const int value : p.values(at)) {
        Card next = at;
        p.set(next, value);
        visit(next, level + 1);
      }
      return;
    }
    const std::size_t here = misses(at, data, missed, &effort);
    if (here < missed) {
      missed = here;
      best = at;
    }
  };
  visit(card, 0);
  return best;
}

Card descend(Card card, const std::vector<ProbeRows>& data, std::size_t& missed, Effort& effort) {
  missed = misses(card, data, static_cast<std::size_t>(-1));
  for (std::size_t before = missed + 1; missed != 0 && missed < before;) {
    before = missed;
    // On a few rows of each kind first: most candidates are wrong, and all rows cost more.
    const std::vector<ProbeRows> few = sample_of(card, data);
    Card steered = card;
    std::size_t missed_few = misses(steered, few, static_cast<std::size_t>(-1));
    improve(steered, quick_groups(), few, missed_few, effort);
    improve(steered, wide_groups(), few, missed_few, effort);
    improve(steered, quick_groups(), few, missed_few, effort);
    const std::size_t here = misses(steered, data, missed);
    if (here < missed) {
      missed = here;
      card = steered;
    } else {
      improve(card, quick_groups(), data, missed, effort);  // the few did not show what is wrong
    }
  }
  return card;
}

/// The same arithmetic under another name: a C that is added last every k products, and FP32
/// promotion every k of chains from zero.
static std::optional<Card> twin_of(const Card& card) {
  Card twin = card;
  Instruction& i = twin.instruction;
  if (i.c != Fp32::format || i.model.result != i.c) return std::nullopt;
  if (i.model.addend == AddendRule::kAddedLast && card.promotion_interval == 0) {
    twin.promotion_interval = i.k;
    i.model.addend = AddendRule::kAligned;
    i.k = i.model.order == StepOrder::kInterleavedPairs ? i.k : i.model.step_k;
    return twin;
  }
  if (card.promotion_interval == 0 || card.promotion_interval >= kWholeK) return std::nullopt;
  i.model.addend = AddendRule::kAddedLast;
  i.k = card.promotion_interval;
  twin.promotion_interval = 0;
  return twin;
}

/// Parameters that can hide one another: what one of them says holds for any values of the rest.
static std::vector<Card> companions(const CardParameter& p, const Card& card) {
  const std::vector<std::string> hiding{"zeros_join_maximum", "normalize_products",
                                        "multiplier_emin"};
  std::vector<Card> cards{card};
  const bool is_clamp = p.name == "min_exponent";
  if (!is_clamp && std::find(hiding.begin(), hiding.end(), p.name) == hiding.end()) return cards;
  if (!is_clamp) {
    cards.push_back(card);
    cards.back().instruction.model.min_exponent = kNoExponentClamp;
  }
  for (const std::string& name : hiding) {
    if (name == p.name) continue;
    const CardParameter& other = card_parameter(name);
    for (std::size_t i = cards.size(); i-- > 0;) {
      for (const int value : other.values(card)) {
        if (value == other.get(cards[i])) continue;
        cards.push_back(cards[i]);
        other.set(cards.back(), value);
      }
    }
  }
  return cards;
}

/// The values of one parameter that agree with all rows, the others as the card has them or as
/// their companions may.
static std::vector<int> agreeing_values(const CardParameter& p, const Card& card,
                                        const std::vector<ProbeRows>& data) {
  std::vector<int> values = p.values(card);
  values.push_back(p.get(card));
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  const std::vector<Card> others = companions(p, card);
  const auto agrees = [&](int value) {
    // Of thresholds the lowest alone: the companions are many, and the values too.
    const bool all = !p.is_threshold || value == values.front();
    const auto last = all ? others.end() : others.begin() + 1;
    return std::any_of(others.begin(), last, [&](Card other) {
      p.set(other, value);
      return misses(other, data, 1) == 0;
    });
  };
  Card lowest = card;
  p.set(lowest, values.front());
  const bool bisect = p.is_threshold && misses(lowest, data, 1) == 0;
  const auto end = bisect ? std::partition_point(values.begin(), values.end(), agrees)
                          : std::stable_partition(values.begin(), values.end(), agrees);
  values.erase(end, values.end());
  return values;
}

std::vector<ProbeParameter> judge_parameters(const Card& card, const std::vector<ProbeRows>& data) {
  std::vector<Card> views{card};
  const std::optional<Card> twin = twin_of(card);
  if (twin && misses(*twin, data, 1) == 0) views.push_back(*twin);
  std::vector<ProbeParameter> judged;
  for (const CardParameter& p : card_parameters()) {
    std::vector<int> values;
    for (const Card& view : views) {
      const std::vector<int> more = agreeing_values(p, view, data);
      values.insert(values.end(), more.begin(), more.end());
      if (p.is_threshold) break;  // means the same in either view
    }
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    ProbeParameter j;
    j.name = p.name;
    j.value = p.text(p.get(card));
    for (const int value : values) j.consistent.push_back(p.text(value));
    j.determined = j.consistent.size() == 1;
    judged.push_back(std::move(j));
  }
  return judged;
}

}  // namespace binade::detail

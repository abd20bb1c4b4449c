// Which hypotheses there are, and how they read.
#include <algorithm>

#include "binade/emulation/dot_neighbours.hpp"
#include "binade/formats/catalog.hpp"
#include "diagnose_search.hpp"

namespace binade::detail {
namespace {

void add_drops(std::size_t k, std::vector<Departure>& all) {
  const auto drop = [&](std::size_t first, std::size_t amount) {
    const bool listed = std::any_of(all.begin(), all.end(), [&](const Departure& d) {
      return d.reading == Reading::kDrop && d.first == first && d.amount == amount;
    });
    if (amount == 0 || amount >= k || listed) return;
    Departure d{Reading::kDrop};
    d.first = first;
    d.amount = amount;
    all.push_back(d);
  };
  for (const std::size_t t : {8u, 16u, 32u, 64u, 128u, 256u}) drop(k - k % t, k % t);
  for (const std::size_t t : {1u, 2u, 4u, 8u, 16u, 32u, 64u, 128u, 256u}) {
    if (t < k) drop(k - t, t);
    drop(0, t);
  }
}

void add_orders(const DiagnoseInput& input, std::vector<Departure>& all) {
  const std::size_t k = input.k;
  const auto add = [&](Reading reading, std::size_t amount, bool of_a, bool of_b) {
    Departure d{reading, of_a, of_b};
    d.amount = amount;
    all.push_back(d);
  };
  std::vector<std::size_t> blocks;
  for (const std::size_t t : {2u, 4u, 8u, 16u, 32u, 64u, 128u, 256u}) {
    if (t <= k) blocks.push_back(t);
  }
  if (k % 2 == 0 && std::find(blocks.begin(), blocks.end(), k) == blocks.end()) {
    blocks.push_back(k);
  }
  for (const std::size_t t : blocks) {
    add(Reading::kSwapHalves, t, true, true);
    if (k % t == 0 && t < k) add(Reading::kDescending, t, true, true);
    add(Reading::kSwapHalves, t, true, false);
    add(Reading::kSwapHalves, t, false, true);
  }
  std::vector<std::size_t> lengths;
  for (const std::size_t t : {16u, 32u, 64u, 128u}) {
    const std::size_t padded = (k + t - 1) / t * t;
    if (padded == k || std::find(lengths.begin(), lengths.end(), padded) != lengths.end()) continue;
    lengths.push_back(padded);
    add(Reading::kOverrun, t, true, true);
  }
  add(Reading::kRunning, 0, true, true);
}

void add_operands(const DiagnoseInput& input, std::vector<Departure>& all) {
  const auto add = [&](Departure d) { all.push_back(d); };
  if (input.a.rows == input.k) add({Reading::kTransposed, true, false});
  if (input.b.rows == input.k) add({Reading::kTransposed, false, true});
  if (input.a.rows > 1 && input.b.rows > 1) add({Reading::kOutputTransposed});
  const FloatFormat formats[] = {E4M3::format,     E5M2::format, E4M3Fnuz::format,
                                 E5M2Fnuz::format, Fp16::format, Bf16::format};
  const auto fits = [](FloatFormat f, const GemmOperand& x) {
    return f != x.format && f.container_bits() == x.format.container_bits();
  };
  for (const FloatFormat f : formats) {
    const bool a = fits(f, input.a), b = fits(f, input.b);
    if (a) add({Reading::kFormat, true, false, 0, 0, f});
    if (b) add({Reading::kFormat, false, true, 0, 0, f});
    if (a && b) add({Reading::kFormat, true, true, 0, 0, f});
  }
}

void add_scales(const DiagnoseInput& input, std::vector<Departure>& all) {
  const bool a = !input.a.scales.empty(), b = !input.b.scales.empty();
  const auto has = [](const GemmOperand& x, bool along_k, bool along_rows) {
    return !x.scales.empty() && (!along_k || x.scale_cols > 1) && (!along_rows || x.scale_rows > 1);
  };
  const auto add = [&](Reading reading, bool along_k, bool along_rows, std::size_t amount = 0) {
    const bool on_a = a && has(input.a, along_k, along_rows);
    const bool on_b = b && has(input.b, along_k, along_rows);
    if (on_a) all.push_back({reading, true, false, amount});
    if (on_b) all.push_back({reading, false, true, amount});
    if (on_a && on_b) all.push_back({reading, true, true, amount});
  };
  add(Reading::kNoScale, false, false);
  add(Reading::kReciprocalScale, false, false);
  for (const Reading r : {Reading::kFirstBlock, Reading::kLastOne, Reading::kLastStale,
                          Reading::kNextBlock, Reading::kPreviousBlock}) {
    add(r, true, false);
  }
  add(Reading::kFirstRow, false, true);
  for (const std::size_t tile : {2u, 8u, 16u, 64u, 128u}) add(Reading::kTileRow, false, true, tile);
  add(Reading::kScaleTransposed, true, true);
  if (a && b && input.a_scales == input.b_scales &&
      input.a.scales.size() == input.b.scales.size()) {
    all.push_back({Reading::kScalesExchanged});
  }
}

std::string sides(const Departure& d, const std::string& one, const std::string& both) {
  if (d.of_a && d.of_b) return both;
  return one + (d.of_a ? "A" : "B");
}

std::string code_words(const DiagnoseInput& input, const Departure& d) {
  const std::string n = std::to_string(d.amount);
  switch (d.reading) {
    case Reading::kDrop: {
      const bool end = d.first + d.amount == input.k;
      return "the " + std::string(end ? "last " : "first ") + n + " products of K are left out";
    }
    case Reading::kOverrun:
      return "K is filled to a multiple of " + n + " from the rows that follow";
    case Reading::kSwapHalves:
      return "the halves of every " + n + " products are swapped in " +
             sides(d, "", "both operands");
    case Reading::kDescending:
      return "blocks of " + n + " products come last first";
    case Reading::kFormat:
      return sides(d, "", "both operands") + (d.of_a && d.of_b ? " are" : " is") + " read as " +
             format_name(d.format);
    case Reading::kTransposed:
      return sides(d, "", "both operands") + " is read transposed";
    case Reading::kOutputTransposed:
      return "D is written column by column";
    case Reading::kRunning:
      return "chains are not reset after a promotion";
    default:
      return "";
  }
}

}  // namespace

std::vector<ChainChoice> known_chains(const DiagnoseInput& input, const Instruction* card) {
  std::vector<ChainChoice> chains;
  const auto add = [&](const Instruction& i, const std::string& name) {
    for (ChainChoice& c : chains) {
      if (c.instruction->model == i.model && c.instruction->k == i.k && c.instruction->c == i.c) {
        c.names.push_back(name);
        return;
      }
    }
    chains.push_back({ChainKind::kInstruction, std::make_shared<Instruction>(i), {name}});
  };
  if (card != nullptr) add(*card, card->name);
  for (const Instruction& i : instructions()) {
    if (i.a == input.a.format && i.b == input.b.format) add(i, i.name);
  }
  if (embeds_in(input.a.format, kFp32Format) && embeds_in(input.b.format, kFp32Format)) {
    chains.push_back({ChainKind::kFp32Sequential, nullptr, {"fp32-sequential"}});
  }
  return chains;
}

std::vector<ChainChoice> neighbouring_chains(const std::vector<ChainChoice>& known) {
  std::vector<ChainChoice> all;
  const auto add = [&](const ChainChoice& from, const DotModel& model) {
    Instruction i = *from.instruction;
    i.model = model;
    const auto same = [&](const ChainChoice& c) {
      return c.instruction != nullptr && c.instruction->model == i.model &&
             c.instruction->k == i.k && c.instruction->c == i.c;
    };
    if (!is_valid(i) || std::any_of(known.begin(), known.end(), same) ||
        std::any_of(all.begin(), all.end(), same)) {
      return;
    }
    all.push_back(
        {ChainKind::kInstruction,
         std::make_shared<Instruction>(i),
         {from.names.front() + " with " + changed_fields(from.instruction->model, model)}});
  };
  for (const ChainChoice& c : known) {
    if (c.kind != ChainKind::kInstruction) continue;
    for (const DotNeighbour& n : dot_neighbours(*c.instruction)) add(c, n.model);
    DotModel whole = c.instruction->model;
    whole.result = c.instruction->c;
    add(c, whole);
  }
  return all;
}

std::vector<Departure> departures_of(const DiagnoseInput& input) {
  std::vector<Departure> all;
  add_drops(input.k, all);
  // The block of K whose scale stands last in the array.
  for (const auto& [x, g] : {std::pair{&input.a, input.a_scales}, {&input.b, input.b_scales}}) {
    if (x->scale_cols < 2 || g.cols == 0) continue;
    Departure d{Reading::kDrop};
    d.first = (x->scale_cols - 1) * g.cols;
    d.amount = input.k - d.first;
    all.push_back(d);
  }
  add_orders(input, all);
  add_operands(input, all);
  add_scales(input, all);
  return all;
}

std::vector<std::string> profiles_of(const DiagnoseInput& input, const Candidate& c,
                                     ScaleMath math) {
  const auto fits = [](Granularity wanted, const GemmOperand& x, Granularity has) {
    return x.scales.empty() || wanted == kAnyGranularity || wanted == has;
  };
  const bool once = c.interval == 0;  // one promotion of one chain is an epilogue
  const auto order_is = [&](ScaleOrder order) {
    switch (order) {
      case ScaleOrder::kEpilogueProduct:
        return math == ScaleMath::kEndProduct;
      case ScaleOrder::kEpilogueBThenA:
        return math == ScaleMath::kEndBThenA;
      case ScaleOrder::kPromoteFmaProduct:
        return math == ScaleMath::kFmaProduct || (once && math == ScaleMath::kEndProduct);
      case ScaleOrder::kPromoteFmaAThenB:
        return math == ScaleMath::kFmaAThenB || (once && math == ScaleMath::kEndAThenB);
      case ScaleOrder::kPromoteFmaBThenA:
        return math == ScaleMath::kFmaBThenA || (once && math == ScaleMath::kEndBThenA);
      default:
        return math == ScaleMath::kExact;
    }
  };
  const std::size_t run = std::max(input.a_scales.cols, input.b_scales.cols);
  std::vector<std::string> names;
  if (c.split != 1 || c.departure.reading != Reading::kAsGiven) return names;
  for (const GemmProfile& p : gemm_profiles()) {
    const auto wanted = static_cast<std::size_t>(p.promotion_interval);
    const bool sequential = p.chain == ChainKind::kFp32Sequential;
    const std::size_t effective = sequential ? run : wanted;
    const bool same_interval = (effective >= input.k ? 0 : effective) == c.interval;
    const bool same_family =
        std::any_of(c.chain.names.begin(), c.chain.names.end(), [&](const std::string& name) {
          return sequential || p.chain == ChainKind::kExact ||
                 name.rfind(p.instruction_family + ".", 0) == 0;
        });
    const bool orders = math == ScaleMath::kNone || order_is(p.scale_order);
    if (p.chain == c.chain.kind && same_interval && same_family && orders &&
        fits(p.scale_a, input.a, input.a_scales) && fits(p.scale_b, input.b, input.b_scales)) {
      names.push_back(p.name);
    }
  }
  return names;
}

std::string words_of(ScaleMath math) {
  constexpr const char* kWords[] = {"",
                                    "sum * fl(sa * sb)",
                                    "fl(sum * sb) * sa",
                                    "fl(sum * sa) * sb",
                                    "s = fma(fl(sa * sb), chain, s)",
                                    "s = fma(fl(chain * sa), sb, s)",
                                    "s = fma(fl(chain * sb), sa, s)",
                                    "s = s + fl(chain * fl(sa * sb))",
                                    "s = s + fl(fl(chain * sa) * sb)",
                                    "s = s + fl(fl(chain * sb) * sa)",
                                    "exact"};
  return kWords[static_cast<std::size_t>(math)];
}

std::string words_of(const DiagnoseInput& input, const Departure& d) {
  if (!d.concerns_scales()) return code_words(input, d);
  const std::string whose = sides(d, "scales of ", "both scales");
  switch (d.reading) {
    case Reading::kNoScale:
      return whose + " not applied";
    case Reading::kReciprocalScale:
      return "reciprocals of the " + whose;
    case Reading::kFirstBlock:
      return whose + ": that of the first K block for all of K";
    case Reading::kLastOne:
      return whose + ": 1 in place of the last K block's";
    case Reading::kLastStale:
      return whose + ": the last K block has the one before's";
    case Reading::kNextBlock:
      return whose + ": each K block has the next one's";
    case Reading::kPreviousBlock:
      return whose + ": each K block has the previous one's";
    case Reading::kFirstRow:
      return whose + ": the first row's for all rows";
    case Reading::kTileRow:
      return whose + ": every " + std::to_string(d.amount) + " rows have their first one's";
    case Reading::kScaleTransposed:
      return whose + ": the array is read column by column";
    default:
      return "each operand has the other's scales";
  }
}

GemmExplanation explain(const DiagnoseInput& input, const Candidate& c,
                        const std::vector<Variant>& variants) {
  GemmExplanation e;
  e.chains = c.chain.names;
  e.promotion_interval = static_cast<int>(c.interval);
  e.split_k = static_cast<int>(c.split);
  e.departure = words_of(input, c.departure);
  const auto add = [](std::vector<std::string>& list, const std::string& word) {
    if (!word.empty() && std::find(list.begin(), list.end(), word) == list.end()) {
      list.push_back(word);
    }
  };
  for (const Variant& v : variants) {
    for (const std::string& name : profiles_of(input, c, v.math)) {
      if (v.rule.name == variants.front().rule.name) add(e.profiles, name);
    }
    add(e.scale_orders, words_of(v.math));
    add(e.output_rules, v.rule.name);
  }
  const auto listed = [](const std::vector<std::string>& list, const std::string& between) {
    std::string text;
    for (const std::string& word : list) text += (text.empty() ? "" : between) + word;
    return text;
  };
  e.text = listed(e.profiles, " = ");
  if (e.profiles != e.chains) e.text += (e.text.empty() ? "" : ": ") + listed(e.chains, " = ");
  if (c.chain.kind != ChainKind::kExact) {
    e.text += c.interval == 0 ? ", one chain"
                              : ", promoted every " + std::to_string(e.promotion_interval);
  }
  if (e.split_k > 1) e.text += ", K in " + std::to_string(e.split_k) + " parts";
  if (!e.scale_orders.empty()) e.text += ", " + listed(e.scale_orders, " or ");
  if (!e.output_rules.empty()) {
    const std::string rules = listed(e.output_rules, " or ");
    if (input.output != kFp32Format || rules != "nearest_even") e.text += ", output " + rules;
  }
  if (!e.departure.empty()) e.text += "; but " + e.departure;
  return e;
}

}  // namespace binade::detail

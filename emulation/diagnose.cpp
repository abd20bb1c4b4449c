// The search: what is known first, then what kernels get wrong, then the nearest of all.
#include "binade/emulation/diagnose.hpp"

#include <algorithm>
#include <stdexcept>

#include "binade/formats/catalog.hpp"
#include "diagnose_search.hpp"
#include "gemm_scales.hpp"

namespace binade {
namespace {

using detail::Candidate;
using detail::Departure;
using detail::DiagnoseInput;
using detail::Sample;
using detail::Trial;
using detail::Variant;

[[noreturn]] void refuse(const std::string& why) {
  throw std::invalid_argument("diagnose: " + why);
}

DiagnoseInput check(const GemmOperand& a, const GemmOperand& b, std::size_t k, FloatFormat output,
                    const void* d, const DiagnoseOptions& options) {
  for (const GemmOperand* x : {&a, &b}) {
    if (x->rows == 0 || k == 0 || x->codes == nullptr) {
      refuse("an operand is empty: " + std::to_string(x->rows) + " rows of " + std::to_string(k));
    }
    if (!x->format.specials.has_zero)
      refuse("operands of " + format_name(x->format) + " have no zero");
  }
  if (d == nullptr) refuse("no D");
  if (output.container_bits() > 32) {
    refuse("output of " + format_name(output) + ", expected a format of at most 32 bits");
  }
  if (options.threads < 0) refuse("threads is " + std::to_string(options.threads));
  if (options.instruction != nullptr) {
    const Instruction& card = *options.instruction;
    validate(card);
    if (card.a != a.format || card.b != b.format) {
      refuse("instruction " + card.name + " takes " + format_name(card.a) + " and " +
             format_name(card.b) + ", the operands are " + format_name(a.format) + " and " +
             format_name(b.format));
    }
  }
  DiagnoseInput input{a, b, k, output, d, options.threads, {}, {}};
  const auto granularity = [k](const GemmOperand& x, const char* name) {
    const detail::ScaleGrid checked(x, name, k, kAnyGranularity);
    return x.scales.empty() ? Granularity{}
                            : infer_granularity(x.rows, k, x.scale_rows, x.scale_cols);
  };
  input.a_scales = granularity(a, "A");
  input.b_scales = granularity(b, "B");
  return input;
}

/// A departure that explains less than half of the outputs is chance: what was expected comes
/// first.
bool is_better(const Trial& x, const Trial& y) {
  const auto worth = [](const Trial& t) {
    const bool departs = t.candidate.departure.reading != detail::Reading::kAsGiven;
    return departs && t.score.share() < 0.5 ? 0.5 * t.score.share() : t.score.share();
  };
  if (worth(x) != worth(y)) return worth(x) > worth(y);
  return x.score.distance < y.score.distance;
}

/// What was tried so far.
class Search {
 public:
  Search(const DiagnoseInput& input, const DiagnoseOptions& options)
      : input_(input),
        chains_(detail::known_chains(input, options.instruction)),
        sample_(detail::spread_sample(input, options.seed)) {}

  void use(Sample sample) {
    sample_ = std::move(sample);
    best_.clear();
    exact_.clear();
  }
  void known() { run(chains_, {}, true); }
  void neighbours() { run(detail::neighbouring_chains(real_chains()), {}, false); }
  void departures() {
    const std::vector<detail::ChainChoice> chains = real_chains();
    for (const Departure& d : detail::plausible(input_, detail::departures_of(input_), sample_)) {
      run(chains, d, false);
    }
  }
  const std::vector<Trial>& exact() const { return exact_; }
  /// The nearest trials, best first.
  const std::vector<Trial>& best() const { return best_; }
  std::size_t tried() const { return tried_; }

 private:
  /// What a faulty kernel may run on: not the contrasts.
  std::vector<detail::ChainChoice> real_chains() const {
    std::vector<detail::ChainChoice> chains = chains_;
    std::erase_if(chains, [](const detail::ChainChoice& c) {
      return c.names.front().rfind("reference.", 0) == 0;
    });
    return chains;
  }

  void run(const std::vector<detail::ChainChoice>& chains, const Departure& d, bool thorough) {
    constexpr std::size_t kKept = 6;
    for (Trial& trial : detail::try_all(input_, chains, d, sample_, thorough)) {
      ++tried_;
      if (trial.score.compared != 0 && trial.score.is_exact()) exact_.push_back(trial);
      const auto at = std::upper_bound(best_.begin(), best_.end(), trial, is_better);
      if (at == best_.end() && best_.size() >= kKept) continue;
      best_.insert(at, std::move(trial));
      if (best_.size() > kKept) best_.pop_back();
    }
  }

  const DiagnoseInput& input_;
  std::vector<detail::ChainChoice> chains_;
  Sample sample_;
  std::vector<Trial> best_, exact_;
  std::size_t tried_ = 0;
};

bool same_candidate(const Candidate& x, const Candidate& y) {
  return x.chain.names == y.chain.names && x.interval == y.interval && x.split == y.split &&
         x.departure.reading == y.departure.reading && x.departure.of_a == y.departure.of_a &&
         x.departure.of_b == y.departure.of_b && x.departure.amount == y.departure.amount &&
         x.departure.first == y.departure.first && x.departure.format == y.departure.format;
}

/// Trials of one candidate together.
struct Family {
  Candidate candidate;
  std::vector<Variant> variants;
};
/// What has a name comes first, then the fewest parts of K.
std::vector<Family> families_of(const DiagnoseInput& input, const std::vector<Trial>& trials) {
  std::vector<Family> families;
  for (const Trial& t : trials) {
    const auto at = std::find_if(families.begin(), families.end(), [&](const Family& f) {
      return same_candidate(f.candidate, t.candidate);
    });
    if (at != families.end()) {
      at->variants.push_back(t.variant);
    } else {
      families.push_back({t.candidate, {t.variant}});
    }
  }
  const auto rank = [&](const Family& f) {
    const bool named = std::any_of(f.variants.begin(), f.variants.end(), [&](const Variant& v) {
      return !detail::profiles_of(input, f.candidate, v.math).empty();
    });
    return f.candidate.split - (named ? 1 : 0);
  };
  std::stable_sort(families.begin(), families.end(),
                   [&](const Family& x, const Family& y) { return rank(x) < rank(y); });
  return families;
}

/// Judges all that match the sample by the whole matrix. Returns the survivors, as trials.
std::vector<Trial> verify(const DiagnoseInput& input, const std::vector<Trial>& trials,
                          GemmDiagnosis& diagnosis) {
  // Each costs a whole product.
  constexpr double kProducts = 4e9, kFewest = 12, kMost = 64;
  const auto size = static_cast<double>(input.a.rows * input.b.rows) * static_cast<double>(input.k);
  const auto most = static_cast<std::size_t>(std::clamp(kProducts / size, kFewest, kMost));
  std::vector<Trial> survivors;
  const std::vector<Family> families = families_of(input, trials);
  for (std::size_t i = 0; i < std::min(families.size(), most); ++i) {
    const Family& f = families[i];
    const detail::WholeResult whole = detail::run_whole(input, f.candidate, f.variants, false);
    std::vector<Variant> left;
    for (std::size_t v = 0; v < f.variants.size(); ++v) {
      if (whole.scores[v].is_exact()) left.push_back(f.variants[v]);
    }
    if (left.empty()) continue;
    // Nothing overflowed: what would happen then is not worth a word.
    if (left.front().rule.name == "nearest_even") {
      std::erase_if(left,
                    [](const Variant& v) { return v.rule.name == "nearest_even, saturating"; });
    }
    GemmExplanation e = detail::explain(input, f.candidate, left);
    e.compared = e.matching = e.same_value = whole.scores.front().compared;
    diagnosis.exact.push_back(e);
    survivors.push_back({f.candidate, left.front(), {}});
  }
  if (families.size() > most) {
    diagnosis.findings.push_back(std::to_string(families.size() - most) +
                                 " more explanations fit a sample of the outputs and were not "
                                 "tried on all");
  }
  return survivors;
}

/// The best few of the sample, by the whole matrix.
Trial find_closest(const DiagnoseInput& input, const std::vector<Trial>& best,
                   std::vector<std::uint32_t>& codes) {
  Trial closest;
  for (std::size_t i = 0; i < std::min<std::size_t>(best.size(), 3); ++i) {
    const auto whole = detail::run_whole(input, best[i].candidate, {best[i].variant}, true);
    Trial trial = best[i];
    const double distance = trial.score.distance;
    trial.score = whole.scores.front();
    trial.score.distance = distance;
    if (i == 0 || is_better(trial, closest)) {
      closest = trial;
      codes = whole.codes;
    }
  }
  return closest;
}

/// The rows and columns with the most mismatches, and which outputs there are mismatches.
Sample mismatching(const DiagnoseInput& input, const Trial& closest,
                   const std::vector<std::uint32_t>& codes) {
  const auto found =
      detail::found_outputs(input, closest.candidate.departure, detail::everything(input));
  const std::size_t n = input.b.rows;
  std::vector<std::size_t> rows(input.a.rows), cols(n);
  const auto wrong = [&](std::size_t row, std::size_t col) {
    return !detail::same_but_for_specials(input.output, found[row * n + col], codes[row * n + col]);
  };
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!wrong(i / n, i % n)) continue;
    ++rows[i / n];
    ++cols[i % n];
  }
  const auto most = [](const std::vector<std::size_t>& counts, std::size_t wanted) {
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] != 0) places.push_back(i);
    }
    std::stable_sort(places.begin(), places.end(),
                     [&](std::size_t x, std::size_t y) { return counts[x] > counts[y]; });
    if (places.size() > wanted) places.resize(wanted);
    return places;
  };
  Sample sample{{most(rows, 8), most(cols, 16)}, {}};
  for (const std::size_t row : sample.at.rows) {
    for (const std::size_t col : sample.at.cols) sample.wanted.push_back(wrong(row, col) ? 1 : 0);
  }
  return sample;
}

/// What made the outputs that the closest explanation misses, if it makes most of them.
void explain_rest(const DiagnoseInput& input, Search& search, const Trial& closest,
                  const std::vector<std::uint32_t>& codes, GemmDiagnosis& diagnosis) {
  const Sample sample = mismatching(input, closest, codes);
  if (sample.wanted.empty()) return;
  search.use(sample);
  search.known();
  search.departures();
  if (search.best().empty() ||
      2 * search.best().front().score.same_value < search.best().front().score.compared) {
    return;
  }
  const Trial& best = search.best().front();
  const auto whole = detail::run_whole(input, best.candidate, {best.variant}, true);
  const std::vector<std::uint32_t>& outputs = whole.codes;
  const auto found =
      detail::found_outputs(input, best.candidate.departure, detail::everything(input));
  GemmExplanation rest = detail::explain(input, best.candidate, {best.variant});
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (detail::same_but_for_specials(input.output, found[i], codes[i])) continue;
    ++rest.compared;
    rest.matching += outputs[i] == found[i] ? 1 : 0;
    rest.same_value += detail::same_but_for_specials(input.output, outputs[i], found[i]) ? 1 : 0;
  }
  if (2 * rest.same_value >= rest.compared) diagnosis.rest = rest;
}

}  // namespace

GemmDiagnosis diagnose(const GemmOperand& a, const GemmOperand& b, std::size_t k,
                       FloatFormat output, const void* d, const DiagnoseOptions& options) {
  const DiagnoseInput input = check(a, b, k, output, d, options);
  GemmDiagnosis diagnosis;
  diagnosis.rows = a.rows;
  diagnosis.cols = b.rows;
  diagnosis.k = k;
  Search search(input, options);
  search.known();
  std::vector<Trial> survivors = verify(input, search.exact(), diagnosis);
  std::vector<std::uint32_t> codes;
  Trial closest;
  if (survivors.empty()) {
    search.neighbours();
    search.departures();
    survivors = verify(input, search.exact(), diagnosis);
  }
  if (survivors.empty()) closest = find_closest(input, search.best(), codes);
  if (!survivors.empty()) {
    diagnosis.closest = diagnosis.exact.front();
    for (std::size_t i = 1; i < survivors.size(); ++i) {
      diagnosis.ties.push_back(
          detail::separate(input, survivors.front(), survivors[i], options.seed));
      diagnosis.ties.back().other = i;
    }
    diagnosis.tried = search.tried();
    return diagnosis;
  }
  diagnosis.closest = detail::explain(input, closest.candidate, {closest.variant});
  diagnosis.closest.compared = closest.score.compared;
  diagnosis.closest.matching = closest.score.matching;
  diagnosis.closest.same_value = closest.score.same_value;
  diagnosis.mismatches = closest.score.compared - closest.score.matching;
  if (closest.score.same_value != closest.score.compared) {
    explain_rest(input, search, closest, codes, diagnosis);
  }
  detail::describe_mismatches(input, closest, codes, options.most_mismatches, diagnosis);
  diagnosis.tried = search.tried();
  return diagnosis;
}

}  // namespace binade

// What an attention sink does to probabilities that are cast to FP8, by the order of the keys and
// the scale of the cast.
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>

#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"
#include "sampling.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

/// Scores [queries, keys], N(0, 1) but for the first `sinks` keys of each, whose mean is
/// `strength`, and values [keys, width].
struct Problem {
  std::size_t queries, keys, sinks, width, block;
  std::vector<float> scores, values;
};

/// One query by blocks of keys: p = exp(s - running maximum), cast to E4M3 at `scale`, or not at
/// all.
class Query {
 public:
  Query(const Problem& p, std::size_t row, double scale, bool casts)
      : p_(p),
        scores_(std::span(p.scores).subspan(row * p.keys, p.keys)),
        scale_(scale),
        casts_(casts),
        output_(p.width) {}

  /// Blocks are taken from the first key on, or from the last.
  void run(bool reversed) {
    const std::size_t blocks = (p_.keys + p_.block - 1) / p_.block;
    for (std::size_t i = 0; i < blocks; ++i) {
      const std::size_t first = (reversed ? blocks - 1 - i : i) * p_.block;
      add_block(first, std::min(p_.keys, first + p_.block));
    }
    for (double& o : output_) o /= sum_;
  }

  const std::vector<double>& output() const { return output_; }
  std::size_t lost() const { return lost_; }  ///< that are no sinks and became zero

 private:
  void add_block(std::size_t first, std::size_t last) {
    double largest = maximum_;
    for (std::size_t j = first; j < last; ++j) largest = std::max<double>(largest, scores_[j]);
    const double factor = std::exp(maximum_ - largest);
    for (double& o : output_) o *= factor;
    sum_ *= factor;
    maximum_ = largest;
    std::vector<float> p(last - first);
    for (std::size_t j = first; j < last; ++j) {
      p[j - first] = static_cast<float>(scale_ * std::exp(scores_[j] - largest));
      sum_ += static_cast<double>(p[j - first]);
    }
    if (casts_) round_to(E4M3::format, p, p);
    for (std::size_t j = first; j < last; ++j) {
      lost_ += j >= p_.sinks && p[j - first] == 0;
      const float* v = p_.values.data() + j * p_.width;
      for (std::size_t c = 0; c < p_.width; ++c) {
        output_[c] += static_cast<double>(p[j - first]) * static_cast<double>(v[c]);
      }
    }
  }

  const Problem& p_;
  std::span<const float> scores_;
  double scale_;
  bool casts_;
  double maximum_ = -1e30, sum_ = 0;
  std::vector<double> output_;
  std::size_t lost_ = 0;
};

struct Outcome {
  double lost = 0, mse = 0;
};

Outcome outcome_of(const Problem& p, double scale, bool reversed, int threads) {
  std::vector<Outcome> by_query(p.queries);
  const int team = threads > 0 ? threads : omp_get_max_threads();
#pragma omp parallel for num_threads(team) schedule(static)
  for (std::size_t i = 0; i < p.queries; ++i) {
    Query exact(p, i, 1, false), cast(p, i, scale, true);
    exact.run(false);
    cast.run(reversed);
    double sum = 0;
    for (std::size_t c = 0; c < p.width; ++c) {
      const double e = cast.output()[c] - exact.output()[c];
      sum += e * e;
    }
    by_query[i] = {static_cast<double>(cast.lost()) / static_cast<double>(p.keys - p.sinks),
                   sum / static_cast<double>(p.width)};
  }
  Outcome mean;
  for (const Outcome& o : by_query) {
    mean.lost += o.lost / static_cast<double>(p.queries);
    mean.mse += o.mse / static_cast<double>(p.queries);
  }
  return mean;
}

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

/// Below 2^-10, half the smallest subnormal number, E4M3 rounds to zero.
double threshold(double scale) { return 10 * std::numbers::ln2 + std::log(scale); }

/// The published share: Phi(strength + delta - 6.93 - ln scale), delta the expected maximum of the
/// sinks' own scatter; `exact`: the mean over the queries of Phi with the maximum that each has.
struct Predicted {
  double published = 0, exact = 0;
};

Predicted predicted(const Problem& p, double strength, double scale) {
  Predicted r;
  double mean = 0;
  for (std::size_t i = 0; i < p.queries; ++i) {
    const std::span<const float> row = std::span(p.scores).subspan(i * p.keys, p.block);
    const double largest = *std::ranges::max_element(row);
    const double sink = *std::ranges::max_element(row.first(p.sinks));
    mean += (sink - strength) / static_cast<double>(p.queries);
    r.exact += normal_cdf(largest - threshold(scale)) / static_cast<double>(p.queries);
  }
  r.published = normal_cdf(strength + mean - threshold(scale));
  return r;
}

Problem make_problem(const Arguments& arguments) {
  Problem p{size_argument(arguments, "queries"),
            size_argument(arguments, "length"),
            size_argument(arguments, "sinks"),
            size_argument(arguments, "width"),
            size_argument(arguments, "block"),
            {},
            {}};
  if (p.sinks >= p.keys || p.sinks > p.block) {
    throw std::invalid_argument("parameter sinks: found " + std::to_string(p.sinks) +
                                ", expected at most a block and fewer than the keys");
  }
  const std::uint64_t seed = seed_argument(arguments);
  p.scores = sample("normal", p.queries * p.keys, seed, 0, arguments.threads);
  p.values = sample("normal", p.keys * p.width, seed, 1, arguments.threads);
  return p;
}

Table run(const Arguments& arguments) {
  const auto strengths = arguments.number_list("strength"), scales = arguments.number_list("scale");
  const auto orders = arguments.text_list("orders");
  for (const double scale : scales) {
    if (!(scale > 0)) throw std::invalid_argument("parameter scale: expected numbers above 0");
  }
  const Problem base = make_problem(arguments);
  Table table;
  Progress progress{arguments, strengths.size() * scales.size() * orders.size()};
  for (const double strength : strengths) {
    Problem p = base;
    for (std::size_t i = 0; i < p.scores.size(); ++i) {
      if (i % p.keys < p.sinks) p.scores[i] = static_cast<float>(p.scores[i] + strength);
    }
    for (const double scale : scales) {
      const Predicted share = predicted(p, strength, scale);
      for (const std::string& order : orders) {
        const Outcome o = outcome_of(p, scale, order == "reverse", arguments.threads);
        table.rows.push_back({strength, scale, order, o.lost, share.published, share.exact, o.mse});
        progress.step();
      }
    }
  }
  return table;
}

}  // namespace

Experiment sink_underflow() {
  Experiment e;
  e.name = "sink_underflow";
  e.question = "Which probabilities does an attention sink push below FP8?";
  e.source =
      "arXiv 2606.06521: keys in forward order lose the share Phi(strength + 1 - 6.93 - ln scale) "
      "of the probabilities that are no sinks; reverse order and the scale 256 lose none, and the "
      "mean squared error falls 3 to 10 times";
  e.parameters = {
      {"strength",
       "0,2,4,5,6,7,8,9,10,11,12,13,14",
       "4,8",
       "mean score of the sinks above the "
       "others', in their standard deviations",
       {}},
      {"scale", "1,256,448", "1,256", "P is cast as exp(s - maximum) times this", {}},
      {"orders", "forward,reverse", "", "of the keys; sinks are the first", {"forward", "reverse"}},
      {"length", "4096", "256", "keys", {}},
      {"queries", "64", "4", "of one head", {}},
      {"sinks", "4", "", "keys that are sinks", {}},
      {"width", "64", "8", "of a value", {}},
      {"block", "128", "32", "keys at once", {}},
      seed_parameter(),
  };
  e.columns = {
      {"strength", "", "mean score of the sinks"},
      {"scale", "", "of the cast"},
      {"order", "", "of the keys"},
      {"lost", "", "share of the probabilities that are no sinks and became zero"},
      {"published", "", "that share for forward order by the published formula"},
      {"predicted", "", "the same with the largest score of each query's own first block"},
      {"mse", "", "mean squared error of the output"},
  };
  e.keeps_figure = true;
  e.findings = {
      {"share lost, forward order, strength 7, scale 1",
       "Phi(7 + 1 - 6.93)",
       "0.81",
       "reproduced to 0.05: the formula takes the sinks' mean maximum, each query has its own",
       "lost",
       {{"orders", "forward"}, {"strength", "7"}, {"scale", "1"}},
       {},
       {}},
      {"the same by the published formula",
       "0.86",
       "0.86",
       "reproduced",
       "published",
       {{"orders", "forward"}, {"strength", "7"}, {"scale", "1"}},
       {},
       {}},
      {"share lost, reverse order, strength 7, scale 256",
       "0",
       "0",
       "reproduced",
       "lost",
       {{"orders", "reverse"}, {"strength", "7"}, {"scale", "256"}},
       {},
       {}},
      {"mean squared error of forward order and scale 1 over reverse and 256, strength 5",
       "3 to 10",
       "6.8",
       "reproduced",
       "mse",
       {{"strength", "5"}, {"scale", "1,256"}, {"queries", "128"}},
       {{"order", "forward"}, {"scale", "1"}},
       {{"order", "reverse"}, {"scale", "256"}}},
  };
  e.run = run;
  return e;
}

}  // namespace binade::experiments

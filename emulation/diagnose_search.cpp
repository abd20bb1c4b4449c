// How hypotheses do: on a sample, on the whole of D, and against one another.
#include "diagnose_search.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "binade/formats/catalog.hpp"
#include "block_scale_shape.hpp"

namespace binade::detail {
namespace {

std::vector<std::size_t> intervals_of(const DiagnoseInput& input, const ChainChoice& chain) {
  const auto step = chain.instruction != nullptr ? static_cast<std::size_t>(chain.instruction->k)
                                                 : std::size_t{16};
  std::vector<std::size_t> intervals{0};
  const auto add = [&](std::size_t i) {
    const bool listed = std::find(intervals.begin(), intervals.end(), i) != intervals.end();
    if (!listed && i % step == 0 && i != 0 && i < input.k) intervals.push_back(i);
  };
  for (const std::size_t i : {128u, 64u, 256u, 512u, 32u, 1024u, 2048u, 16u}) add(i);
  add(step);
  for (const std::size_t parts : {2u, 3u, 4u, 8u, 16u}) add(ceil_div(input.k, parts));
  return intervals;
}

/// A chain that ends where nothing is promoted has one slice; each part has two or more.
std::vector<std::size_t> splits_of(std::size_t slices, bool thorough) {
  std::vector<std::size_t> splits{1};
  for (const std::size_t s : {2u, 3u, 4u, 8u, 16u}) {
    if (thorough && slices % s == 0 && slices / s >= 2) splits.push_back(s);
  }
  return splits;
}

Score score_of(FloatFormat f, const std::vector<std::uint64_t>& found,
               const std::vector<std::uint64_t>& codes, const std::vector<char>& wanted) {
  constexpr std::size_t kFewest = 24;  // hopeless candidates are seen by then
  Score s;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (!wanted.empty() && wanted[i] == 0) continue;
    if (s.compared == kFewest && s.same_value == 0) break;
    ++s.compared;
    s.matching += found[i] == codes[i] ? 1 : 0;
    s.same_value += same_but_for_specials(f, found[i], codes[i]) ? 1 : 0;
    const bool beside_nan = f.is_nan(found[i]) != f.is_nan(codes[i]);
    const auto codes_between = static_cast<double>(code_distance(f, codes[i], found[i]));
    s.distance += beside_nan ? f.bits() : std::log2(1 + std::fabs(codes_between));
  }
  if (s.compared != 0) s.distance /= static_cast<double>(s.compared);
  return s;
}

struct Job {
  Candidate candidate;
  std::vector<Trial> trials;
};

bool is_order(Reading r) {
  return r == Reading::kSwapHalves || r == Reading::kDescending || r == Reading::kRunning;
}

std::vector<Job> jobs_of(const DiagnoseInput& input, const std::vector<ChainChoice>& chains,
                         const Departure& d) {
  std::vector<Job> jobs;
  for (const ChainChoice& chain : chains) {
    for (const std::size_t interval : intervals_of(input, chain)) {
      // Every prefix is a chain of its own: short intervals would cost the square of K.
      if (d.reading == Reading::kRunning && interval < 64) continue;
      jobs.push_back({{chain, interval, 1, d}, {}});
    }
  }
  const bool reorders = is_order(d.reading) && d.of_a == d.of_b;
  if (!reorders && d.reading != Reading::kOverrun && d.reading != Reading::kScalesExchanged) {
    jobs.push_back({{{ChainKind::kExact, nullptr, {"exact"}}, 0, 1, d}, {}});
  }
  return jobs;
}

void run_exact_job(const DiagnoseInput& input, Job& job, const Sample& sample,
                   const std::vector<std::uint64_t>& found) {
  const auto codes = exact_outputs(input, job.candidate.departure, sample.at, 1);
  const Variant variant{maths_of(input, job.candidate).front(),
                        output_rules_for(input.output).front()};
  job.trials.push_back(
      {job.candidate, variant, score_of(input.output, found, codes, sample.wanted)});
}

void run_job(const DiagnoseInput& input, Job& job, const Sample& sample,
             const std::vector<std::uint64_t>& found, bool thorough) {
  const Candidate& c = job.candidate;
  if (c.chain.kind == ChainKind::kExact) return run_exact_job(input, job, sample, found);
  const std::vector<ScaleMath> maths = maths_of(input, c);
  if (maths.empty()) return;
  std::vector<std::vector<float>> slices;
  std::vector<std::size_t> starts;
  for_each_chain(input, c.spec(), c.departure, sample.at, 1,
                 [&](std::size_t k0, const std::vector<float>& chains) {
                   starts.push_back(k0);
                   slices.push_back(chains);
                 });
  std::vector<OutputRule> rules = output_rules_for(input.output);
  for (const std::size_t split : splits_of(slices.size(), thorough)) {
    for (const ScaleMath math : maths) {
      Summation sum(input, c.departure, sample.at, math, slices.size(), split);
      for (std::size_t s = 0; s < slices.size(); ++s) sum.add(starts[s], slices[s]);
      const std::vector<float> sums = sum.finish();
      for (const OutputRule& rule : rules) {
        const auto codes = round_outputs(sums, rule, input.output);
        job.trials.push_back(
            {c, {math, rule}, score_of(input.output, found, codes, sample.wanted)});
        job.trials.back().candidate.split = split;
      }
    }
  }
}

/// Where the values that come back lie from those that a departure would give; smaller is nearer.
double rough_distance(const DiagnoseInput& input, const Departure& d, const Sample& few) {
  const std::vector<double> rough = rough_outputs(input, d, few.at);
  const std::vector<std::uint64_t> found = found_outputs(input, d, few.at);
  const double most = decode(input.output, input.output.max_finite_code());
  double apart = 0, size = 0;
  for (std::size_t i = 0; i < rough.size(); ++i) {
    if (!few.wanted.empty() && few.wanted[i] == 0) continue;
    const double value = decode(input.output, found[i]);
    if (!std::isfinite(value) || !std::isfinite(rough[i])) {
      const bool alike = !std::isfinite(value) && !(std::fabs(rough[i]) < most);
      apart += alike ? 0 : 1;
      size += 1;
      continue;
    }
    // A ratio, so that one huge output does not speak for all.
    const double scale = std::fabs(value) + std::fabs(rough[i]);
    apart += scale == 0 ? 0 : std::fabs(value - rough[i]) / scale;
    size += 1;
  }
  return size == 0 ? 1 : apart / size;
}

Sample first_few(const Sample& sample, std::size_t rows, std::size_t cols) {
  Sample few;
  rows = std::min(rows, sample.at.rows.size());
  cols = std::min(cols, sample.at.cols.size());
  few.at.rows.assign(sample.at.rows.begin(),
                     sample.at.rows.begin() + static_cast<std::ptrdiff_t>(rows));
  few.at.cols.assign(sample.at.cols.begin(),
                     sample.at.cols.begin() + static_cast<std::ptrdiff_t>(cols));
  for (std::size_t i = 0; !sample.wanted.empty() && i < rows * cols; ++i) {
    few.wanted.push_back(sample.wanted[i / cols * sample.at.cols.size() + i % cols]);
  }
  return few;
}

std::vector<std::size_t> spread(std::size_t count, std::size_t wanted, std::uint64_t seed) {
  std::vector<std::size_t> places{0, count - 1};
  for (std::size_t i = 0; places.size() < wanted + 2 && i < 4 * wanted; ++i) {
    places.push_back((i % wanted * count + random_at(seed, i) % count) / wanted);
  }
  // The corners first, then the others as they were drawn, each once.
  std::vector<std::size_t> unique;
  for (const std::size_t p : places) {
    if (p < count && std::find(unique.begin(), unique.end(), p) == unique.end() &&
        unique.size() < wanted) {
      unique.push_back(p);
    }
  }
  return unique;
}

}  // namespace

std::int64_t code_distance(FloatFormat f, std::uint64_t from, std::uint64_t to) {
  if (f.is_nan(from) || f.is_nan(to)) return 0;
  const auto place = [&](std::uint64_t code) {
    const auto magnitude = static_cast<std::int64_t>(code & f.magnitude_mask());
    return f.is_negative(code) ? -magnitude : magnitude;
  };
  return place(to) - place(from);
}

bool same_but_for_specials(FloatFormat f, std::uint64_t x, std::uint64_t y) {
  return x == y || (f.is_nan(x) && f.is_nan(y)) || ((x | y) & f.magnitude_mask()) == 0;
}

Sample spread_sample(const DiagnoseInput& input, std::uint64_t seed) {
  return {{spread(input.a.rows, 8, 2 * seed), spread(input.b.rows, 16, 2 * seed + 1)}, {}};
}

std::vector<ScaleMath> maths_of(const DiagnoseInput& input, const Candidate& c) {
  using enum ScaleMath;
  if (!input.has_scales()) return {kNone};
  if (c.chain.kind == ChainKind::kExact) return {kExact};
  std::vector<ScaleMath> maths{kEndProduct, kEndBThenA,    kEndAThenB,   kFmaProduct, kFmaAThenB,
                               kFmaBThenA,  kApartProduct, kApartAThenB, kApartBThenA};
  if (c.interval == 0) maths.resize(3);  // the first promotion of all is an epilogue
  std::erase_if(maths,
                [&](ScaleMath math) { return !scales_fit(input, c.departure, math, c.interval); });
  return maths;
}

std::vector<Trial> try_all(const DiagnoseInput& input, const std::vector<ChainChoice>& chains,
                           const Departure& departure, const Sample& sample, bool thorough) {
  const std::vector<std::uint64_t> found = found_outputs(input, departure, sample.at);
  std::vector<Job> jobs = jobs_of(input, chains, departure);
  const int team = input.threads > 0 ? input.threads : omp_get_max_threads();
#pragma omp parallel for schedule(dynamic) num_threads(team)
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    try {
      run_job(input, jobs[i], sample, found, thorough);
    } catch (const std::invalid_argument&) {  // no such chain over these operands: nothing to try
      jobs[i].trials.clear();
    }
  }
  std::vector<Trial> trials;
  for (Job& job : jobs) {
    std::move(job.trials.begin(), job.trials.end(), std::back_inserter(trials));
  }
  return trials;
}

std::vector<Departure> plausible(const DiagnoseInput& input, const std::vector<Departure>& all,
                                 const Sample& sample) {
  constexpr double kHopeless = 0.35;  // unrelated values are about this far apart, or more
  const Sample few = first_few(sample, 6, 8);
  std::vector<double> distance;
  for (const Departure& d : all) distance.push_back(rough_distance(input, d, few));
  const double least = *std::min_element(distance.begin(), distance.end());
  std::vector<Departure> near;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool close = distance[i] <= kHopeless && distance[i] <= 4 * least + 1e-7;
    if (close || all[i].reading == Reading::kRunning) near.push_back(all[i]);
  }
  return near;
}

std::vector<std::vector<std::uint64_t>> outputs_of_all(const DiagnoseInput& input,
                                                       const Candidate& c,
                                                       const std::vector<Variant>& variants,
                                                       const Selection& at, int threads) {
  std::vector<std::vector<std::uint64_t>> outputs;
  if (c.chain.kind == ChainKind::kExact) {
    outputs.assign(variants.size(), exact_outputs(input, c.departure, at, threads));
    return outputs;
  }
  const std::size_t slices = slices_of(input, c.spec(), c.departure);
  std::vector<ScaleMath> maths;
  std::vector<Summation> sums;
  for (const Variant& v : variants) {
    if (std::find(maths.begin(), maths.end(), v.math) != maths.end()) continue;
    maths.push_back(v.math);
    sums.emplace_back(input, c.departure, at, v.math, slices, c.split);
  }
  for_each_chain(input, c.spec(), c.departure, at, threads,
                 [&](std::size_t k0, const std::vector<float>& chains) {
                   for (Summation& sum : sums) sum.add(k0, chains);
                 });
  std::vector<std::vector<float>> finished;
  for (Summation& sum : sums) finished.push_back(sum.finish());
  for (const Variant& v : variants) {
    const auto at_math = std::find(maths.begin(), maths.end(), v.math) - maths.begin();
    outputs.push_back(
        round_outputs(finished[static_cast<std::size_t>(at_math)], v.rule, input.output));
  }
  return outputs;
}

std::vector<std::uint64_t> outputs_of(const DiagnoseInput& input, const Candidate& c,
                                      const Variant& variant, const Selection& at, int threads) {
  return outputs_of_all(input, c, {variant}, at, threads).front();
}

namespace {

/// One block of rows of D under every variant.
WholeResult run_block(const DiagnoseInput& input, const Candidate& c,
                      const std::vector<Variant>& variants, const Selection& at, bool keep_codes) {
  const auto found = found_outputs(input, c.departure, at);
  const auto outputs = outputs_of_all(input, c, variants, at, 1);
  WholeResult block;
  block.scores.resize(variants.size());
  for (std::size_t v = 0; v < variants.size(); ++v) {
    Score& score = block.scores[v];
    for (std::size_t i = 0; i < found.size(); ++i) {
      const std::uint64_t code = outputs[v][i];
      score.matching += code == found[i] ? 1 : 0;
      score.same_value += same_but_for_specials(input.output, code, found[i]) ? 1 : 0;
      if (keep_codes && v == 0) block.codes.push_back(static_cast<std::uint32_t>(code));
    }
    score.compared = found.size();
  }
  return block;
}

}  // namespace

WholeResult run_whole(const DiagnoseInput& input, const Candidate& c,
                      const std::vector<Variant>& variants, bool keep_codes) {
  constexpr std::size_t kOutputs = 1 << 17;  // of a block: what a thread holds
  const int team = input.threads > 0 ? input.threads : omp_get_max_threads();
  const std::size_t rows = input.a.rows;
  const std::size_t share = ceil_div(rows, 2 * static_cast<std::size_t>(team));
  const std::size_t height = std::clamp<std::size_t>(kOutputs / input.b.rows, 1, share);
  const Selection all = everything(input);
  std::vector<WholeResult> blocks(ceil_div(rows, height));
#pragma omp parallel for schedule(dynamic) num_threads(team)
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    Selection at{{}, all.cols};
    for (std::size_t r = i * height; r < std::min(rows, (i + 1) * height); ++r) {
      at.rows.push_back(r);
    }
    blocks[i] = run_block(input, c, variants, at, keep_codes);
  }
  WholeResult whole;
  whole.scores.resize(variants.size());
  for (const WholeResult& block : blocks) {
    for (std::size_t v = 0; v < variants.size(); ++v) {
      whole.scores[v].compared += block.scores[v].compared;
      whole.scores[v].matching += block.scores[v].matching;
      whole.scores[v].same_value += block.scores[v].same_value;
    }
    whole.codes.insert(whole.codes.end(), block.codes.begin(), block.codes.end());
  }
  return whole;
}

namespace {

/// Random operands of the input's types and granularities, 8 by 16 outputs.
struct Invented {
  std::vector<unsigned char> a, b;
  std::vector<float> sa, sb;
  DiagnoseInput input;
};

enum class Kind { kNormal, kWide, kUniform };

void invent_codes(FloatFormat f, Kind kind, std::size_t count, std::uint64_t seed,
                  std::vector<unsigned char>& codes) {
  const std::size_t bytes = static_cast<std::size_t>(f.container_bits()) / 8;
  codes.resize(count * bytes);
  for (std::size_t i = 0; i < count; ++i) {
    double x = 0;  // near normal: the sum of twelve draws
    for (std::uint64_t j = 0; j < 12; ++j) x += random_at(seed, 13 * i + j) * 0x1p-32 - 0.5;
    if (kind == Kind::kWide) x *= std::exp2(random_at(seed, 13 * i + 12) % 16 - 8.0);
    std::uint64_t code = encode(f, x);
    if (kind == Kind::kUniform) {
      code = random_at(seed, 13 * i) % (f.max_finite_code() + 1);
      if ((random_at(seed, 13 * i + 1) & 1) != 0 && code != 0) code |= f.sign_bit();
    }
    const std::uint64_t word = container_of_code(f, code);
    std::memcpy(codes.data() + i * bytes, &word, bytes);
  }
}

void invent_scales(const GemmOperand& like, Granularity g, std::size_t k, std::uint64_t seed,
                   GemmOperand& x, std::vector<float>& scales) {
  if (like.scales.empty()) return;
  const BlockGrid grid = block_grid(x.rows, k, g);
  x.scale_rows = grid.grid_rows;
  x.scale_cols = grid.grid_cols;
  for (std::size_t i = 0; i < grid.grid_rows * grid.grid_cols; ++i) {
    scales.push_back(0.5f + static_cast<float>(random_at(seed, i)) * 0x1p-32f);
  }
  x.scales = scales;
}

void invent(const DiagnoseInput& like, std::size_t k, Kind kind, std::uint64_t seed,
            Invented& made) {
  made.input = like;
  made.input.k = k;
  invent_codes(like.a.format, kind, 8 * k, 4 * seed, made.a);
  invent_codes(like.b.format, kind, 16 * k, 4 * seed + 1, made.b);
  made.input.a = {like.a.format, made.a.data(), 8};
  made.input.b = {like.b.format, made.b.data(), 16};
  invent_scales(like.a, like.a_scales, k, 4 * seed + 2, made.input.a, made.sa);
  invent_scales(like.b, like.b_scales, k, 4 * seed + 3, made.input.b, made.sb);
}

}  // namespace

GemmTie separate(const DiagnoseInput& input, const Trial& first, const Trial& other,
                 std::uint64_t seed) {
  GemmTie tie;
  const std::size_t longest = std::max(first.candidate.interval, other.candidate.interval);
  const std::size_t ample =
      std::max({2 * longest, std::size_t{2048}, std::min(input.k, std::size_t{4096})});
  const struct {
    Kind kind;
    const char* words;
  } kinds[] = {{Kind::kNormal, "normal operands"},
               {Kind::kWide, "operands of many binades"},
               {Kind::kUniform, "uniform finite codes"}};
  for (const auto& [kind, words] : kinds) {
    for (const std::size_t k : {input.k, ample}) {
      Invented made;
      invent(input, k, kind, seed, made);
      const Selection at = everything(made.input);
      try {
        const auto x = outputs_of(made.input, first.candidate, first.variant, at, 1);
        const auto y = outputs_of(made.input, other.candidate, other.variant, at, 1);
        std::size_t differ = 0;
        for (std::size_t i = 0; i < x.size(); ++i) differ += x[i] != y[i] ? 1 : 0;
        if (differ == 0) continue;
        tie.separating = std::string(words) + ", K = " + std::to_string(k);
        if (input.has_scales()) tie.separating += ", scales that are no powers of two";
        tie.differing = static_cast<double>(differ) / static_cast<double>(x.size());
        return tie;
      } catch (const std::invalid_argument&) {  // a departure of another K
      }
    }
  }
  return tie;
}

}  // namespace binade::detail

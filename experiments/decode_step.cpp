// What one decoding step in FP8 adds up to, station by station, against the same step in BF16 and
// in fp64.
#include <omp.h>

#include <algorithm>
#include <span>

#include "binade/emulation/metrics.hpp"
#include "binade/emulation/top_k.hpp"
#include "decode_layer.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

struct Station {
  std::string name;
  double error = 0;
};

double relative_error(const std::vector<double>& got, const std::vector<double>& want) {
  return error_metrics(std::span<const double>(got), want).fro_rel;
}

/// The share of the choices of `want` that `got` does not make, over tokens of `count` each.
double missed(std::span<const std::int32_t> got, std::span<const std::int32_t> want,
              std::size_t count) {
  double sum = 0;
  for (std::size_t first = 0; first < want.size(); first += count) {
    sum += 1 - recall(got.subspan(first, count), want.subspan(first, count));
  }
  return sum * static_cast<double>(count) / static_cast<double>(want.size());
}

std::vector<std::int32_t> joined(const std::vector<std::vector<std::int32_t>>& parts) {
  std::vector<std::int32_t> all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

std::vector<Station> stations(const DecodeStep& got, const DecodeStep& want,
                              const LayerSizes& sizes) {
  std::vector<Station> all{{"cache", relative_error(got.entries, want.entries)},
                           {"queries", relative_error(got.queries, want.queries)}};
  if (!got.scores.empty() && !want.scores.empty()) {
    all.push_back({"index scores", relative_error(got.scores, want.scores)});
    all.push_back({"selection",
                   missed(joined(got.selected), joined(want.selected), want.selected[0].size())});
  }
  all.push_back({"attention", relative_error(got.attention, want.attention)});
  all.push_back({"routing", missed(got.experts, want.experts, sizes.gate.active)});
  all.push_back({"experts", relative_error(got.mixture, want.mixture)});
  all.push_back({"output", relative_error(got.output, want.output)});
  return all;
}

LayerSizes sizes_of(const Arguments& arguments) {
  LayerSizes s;
  s.tokens = size_argument(arguments, "tokens");
  s.length = size_argument(arguments, "length");
  s.top_k = size_argument(arguments, "top_k");
  s.hidden = size_argument(arguments, "hidden");
  s.query_rank = size_argument(arguments, "query_rank");
  s.heads = size_argument(arguments, "heads");
  s.expert_width = size_argument(arguments, "expert_width");
  s.gate = kDeepSeekV3Gate;
  s.gate.experts = size_argument(arguments, "experts");
  s.gate.active = size_argument(arguments, "active");
  s.spread = arguments.number("spread");
  s.seed = seed_argument(arguments);
  s.threads = arguments.threads;
  if (!(s.spread >= 0 && s.spread <= 100)) {
    throw std::invalid_argument("parameter spread: expected a number from 0 to 100");
  }
  if (s.heads % 8 != 0) {
    throw std::invalid_argument("parameter heads: found " + std::to_string(s.heads) +
                                ", expected a multiple of 8");
  }
  if (s.gate.experts % 16 != 0) {
    throw std::invalid_argument("parameter experts: found " + std::to_string(s.gate.experts) +
                                ", expected a multiple of 16, for 8 groups of two or more");
  }
  if (s.gate.active > s.gate.experts / 2) {
    throw std::invalid_argument("parameter active: found " + std::to_string(s.gate.active) +
                                ", expected at most the half of the experts that is kept");
  }
  return s;
}

struct Run {
  std::string name;
  Arithmetic arithmetic = Arithmetic::kFp64;
  bool sparse = false;
  DecodeStep step;
};

/// Every arithmetic, dense and sparse, side by side.
std::vector<Run> run_all(const LayerSizes& sizes, const Arguments& arguments) {
  std::vector<Run> runs;
  for (const auto& [name, arithmetic] :
       {std::pair{"fp64", Arithmetic::kFp64}, std::pair{"bf16", Arithmetic::kBf16},
        std::pair{"fp8", Arithmetic::kFp8}}) {
    for (const bool sparse : {false, true}) runs.push_back({name, arithmetic, sparse, {}});
  }
  DecodeLayer layer(sizes);
  Progress progress{arguments, runs.size()};
  const int team = arguments.threads > 0 ? arguments.threads : omp_get_max_threads();
#pragma omp parallel for num_threads(team) schedule(dynamic)
  for (Run& run : runs) {
    run.step = layer.run(run.arithmetic, run.sparse);
#pragma omp critical
    progress.step();
  }
  return runs;
}

Table run(const Arguments& arguments) {
  const LayerSizes sizes = sizes_of(arguments);
  const std::vector<Run> runs = run_all(sizes, arguments);
  const auto attention_of = [](const Run& r) { return std::string(r.sparse ? "sparse" : "dense"); };
  Table table;
  const auto add_rows = [&](const Run& got, const Run& want) {
    for (const Station& s : stations(got.step, want.step, sizes)) {
      table.rows.push_back(
          {got.name, attention_of(got), want.name + " " + attention_of(want), s.name, s.error});
    }
  };
  add_rows(runs[1], runs[0]);  // what sparseness alone costs
  for (std::size_t i = 2; i < runs.size(); ++i) add_rows(runs[i], runs[i % 2]);
  return table;
}

}  // namespace

Experiment decode_step() {
  Experiment e;
  e.name = "decode_step";
  e.question = "What does one decoding step lose in FP8, station by station?";
  e.source =
      "DeepSeek-V3.2-Exp inference/model.py and FlashMLA: FP8 linear layers and experts, a cache "
      "of "
      "656 bytes, an FP8 indexer that selects what attention in BF16 reads, a gate in FP32; "
      "DeepGEMM holds an FP8 product to a calc_diff of 1e-3, an error of 4.5 %";
  e.parameters = {
      {"length", "4096", "96", "tokens of context in the cache", {}},
      {"top_k", "512", "32", "of them that sparse attention reads", {}},
      {"tokens", "4", "2", "that are decoded after the same context", {}},
      {"hidden", "1024", "128", "elements of a token", {}},
      {"query_rank", "384", "64", "of the queries' low-rank projection", {}},
      {"heads", "16", "8", "of attention and of the indexer, 128 + 64 and 128 elements each", {}},
      {"experts", "64", "16", "routed, in 8 groups of which 4 are kept; one more is shared", {}},
      {"active", "8", "4", "experts of a token", {}},
      {"expert_width", "256", "64", "inner elements of an expert", {}},
      {"spread", "3", "", "standard deviation of the attention scores, about", {}},
      seed_parameter(),
  };
  e.columns = {
      {"arithmetic", "", "of the step"},
      {"attention", "", "over every token, or over those that the indexer selects"},
      {"against", "", "the step that it is compared with"},
      {"station", "",
       "cache: the entries read; queries; index scores; selection: tokens; attention; routing: "
       "experts "
       "chosen; experts: their output; output: of the layer"},
      {"error", "",
       "relative Frobenius norm of the error; of selection and routing the share that is missed"},
  };
  e.keeps_figure = true;
  e.findings = {
      {"queries behind two FP8 layers, tokens and weights rounded in each",
       "5.3 % (calculated)",
       "5.4 %",
       "reproduced: 2.65 % for each of four roundings, which add up as squares",
       "error",
       {},
       {{"arithmetic", "fp8"}, {"attention", "sparse"}, {"station", "queries"}},
       {}},
  };
  e.run = run;
  return e;
}

}  // namespace binade::experiments

// Which eight bits P and V should have.
#include <cmath>

#include "binade/emulation/metrics.hpp"
#include "binade/formats/catalog.hpp"
#include "flash_attention.hpp"
#include "sampling.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

/// Symmetric INT4, -7 .. 7, as kInt8 is INT8: one binade above the subnormals, last place 2^0.
constexpr FloatFormat kInt4{1, 2, -1, true, kFiniteOnly};

const std::vector<std::string> kFormats = {"int8", "e5m2", "e4m3", "fp16"};

Quantized by_row(std::span<const float> x, std::size_t rows, std::size_t cols, FloatFormat format,
                 int threads) {
  if (format == Fp16::format) {
    return quantize_with_scale(x, rows, cols, {1.0f, 1.0f}, format, threads);
  }
  return quantize(x, rows, cols, find_scale_recipe("deepgemm"), kPerRow, ScaleType::kFp32, format,
                  threads);
}

/// Queries and keys of N(0, spread): scores of standard deviation `spread`. Values are N(0, 1)
/// around a mean of each channel.
AttentionInputs make_inputs(double spread, const Arguments& arguments) {
  AttentionInputs in;
  in.queries = size_argument(arguments, "queries");
  in.keys = size_argument(arguments, "length");
  in.width = in.value_width = size_argument(arguments, "width");
  const std::uint64_t seed = seed_argument(arguments);
  in.q = sample("normal", in.queries * in.width, seed, 0, arguments.threads);
  in.k = sample("normal", in.keys * in.width, seed, 1, arguments.threads);
  in.v = sample("normal", in.keys * in.width, seed, 2, arguments.threads);
  for (float& x : in.q) x = static_cast<float>(spread * x);
  const std::vector<float> means = sample("normal", in.width, seed, 3);
  const double size = arguments.number("value_mean");
  for (std::size_t i = 0; i < in.v.size(); ++i) {
    in.v[i] = static_cast<float>(in.v[i] + size * means[i % in.width]);
  }
  return in;
}

void add_rows(Table& table, double spread, const AttentionInputs& in,
              const std::vector<double>& exact, const std::string& scores,
              const Arguments& arguments, Progress& progress) {
  const std::vector<float> v = transposed(in.v, in.keys, in.value_width);
  const FloatFormat qk = scores == "int4" ? kInt4 : parse_element_format(scores);
  for (const std::string& name : arguments.text_list("formats")) {
    FlashOptions options;
    options.probability = parse_element_format(name);
    options.block = size_argument(arguments, "block");
    options.threads = arguments.threads;
    // The static scale: exp(s - maximum) never exceeds 1, which becomes the largest number.
    if (name != "fp16") options.probability_scale = largest_element(options.probability);
    const AttentionOperands operands{
        by_row(in.q, in.queries, in.width, qk, arguments.threads),
        by_row(in.k, in.keys, in.width, qk, arguments.threads),
        by_row(v, in.value_width, in.keys, options.probability, arguments.threads)};
    const std::vector<double> got = flash_attention(operands, in.queries, options);
    const ErrorMetrics m = error_metrics(std::span<const double>(got), exact);
    table.rows.push_back(
        {spread, scores, name, m.cosine, relative_l1(got, exact), rmse(got, exact)});
    progress.step();
  }
}

Table run(const Arguments& arguments) {
  const auto spreads = arguments.number_list("spread");
  Table table;
  const auto scores = arguments.text_list("scores");
  Progress progress{arguments,
                    spreads.size() * scores.size() * arguments.text_list("formats").size()};
  for (const double spread : spreads) {
    const AttentionInputs in = make_inputs(spread, arguments);
    const std::vector<double> exact = exact_attention(in, arguments.threads);
    for (const std::string& name : scores) {
      add_rows(table, spread, in, exact, name, arguments, progress);
    }
  }
  return table;
}

}  // namespace

Experiment probability_formats() {
  Experiment e;
  e.name = "probability_formats";
  e.question = "Which eight bits should P and V of attention have?";
  e.source =
      "SageAttention2, arXiv 2411.10958, table 7, with INT4 queries and keys of a real model: "
      "relative L1 error INT8 0.562, E5M2 0.0905, E4M3 0.0683, FP16 0.0649";
  e.parameters = {
      {"spread", "0.5,1,1.5,2,3,4", "1,3", "standard deviation of the scores", {}},
      {"formats", "int8,e5m2,e4m3,fp16", "",
       "of P, under a static scale, and of V, under one scale "
       "a channel",
       kFormats},
      {"scores",
       "fp16,int4",
       "",
       "format of queries and keys, under one scale a token",
       {"int4", "int8", "e4m3", "fp16"}},
      {"length", "4096", "128", "keys", {}},
      {"queries", "128", "8", "whose outputs are compared", {}},
      {"width", "64", "32", "of a head", {}},
      {"value_mean", "1", "", "standard deviation of the means of V's channels", {}},
      {"block", "128", "32", "keys at once", {}},
      seed_parameter(),
  };
  e.columns = {
      {"spread", "", "standard deviation of the scores"},
      {"scores", "", "format of queries and keys"},
      {"format", "", "of P and V"},
      {"cosine", "", "between output and exact output"},
      {"rel_l1", "", "sum |error| / sum |exact|"},
      {"rmse", "", "root mean square error of the output"},
  };
  e.keeps_figure = true;
  e.findings = {
      {"relative L1 error, P and V in int8, scores of INT4 operands",
       "0.562",
       "0.077",
       "not reproduced as a number, which belongs to the scores of a real model (here N(0, 2)); "
       "the order of the four is",
       "rel_l1",
       {{"spread", "2"}, {"scores", "int4"}},
       {{"format", "int8"}},
       {}},
      {"relative L1 error, P and V in e5m2, scores of INT4 operands",
       "0.0905",
       "0.033",
       "not reproduced as a number, which belongs to the scores of a real model (here N(0, 2)); "
       "the order of the four is",
       "rel_l1",
       {{"spread", "2"}, {"scores", "int4"}},
       {{"format", "e5m2"}},
       {}},
      {"relative L1 error, P and V in e4m3, scores of INT4 operands",
       "0.0683",
       "0.031",
       "not reproduced as a number, which belongs to the scores of a real model (here N(0, 2)); "
       "the order of the four is",
       "rel_l1",
       {{"spread", "2"}, {"scores", "int4"}},
       {{"format", "e4m3"}},
       {}},
      {"relative L1 error, P and V in fp16, scores of INT4 operands",
       "0.0649",
       "0.031",
       "not reproduced as a number, which belongs to the scores of a real model (here N(0, 2)); "
       "the order of the four is",
       "rel_l1",
       {{"spread", "2"}, {"scores", "int4"}},
       {{"format", "fp16"}},
       {}},
  };
  e.run = run;
  return e;
}

}  // namespace binade::experiments

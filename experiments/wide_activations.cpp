// What a few bits more than eight buy for activations that are kept or sent.
#include <cmath>

#include "binade/formats/catalog.hpp"
#include "log_format.hpp"
#include "read_back.hpp"
#include "sampling.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

/// Rows of different size, exp(N(0, 1)) each, and a few channels ten times the others: what
/// attention leaves.
InputTensor attention_like(const Arguments& arguments) {
  const std::size_t rows = size_argument(arguments, "rows"),
                    cols = size_argument(arguments, "cols");
  const std::uint64_t seed = seed_argument(arguments);
  InputTensor x{"attention-like", sample("normal", rows * cols, seed, 0, arguments.threads), rows,
                cols};
  const std::vector<float> by_row = sample("normal", rows, seed, 1);
  for (std::size_t row = 0; row < rows; ++row) {
    const double factor = std::exp(static_cast<double>(by_row[row]));
    for (std::size_t col = 0; col < cols; ++col) {
      const double channel = col % 64 == 0 ? 10 : 1;
      float& value = x.values[row * cols + col];
      value = static_cast<float>(factor * channel * value);
    }
  }
  return x;
}

/// bf16, logfmtN, FORMAT or FORMAT-pow2 in tiles of 1x128.
std::vector<float> stored(const InputTensor& x, const std::string& format, int threads) {
  std::vector<float> y(x.values.size());
  if (format == "bf16") {
    round_to(Bf16::format, x.values, y);
  } else if (format.starts_with("logfmt")) {
    round_to_logfmt(x.values, x.rows, x.cols, 128, std::atoi(format.c_str() + 6), y, threads);
  } else {
    const bool pow2 = format.ends_with("-pow2");
    const std::string element = pow2 ? format.substr(0, format.size() - 5) : format;
    y = read_back(x.values, x.rows, x.cols, find_scaling(pow2 ? "1x128-pow2" : "1x128"),
                  parse_element_format(element), threads);
  }
  return y;
}

/// Bits of an element, and its share of what its tile stores besides.
double bits_of(const std::string& format) {
  if (format == "bf16") return 16;
  // Two FP32 numbers a tile: the smallest logarithm and the step.
  if (format.starts_with("logfmt")) return std::atoi(format.c_str() + 6) + 64.0 / 128;
  const bool pow2 = format.ends_with("-pow2");
  const std::string element = pow2 ? format.substr(0, format.size() - 5) : format;
  return parse_element_format(element).bits() + (pow2 ? 8.0 : 32.0) / 128;
}

Table run(const Arguments& arguments) {
  std::vector<InputTensor> inputs;
  if (arguments.tensor) {
    inputs.push_back(*arguments.tensor);
  } else {
    for (const std::string& name : arguments.text_list("inputs")) {
      if (name == "attention-like") {
        inputs.push_back(attention_like(arguments));
        continue;
      }
      const std::size_t rows = size_argument(arguments, "rows"),
                        cols = size_argument(arguments, "cols");
      inputs.push_back({name,
                        sample(name, rows * cols, seed_argument(arguments), 0, arguments.threads),
                        rows, cols});
    }
  }
  const auto formats = arguments.text_list("formats");
  Table table;
  Progress progress{arguments, formats.size() * inputs.size()};
  for (const InputTensor& x : inputs) {
    for (const std::string& format : formats) {
      const std::vector<float> y = stored(x, format, arguments.threads);
      const ReadBackError e = read_back_error(x.values, y, arguments.threads);
      table.rows.push_back(
          {x.name, format, bits_of(format), e.sqnr_db, e.rel_rms, e.max_rel_error, e.underflow});
      progress.step();
    }
  }
  return table;
}

}  // namespace

Experiment wide_activations() {
  Experiment e;
  e.name = "wide_activations";
  e.question = "What do more than eight bits buy for activations?";
  e.source =
      "DeepSeek-V3 report 3.3.3: E5M6 for the inputs of the linear layer after attention; "
      "Insights into DeepSeek-V3 3.2: LogFMT-8 better than E4M3 and E5M2, LogFMT-10 like BF16";
  e.parameters = {
      {"formats",
       "e5m2,e4m3,e4m3-pow2,logfmt8,logfmt10,e5m6,e5m6-pow2,bf16",
       "e4m3,logfmt8,e5m6-pow2",
       "in tiles of 1x128; -pow2: scales rounded up to powers of two",
       {}},
      {"inputs", "normal,attention-like", "", "distributions, or attention-like", {}},
      {"rows", "1024", "16", "rows of the random matrix", {}},
      {"cols", "1024", "256", "columns of the random matrix", {}},
      seed_parameter(),
  };
  e.columns = {
      {"inputs", "", "distribution, or the tensor"},
      {"format", "", "how they are stored"},
      {"bits", "bit", "of an element, with its share of the tile's own numbers"},
      {"sqnr_db", "dB", "10 log10 of signal over error"},
      {"rel_rms", "", "root mean square error over the root mean square"},
      {"max_rel_error", "", "largest relative error of an element"},
      {"underflow", "", "share of the elements that were not zero and became so"},
  };
  e.takes_tensor = true;
  e.keeps_figure = true;
  e.findings = {
      {"largest relative error of E5M6",
       "2^-7 / (1 + 2^-7) = 0.775 %",
       "0.775 %",
       "reproduced",
       "max_rel_error",
       {{"rows", "256"}, {"formats", "e5m6-pow2"}},
       {{"inputs", "normal"}},
       {}},
      {"error of LogFMT-8 over that of E4M3",
       "below 1",
       "0.67",
       "reproduced",
       "rel_rms",
       {{"rows", "256"}, {"formats", "e4m3,logfmt8"}},
       {{"inputs", "attention-like"}, {"format", "logfmt8"}},
       {{"inputs", "attention-like"}, {"format", "e4m3"}}},
      {"error of LogFMT-10 over that of BF16",
       "about 1",
       "1.84",
       "not reproduced as an error: LogFMT-10 has 1.8 times that of BF16. The paper compares what "
       "training makes of either, and both are far below FP8",
       "rel_rms",
       {{"rows", "256"}, {"formats", "bf16,logfmt10"}},
       {{"inputs", "attention-like"}, {"format", "logfmt10"}},
       {{"inputs", "attention-like"}, {"format", "bf16"}}},
  };
  e.run = run;
  return e;
}

}  // namespace binade::experiments

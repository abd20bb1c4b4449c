// How fast matrices are quantised, beside a loop that only reads and writes the same bytes.
#include <algorithm>

#include "binade/emulation/block_scale.hpp"
#include "binade/formats/catalog.hpp"
#include "limits.hpp"
#include "sampling.hpp"
#include "support.hpp"
#include "timing.hpp"

namespace binade::experiments {

namespace {

constexpr const char* kLimit = "limit";
constexpr const char* kLimitLarge = "limit past the caches";

/// A quantiser on one source, or the loop over as many bytes.
struct Trial : Timed {
  std::string recipe, granularity, scale_type, source;
};

struct Matrix {
  std::size_t rows, cols;
  std::vector<float> fp32;
  std::vector<std::uint16_t> bf16;
  std::vector<std::uint8_t> codes;  ///< with a line to spare
  Quantized result;                 ///< whose memory every run uses again

  Matrix(const Arguments& arguments)
      : rows(size_argument(arguments, "rows")),
        cols(size_argument(arguments, "cols")),
        fp32(sample("normal", rows * cols, seed_argument(arguments))),
        bf16(fp32.size()),
        codes(fp32.size() + 64) {
    cast(kFp32Format, fp32.data(), Bf16::format, bf16.data(), fp32.size());
  }
  /// On a cache line.
  void* room() {
    const auto past = reinterpret_cast<std::uintptr_t>(codes.data()) % 64;
    return codes.data() + (64 - past) % 64;
  }
  const void* data(const std::string& source) const {
    return source == "bf16" ? static_cast<const void*>(bf16.data()) : fp32.data();
  }
};

std::vector<Trial> plan(const Arguments& arguments, Matrix& x) {
  std::vector<Trial> trials;
  const auto work = static_cast<double>(x.rows * x.cols);
  for (const Isa isa : isa_argument(arguments)) {
    for (const std::string& source : arguments.text_list("sources")) {
      const int bytes = source == "bf16" ? 2 : 4;
      const auto add_limit = [&](const char* limit, auto loop) {
        trials.push_back({{isa, work,
                           [&x, source, bytes, loop] {
                             (limits().*loop)(x.data(source), bytes, x.room(), 1, x.fp32.size());
                           }},
                          limit,
                          "-",
                          "-",
                          source});
      };
      add_limit(kLimit, &Limits::convert);
      if (x.fp32.size() * static_cast<std::size_t>(bytes + 1) >= kLargeBytes) {
        add_limit(kLimitLarge, &Limits::convert_large);
      }
      for (const std::string& name : arguments.text_list("recipes")) {
        const ScaleRecipe& recipe = find_scale_recipe(name);
        for (const std::string& granularity : arguments.text_list("granularities")) {
          for (const ScaleType type : recipe.scale_types) {
            const FloatFormat from = source == "bf16" ? Bf16::format : kFp32Format;
            trials.push_back(
                {{isa, work,
                  [&x, &recipe, source, from, type, blocks = parse_granularity(granularity)] {
                    quantize(from, x.data(source), x.rows, x.cols, recipe, blocks, type,
                             E4M3::format, x.result, 1);
                  }},
                 name,
                 granularity,
                 std::string(name_of(type)),
                 source});
          }
        }
      }
    }
  }
  return trials;
}

Table run(const Arguments& arguments) {
  Matrix x(arguments);
  std::vector<Trial> trials = plan(arguments, x);
  time_interleaved(trials, size_argument(arguments, "repeats"), arguments);
  Table table;
  double limit = 0;  // the trials that open each source's stretch
  for (const Trial& t : trials) {
    if (t.recipe == kLimit) limit = t.rate(0.5);
    if (t.recipe == kLimitLarge) limit = std::max(limit, t.rate(0.5));
    table.rows.push_back({t.recipe, t.granularity, t.scale_type, t.source, count_cell(x.rows),
                          count_cell(x.cols), std::string(isa_name(t.isa)),
                          count_cell(t.seconds.size()), t.rate(0.5), t.rate(0.0), t.rate(1.0),
                          t.rate(0.5) / limit});
  }
  table.notes.push_back(
      "limit: a loop that reads the source once and writes a byte an element; also one that reads "
      "ahead and writes past the caches, and shares are of the faster; results go into memory that "
      "is there; one thread");
  return table;
}

}  // namespace

Experiment quantize_throughput() {
  Experiment e;
  e.name = "quantize_throughput";
  e.question = "How fast is a matrix quantised, beside a loop that only reads and writes?";
  e.source = "this project";
  e.parameters = {
      {"recipes", "deepseek-v3,deepgemm,transformer-engine", "deepgemm", "quantisers", {}},
      {"granularities", "1x128,128x128", "1x128", "blocks that share a scale", {}},
      {"sources", "bf16,fp32", "", "formats of the matrix", {"bf16", "fp32"}},
      {"rows", "2048", "16", "of the matrix", {}},
      {"cols", "4096", "256", "of the matrix", {}},
      isa_parameter(),
      {"repeats", "7", "3", "timed runs of each, interleaved", {}},
      seed_parameter(),
  };
  e.columns = {
      {"recipe", "", "quantiser to e4m3, or a limit"},
      {"granularity", "", "blocks that share a scale"},
      {"scale_type", "", "how scales are rounded and stored"},
      {"source", "", "format of the matrix"},
      {"rows", "", "of the matrix"},
      {"cols", "", "of the matrix"},
      {"isa", "", "instruction set of the loops"},
      {"repeats", "", "timed runs"},
      {"rate", "G/s", "elements a second of the thread's own time, median run"},
      {"rate_slowest", "G/s", "the same of the slowest run"},
      {"rate_fastest", "G/s", "the same of the fastest run"},
      {"share_of_limit", "", "median rate over the faster limit's for the same source and ISA"},
  };
  e.measures_time = true;
  e.keeps_figure = true;
  e.run = run;
  return e;
}

}  // namespace binade::experiments

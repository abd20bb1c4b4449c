// How fast arrays are cast on a GPU, beside a copy that moves as many bytes.
#include <stdexcept>

#include "binade/cuda/cast.hpp"
#include "binade/formats/catalog.hpp"
#include "device_timing.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

std::size_t bytes_of(FloatFormat f) { return static_cast<std::size_t>(f.container_bits()) / 8; }

struct Pair {
  FormatInfo from, to;
};

/// "fp32:e4m3"
Pair parse_pair(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) {
    throw std::invalid_argument("parameter casts: found '" + text + "', expected FROM:TO");
  }
  return {parse_format(text.substr(0, colon)), parse_format(text.substr(colon + 1))};
}

CastRules rules_named(const std::string& name) {
  CastRules rules;
  if (name == "ieee") return kIeeeRules;
  if (name != "saturate") rules.rounding = parse_rounding(name);
  return rules;
}

std::vector<Cell> row_of(const Pair& pair, const std::string& rules_name, std::size_t elements,
                         std::size_t repeats, std::uint64_t seed) {
  const FloatFormat from = pair.from.format, to = pair.to.format;
  const CastRules rules = rules_named(rules_name);
  const std::size_t moved = elements * (bytes_of(from) + bytes_of(to));
  RotatingArrays arrays(elements * bytes_of(from), elements * bytes_of(to));
  arrays.upload(numbers_in(from, elements, seed).data());
  const DeviceTimes times(cuda::time_launches(
      [&](std::size_t i) {
        cuda::cast_on_device(from, arrays.input(i), to, arrays.output(i).data(), elements, rules,
                             seed);
      },
      repeats));
  const DeviceTimes copy = copy_times(moved, repeats);
  const cuda::KernelFacts facts = cuda::cast_facts(from, to, rules);
  const auto bytes = static_cast<double>(moved);
  return {pair.from.name,
          pair.to.name,
          rules_name,
          std::string(cuda::has_hw_cast(from, to, rules) ? "cvt" : "portable"),
          count_cell(elements),
          count_cell(moved),
          count_cell(repeats),
          times.median(),
          times.rate(bytes),
          times.slowest_rate(bytes),
          times.fastest_rate(bytes),
          copy.rate(bytes),
          copy.median() / times.median(),
          std::int64_t{facts.registers},
          count_cell(facts.local_bytes)};
}

Table run(const Arguments& arguments) {
  cuda::require_device(90, "device_cast_throughput");
  const auto casts = arguments.text_list("casts"), rules = arguments.text_list("rules");
  const auto elements = arguments.integer_list("elements");
  Table table;
  Progress progress{arguments, casts.size() * rules.size() * elements.size()};
  for (const std::int64_t count : elements) {
    for (const std::string& cast : casts) {
      for (const std::string& name : rules) {
        table.rows.push_back(row_of(parse_pair(cast), name, checked_size("elements", count),
                                    size_argument(arguments, "repeats"), seed_argument(arguments)));
        progress.step();
      }
    }
  }
  table.notes.push_back(
      "copy: the faster of a copying kernel (16 bytes at a time, four in flight) and cudaMemcpy, "
      "moving as many bytes, timed right after; arrays take turns beyond the L2");
  return table;
}

}  // namespace

Experiment device_cast_throughput() {
  Experiment e;
  e.name = "device_cast_throughput";
  e.question = "How fast is a cast on a GPU, beside a copy of as many bytes?";
  e.source = "this project";
  e.parameters = {
      {"casts",
       "fp32:e4m3,fp32:e5m2,bf16:e4m3,bf16:e5m2,fp32:bf16,fp32:fp16,e4m3:fp32,e5m2:fp32,e4m3:bf16,"
       "e5m2:fp16",
       "fp32:e4m3,bf16:e5m2",
       "pairs FROM:TO",
       {}},
      {"rules",
       "saturate,ieee",
       "saturate",
       "saturate (satfinite, as the instructions), ieee (overflow to infinity or NaN, as torch), "
       "or "
       "a rounding under saturate",
       {}},
      {"elements", "134217728,29360128", "4096", "lengths of the arrays", {}},
      {"repeats", "50", "3", "timed runs of each", {}},
      seed_parameter(),
  };
  e.columns = {
      {"from", "", "format read"},
      {"to", "", "format written"},
      {"rules", "", "what becomes of numbers out of range, or the rounding"},
      {"kernel", "", "cvt (the instructions) or portable (the text of the CPU)"},
      {"elements", "", "of the array"},
      {"bytes", "B", "read and written by a run"},
      {"repeats", "", "timed runs"},
      {"time", "us", "of a run, median"},
      {"rate", "GB/s", "bytes read and written a second, median run"},
      {"rate_slowest", "GB/s", "the same of the slowest run"},
      {"rate_fastest", "GB/s", "the same of the fastest run"},
      {"copy_rate", "GB/s", "the same of a copy that moves as many bytes, median run"},
      {"share_of_copy", "", "rate over copy_rate"},
      {"registers", "", "of a thread; of two kernels the most"},
      {"local_memory", "B", "of a thread: the stack of the portable text, and spilled registers"},
  };
  e.measures_time = true;
  e.needs_device = true;
  e.keeps_figure = true;
  e.run = run;
  return e;
}

}  // namespace binade::experiments

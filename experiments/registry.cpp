// The list of experiments, and how their arguments come to be.
#include <algorithm>
#include <stdexcept>

#include "binade/experiments/experiment.hpp"
#include "binade/formats/catalog.hpp"

// One line an experiment, in the order of `binade list`; each is defined in the file of its name.
// clang-format off
#define BINADE_EXPERIMENTS(record)    \
  record(cast_error)                  \
  record(format_sqnr)                 \
  record(outlier_damage)              \
  record(embedding_vector)            \
  record(power_of_two_scales)         \
  record(quantiser_orders)            \
  record(retiling)                    \
  record(wide_activations)            \
  record(scaling_drift)               \
  record(lost_updates)                \
  record(optimizer_states)            \
  record(promotion_interval)          \
  record(long_context)                \
  record(word_splitting)              \
  record(accumulator_design)          \
  record(fp8_attention)               \
  record(probability_formats)         \
  record(sink_underflow)              \
  record(kv_cache_layouts)            \
  record(indexer_recall)              \
  record(sparse_attention_cost)       \
  record(gate_precision)              \
  record(decode_step)                 \
  record(training_block)              \
  record(swiglu_outliers)             \
  record(cast_throughput)             \
  record(quantize_throughput)         \
  record(emulation_throughput)        \
  record(device_emulation_throughput) \
  record(device_gemm_throughput)      \
  record(device_cast_throughput)      \
  record(device_quantize_throughput)  \
  record(promotion_pareto)            \
  record(library_bits)
// clang-format on

namespace binade::experiments {

#define BINADE_DECLARE(name) Experiment name();
BINADE_EXPERIMENTS(BINADE_DECLARE)
#undef BINADE_DECLARE

namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

const Parameter& find_parameter(const Experiment& experiment, const std::string& name) {
  std::vector<std::string> names;
  for (const Parameter& p : experiment.parameters) {
    if (p.name == name) return p;
    names.push_back(p.name);
  }
  throw std::invalid_argument("experiment " + experiment.name + " has no parameter '" + name +
                              "'; it has " + joined(names));
}

void check_choices(const Arguments& arguments, const Parameter& parameter) {
  if (parameter.choices.empty()) return;
  for (const std::string& item : arguments.text_list(parameter.name)) {
    if (std::ranges::find(parameter.choices, item) == parameter.choices.end()) {
      throw std::invalid_argument("parameter " + parameter.name + ": found '" + item +
                                  "', expected one of " + joined(parameter.choices));
    }
  }
}

}  // namespace

const std::vector<Experiment>& registry() {
#define BINADE_RECORD(name) name(),
  static const std::vector<Experiment> all = {BINADE_EXPERIMENTS(BINADE_RECORD)};
#undef BINADE_RECORD
  return all;
}

const Experiment& find_experiment(std::string_view name) {
  std::vector<std::string> names;
  for (const Experiment& e : registry()) {
    if (e.name == name) return e;
    names.push_back(e.name);
  }
  throw std::invalid_argument("no experiment '" + std::string(name) +
                              "'; nearest: " + joined(nearest_names(name, names)));
}

Arguments make_arguments(const Experiment& experiment,
                         const std::map<std::string, std::string>& given, bool smoke) {
  Arguments arguments;
  for (const Parameter& p : experiment.parameters) {
    arguments.values[p.name] = smoke && !p.smoke_value.empty() ? p.smoke_value : p.default_value;
  }
  for (const auto& [name, value] : given) {
    arguments.values[find_parameter(experiment, name).name] = value;
  }
  for (const Parameter& p : experiment.parameters) check_choices(arguments, p);
  return arguments;
}

}  // namespace binade::experiments

#include "cli/size_sheets.hpp"

#include <cmath>
#include <cstdio>
#include <stdexcept>

namespace binade::cli {
namespace {

using experiments::Cell;
using experiments::Column;
using sizing::ModelDimensions;
using sizing::Storage;

std::string formatted(const char* pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

/// Three significant digits and an SI prefix.
std::string with_prefix(double value, const char* unit) {
  static constexpr const char* kPrefixes[] = {"", "k", "M", "G", "T", "P", "E"};
  int step = 0;
  while (std::fabs(value) >= 999.5 && step < 6) value /= 1000, ++step;
  const int decimals = std::fabs(value) >= 99.95 ? 0 : std::fabs(value) >= 9.995 ? 1 : 2;
  std::string number = formatted(decimals == 0 ? "%.0f" : decimals == 1 ? "%.1f" : "%.2f", value);
  if (step == 0 && value == std::floor(value)) number = formatted("%.0f", value);
  return number + " " + kPrefixes[step] + unit;
}

std::string duration(double seconds) {
  if (seconds >= 2 * 86400) return formatted("%.2f days", seconds / 86400);
  if (seconds >= 7200) return formatted("%.2f h", seconds / 3600);
  if (seconds >= 1) return formatted("%.3g s", seconds);
  return seconds >= 1e-3 ? formatted("%.2f ms", seconds * 1e3)
                         : formatted("%.2f us", seconds * 1e6);
}

std::string count_text(double n) {
  return n < 1e9 && n == std::floor(n) ? formatted("%.0f", n) : formatted("%.4g", n);
}

Cell number(double value) { return value; }

/// The model's figure, or an error that names the flag that would give it.
double figure(const std::optional<double>& typed, double own, const ModelDimensions& m,
              const std::string& what) {
  if (typed) return *typed;
  if (own > 0) return own;
  throw std::invalid_argument("model " + m.name + " reports no " + what + ", expected --" + what);
}

std::int64_t context_of(const SizeOptions& options, std::int64_t otherwise) {
  return options.context.value_or(otherwise);
}

}  // namespace

std::string readable(const Column& column, const Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  if (const auto* n = std::get_if<std::int64_t>(&cell)) return std::to_string(*n);
  const double value = std::get<double>(cell);
  if (std::isnan(value)) return "-";
  if (column.unit == "B") return with_prefix(value, "B");
  if (column.unit == "s") return duration(value);
  if (column.unit == "FLOP/s" || column.unit == "MAC") return with_prefix(value, "") + column.unit;
  if (column.unit == "share") return formatted("%.2f %%", 100 * value);
  if (column.unit == "h")
    return formatted(value >= 1e6 ? "%.3f M" : "%.0f", value >= 1e6 ? value / 1e6 : value);
  if (column.unit == "$") return "$" + with_prefix(value, "");
  if (column.unit == "tokens/s") return with_prefix(value, "");
  if (column.unit == "figure" && value >= 1e6) return formatted("%.4g M", value / 1e6);
  if (column.unit == "times") return formatted("%.2f", value);
  if (column.unit == "B each") return formatted("%.6g", value);
  return count_text(value);
}

Sheet memory_sheet(const SizeOptions& o) {
  Sheet sheet;
  sheet.columns = {{"recipe", "", "what is kept, by name"},
                   {"weights", "B each", "bytes for each parameter"},
                   {"scales", "B each", "of all copies"},
                   {"gradients", "B each", "of the loss"},
                   {"master_weights", "B each", "that the optimiser updates"},
                   {"moments", "B each", "both of Adam's"},
                   {"bytes_each", "B each", "the sum"},
                   {"total", "B", "of all parameters"},
                   {"devices", "", "that hold this and nothing else"},
                   {"share", "share", "of the memory of the fleet"},
                   {"each_device", "B", "spread over the fleet"}};
  const double fleet =
      o.devices.value_or(o.model.training.devices > 0 ? o.model.training.devices : 2048);
  const auto add = [&](const sizing::StateRecipe& recipe) {
    const sizing::StateBill b =
        sizing::state_bill(o.model.parameters, recipe, o.device->memory_bytes, fleet);
    sheet.table.rows.push_back({recipe.name, b.weights, b.scales, b.gradients, b.master_weights,
                                b.moments, b.bytes_each, b.total_bytes, b.devices, b.share,
                                b.total_bytes / fleet});
  };
  for (const sizing::StateRecipe& recipe : sizing::state_recipes()) add(recipe);
  if (o.weights || o.gradients || o.master_weights || o.first_moment || o.second_moment) {
    sizing::StateRecipe yours = sizing::find_state_recipe(o.base_recipe);
    yours.name = "yours";
    if (o.weights) yours.weights = *o.weights;
    if (o.gradients) yours.gradients = *o.gradients;
    if (o.master_weights) yours.master_weights = *o.master_weights;
    if (o.first_moment) yours.first_moment = *o.first_moment;
    if (o.second_moment) yours.second_moment = *o.second_moment;
    add(yours);
    sheet.table.notes.push_back("yours: " + o.base_recipe + " with what was asked for");
  }
  sheet.table.notes.push_back(count_text(o.model.parameters) + " parameters; a fleet of " +
                              count_text(fleet) + " " + o.device->name +
                              "; no activations, no buffers");
  return sheet;
}

Sheet training_sheet(const SizeOptions& o) {
  Sheet sheet;
  sheet.columns = {{"case", "", "the peak that is counted on, or what was reported"},
                   {"flops_each", "FLOP/s", "of one device"},
                   {"of_bf16_peak", "share", "utilisation of the BF16 peak"},
                   {"of_fp8_peak", "share", "utilisation of the FP8 peak"},
                   {"time", "s", "on the whole fleet"},
                   {"device_hours", "h", "of the whole fleet"},
                   {"cost", "$", "device hours at --dollars-per-hour"},
                   {"tokens_per_second", "tokens/s", "of the whole fleet"}};
  const double tokens = figure(o.tokens, o.model.training.tokens, o.model, "tokens");
  const double fleet = figure(o.devices, o.model.training.devices, o.model, "devices");
  ModelDimensions model = o.model;
  if (o.active) model.active_parameters = *o.active;
  const std::int64_t context = context_of(o, 4096);
  const sizing::TokenFlops each = sizing::token_flops(model, context);
  const double flops = each.linear + (o.count_attention ? each.causal_attention : 0);
  const double dollars = o.dollars;
  const auto add = [&](const std::string& name, double rate, double seconds, double hours) {
    sheet.table.rows.push_back({name, rate, rate / o.device->bf16_flops, rate / o.device->fp8_flops,
                                seconds, hours, hours * dollars, tokens / seconds});
  };
  for (const bool fp8 : {false, true}) {
    const double peak = fp8 ? o.device->fp8_flops : o.device->bf16_flops;
    for (const double utilisation : o.utilisations) {
      const auto b = sizing::training_bill({flops, tokens, fleet, peak, utilisation});
      add((fp8 ? "FP8, " : "BF16, ") + formatted("%g %%", 100 * utilisation), peak * utilisation,
          b.seconds, b.device_hours);
    }
  }
  if (model.training.device_hours > 0 && !o.tokens && !o.devices) {
    const double hours = model.training.device_hours;
    const auto rate = sizing::training_rate(flops, tokens, fleet, hours);
    add("as reported", rate.flops_per_device, rate.seconds, hours);
  }
  sheet.table.notes.push_back(formatted("%.5g", flops * tokens) +
                              " FLOP: " + formatted("%.4g", tokens) + " tokens of " +
                              formatted("%.4g", flops / 1e9) + " GFLOP, 6 for each of " +
                              count_text(model.active_parameters / 1e9) + "e9 active parameters" +
                              (o.count_attention ? " and causal attention" : "") + ", on " +
                              count_text(fleet) + " " + o.device->name);
  sheet.table.notes.push_back("causal attention over " + std::to_string(context) +
                              " tokens: " + formatted("%.3g", each.causal_attention / 1e9) +
                              " GFLOP a token, " + (o.count_attention ? "counted" : "not counted"));
  return sheet;
}

Sheet cache_sheet(const SizeOptions& o) {
  Sheet sheet;
  sheet.columns = {{"layout", "", "by name"},
                   {"entry_bytes", "", "of a token in a layer"},
                   {"index_bytes", "", "of its index key"},
                   {"token_bytes", "", "in all layers"},
                   {"total", "B", "of the context"},
                   {"of_bf16", "share", "over the BF16 cache without an index"}};
  const std::int64_t context = context_of(o, 131072);
  const std::int64_t layers = o.layers.value_or(o.model.layers);
  const auto add = [&](const sizing::CacheLayout& layout) {
    const sizing::CacheBill b = sizing::cache_bill(o.model, layout, context, layers);
    sheet.table.rows.push_back(
        {layout.name, b.entry_bytes, b.index_bytes, b.token_bytes, b.total_bytes, b.of_bf16});
  };
  for (const sizing::CacheLayout& layout : sizing::cache_layouts()) add(layout);
  if (o.content || o.rope || o.index_keys) {
    sizing::CacheLayout yours = sizing::find_cache_layout(o.layout);
    yours.name = "yours";
    if (o.content) yours.content = *o.content;
    if (o.rope) yours.rope = *o.rope;
    if (o.index_keys) yours.index_keys = *o.index_keys;
    add(yours);
    sheet.table.notes.push_back("yours: " + o.layout + " with what was asked for");
  }
  sheet.table.notes.push_back(std::to_string(layers) + " layers, " + std::to_string(context) +
                              " tokens");
  return sheet;
}

Sheet decode_sheet(const SizeOptions& o) {
  Sheet sheet;
  sheet.columns = {{"attention", "", "dense reads the whole cache, sparse the chosen entries"},
                   {"context", "", "tokens in the cache"},
                   {"weights", "B", "read for one token"},
                   {"cache", "B", "entries read"},
                   {"index_keys", "B", "read to choose them"},
                   {"total", "B", "the three together"},
                   {"time", "s", "total over the memory's bandwidth: a bound from below"}};
  const Storage weights = o.weights.value_or(sizing::parse_storage("e4m3"));
  const double bandwidth = o.bandwidth.value_or(o.device->memory_bandwidth);
  for (const bool sparse : {false, true}) {
    if (sparse && !o.model.has_indexer()) break;
    for (const std::int64_t context : o.contexts) {
      const auto b = sizing::decode_bill(o.model, weights, sizing::find_cache_layout(o.layout),
                                         context, sparse, bandwidth);
      sheet.table.rows.push_back({sparse ? "sparse" : "dense", context, b.weight_bytes,
                                  b.cache_bytes, b.index_bytes, b.total_bytes, b.seconds});
    }
  }
  sheet.table.notes.push_back("one request: weights " + weights.name + ", cache " + o.layout +
                              ", " + formatted("%.3g", bandwidth / 1e12) + " TB/s");
  return sheet;
}

Sheet experts_sheet(const SizeOptions& o) {
  Sheet sheet;
  sheet.columns = {{"case", "", "how activations travel: dispatch / combine"},
                   {"dispatch", "B", "a layer and micro-batch"},
                   {"combine", "B", "the results back"},
                   {"of_bf16", "share", "bytes over those of BF16 both ways"},
                   {"exchange_time", "s", "of one micro-batch in one layer"},
                   {"layer_time", "s", "of the micro-batches that take turns"},
                   {"step_time", "s", "of all layers, if nothing else takes longer"},
                   {"steps_per_second", "times", "tokens a second for each request"}};
  if (o.model.experts.routed == 0 && !(o.destinations && o.layers)) {
    throw std::invalid_argument("model " + o.model.name +
                                " has no experts, expected --destinations and --layers");
  }
  sizing::ExchangePlan plan;
  plan.tokens = o.tokens.value_or(32);
  plan.destinations =
      o.destinations.value_or(static_cast<double>(o.model.experts.active + o.model.experts.shared));
  plan.hidden = o.hidden.value_or(o.model.hidden);
  plan.bandwidth = o.bandwidth.value_or(o.device->network_bandwidth);
  plan.layers = o.layers.value_or(o.model.experts.layers);
  plan.overlapped = o.overlapped;
  const auto add = [&](const Storage& dispatch, const Storage& combine) {
    plan.dispatch = dispatch;
    plan.combine = combine;
    const sizing::ExchangeBill b = sizing::exchange_bill(plan);
    sheet.table.rows.push_back({dispatch.name + " / " + combine.name, b.dispatch_bytes,
                                b.combine_bytes, b.of_bf16, b.seconds, b.layer_seconds,
                                b.step_seconds, b.steps_per_second});
  };
  const Storage bf16 = sizing::parse_storage("bf16"), fp8 = sizing::parse_storage("e4m3");
  add(bf16, bf16);
  add(fp8, bf16);
  add(sizing::parse_storage("e4m3:fp32/128"), bf16);
  add(fp8, fp8);
  if (o.dispatch || o.combine) add(o.dispatch.value_or(fp8), o.combine.value_or(bf16));
  sheet.table.notes.push_back(count_text(plan.tokens) + " tokens to " +
                              count_text(plan.destinations) + " experts each, hidden " +
                              std::to_string(plan.hidden) + ", " + std::to_string(plan.layers) +
                              " layers, " + formatted("%.3g", plan.bandwidth / 1e9) + " GB/s");
  return sheet;
}

Sheet attention_sheet(const SizeOptions& o) {
  Sheet sheet;
  sheet.columns = {{"context", "", "tokens that a query may attend to"},
                   {"dense", "MAC", "of one query in one layer"},
                   {"core", "MAC", "over the chosen tokens"},
                   {"index", "MAC", "to choose them"},
                   {"sparse", "MAC", "core and index"},
                   {"speedup", "times", "dense over sparse"}};
  const double none = std::nan("");
  for (const std::int64_t context : o.contexts) {
    const sizing::AttentionBill b = sizing::attention_bill(o.model, context);
    const double sparse = b.core + b.index;
    const auto if_any = [&](double value) { return number(sparse > 0 ? value : none); };
    sheet.table.rows.push_back({context, b.dense, if_any(b.core), if_any(b.index), if_any(sparse),
                                if_any(b.dense / sparse)});
  }
  sheet.table.notes.push_back(
      o.model.has_indexer()
          ? "beyond " + count_text(sizing::indexer_crossover(o.model)) +
                " tokens the index costs more than the attention over the chosen ones; it grows "
                "with the context, so the whole stays quadratic"
          : "this model has no indexer: attention is dense");
  return sheet;
}

Sheet claims_sheet(const SizeOptions&) {
  Sheet sheet;
  sheet.columns = {{"claim", "", "as it is met in articles"},
                   {"claimed", "figure", "by them"},
                   {"reproduced", "figure", "by the mistake"},
                   {"correct", "figure", "counted as the other tables are"},
                   {"mistake", "", "that gives the claimed figure"}};
  for (const sizing::Claim& c : sizing::claims()) {
    sheet.table.rows.push_back({c.statement, c.claimed, c.reproduced, c.correct, c.mistake});
  }
  return sheet;
}

}  // namespace binade::cli

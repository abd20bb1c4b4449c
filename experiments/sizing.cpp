// The bills: closed formulas over a model's dimensions.
#include "binade/experiments/sizing.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <stdexcept>

namespace binade::sizing {

namespace {

double check_positive(const char* name, double value) {
  if (std::isfinite(value) && value > 0) return value;
  std::ostringstream message;
  message << name << " is " << value << ", expected a finite number above 0";
  throw std::invalid_argument(message.str());
}

double to_double(std::int64_t n) { return static_cast<double>(n); }

/// Width of a query against its key plus that of a value, each head's own.
double head_width(const ModelDimensions& m) {
  return to_double(2 * m.attention.head_dim + (m.is_latent() ? m.attention.rope : 0));
}

/// Elements of one token's entry in one layer: what all heads share unless `all_heads`.
std::int64_t cache_content(const ModelDimensions& m, bool all_heads) {
  if (all_heads) return 2 * m.attention.heads * m.attention.head_dim;
  return m.is_latent() ? m.attention.latent : 2 * m.attention.kv_heads * m.attention.head_dim;
}

double index_key_bytes(const ModelDimensions& m, const CacheLayout& layout) {
  return m.has_indexer() ? layout.index_keys.bytes_of(m.indexer.head_dim) : 0;
}

double entry_bytes(const ModelDimensions& m, const CacheLayout& layout) {
  return cache_entry_bytes(layout, cache_content(m, layout.all_heads),
                           layout.all_heads ? 0 : m.attention.rope);
}

}  // namespace

StateBill state_bill(double parameters, const StateRecipe& r, double device_bytes, double fleet) {
  check_positive("parameters", parameters);
  check_positive("device_bytes", device_bytes);
  StateBill bill;
  bill.weights = r.weights.element_bytes;
  bill.gradients = r.gradients.element_bytes;
  bill.master_weights = r.master_weights.element_bytes;
  bill.moments = r.first_moment.element_bytes + r.second_moment.element_bytes;
  for (const Storage* s :
       {&r.weights, &r.gradients, &r.master_weights, &r.first_moment, &r.second_moment}) {
    bill.scales += s->scale_bytes_each();
  }
  bill.bytes_each =
      bill.weights + bill.scales + bill.gradients + bill.master_weights + bill.moments;
  bill.total_bytes = bill.bytes_each * parameters;
  bill.devices = std::ceil(bill.total_bytes / device_bytes);
  if (fleet > 0) bill.share = bill.total_bytes / (fleet * device_bytes);
  return bill;
}

TokenFlops token_flops(const ModelDimensions& m, std::int64_t context) {
  check_positive("context", to_double(context));
  TokenFlops flops;
  flops.linear = 6 * m.active_parameters;
  flops.full_attention =
      6 * to_double(m.layers * m.attention.heads) * head_width(m) * to_double(context);
  flops.causal_attention = flops.full_attention / 2;
  return flops;
}

TrainingBill training_bill(const TrainingPlan& plan) {
  check_positive("flops_per_token", plan.flops_per_token);
  check_positive("tokens", plan.tokens);
  check_positive("devices", plan.devices);
  check_positive("peak_flops", plan.peak_flops);
  check_positive("utilisation", plan.utilisation);
  TrainingBill bill;
  bill.total_flops = plan.flops_per_token * plan.tokens;
  bill.seconds = bill.total_flops / (plan.devices * plan.peak_flops * plan.utilisation);
  bill.days = bill.seconds / 86400;
  bill.device_hours = bill.seconds * plan.devices / 3600;
  return bill;
}

TrainingRate training_rate(double flops_per_token, double tokens, double devices,
                           double device_hours) {
  TrainingRate rate;
  rate.seconds =
      check_positive("device_hours", device_hours) * 3600 / check_positive("devices", devices);
  rate.tokens_per_second = check_positive("tokens", tokens) / rate.seconds;
  rate.flops_per_device =
      check_positive("flops_per_token", flops_per_token) * rate.tokens_per_second / devices;
  return rate;
}

double cache_entry_bytes(const CacheLayout& layout, std::int64_t content, std::int64_t rope) {
  const double bytes = layout.content.bytes_of(content) + layout.rope.bytes_of(rope);
  const double unit = to_double(layout.padded_to);
  return std::ceil(bytes / unit) * unit;
}

CacheBill cache_bill(const ModelDimensions& m, const CacheLayout& layout, std::int64_t context,
                     std::int64_t layers) {
  check_positive("context", to_double(context));
  check_positive("layers", to_double(layers));
  CacheBill bill;
  bill.entry_bytes = entry_bytes(m, layout);
  bill.index_bytes = index_key_bytes(m, layout);
  bill.token_bytes = (bill.entry_bytes + bill.index_bytes) * to_double(layers);
  bill.total_bytes = bill.token_bytes * to_double(context);
  bill.of_bf16 = (bill.entry_bytes + bill.index_bytes) / entry_bytes(m, find_cache_layout("bf16"));
  return bill;
}

DecodeBill decode_bill(const ModelDimensions& m, const Storage& weights, const CacheLayout& layout,
                       std::int64_t context, bool sparse, double bandwidth) {
  check_positive("context", to_double(context));
  check_positive("bandwidth", bandwidth);
  if (sparse && !m.has_indexer()) {
    throw std::invalid_argument("model " + m.name + " has no indexer: it reads its whole cache");
  }
  const std::int64_t entries = sparse ? std::min(context, m.indexer.top_k) : context;
  const double layers = to_double(m.layers);
  DecodeBill bill;
  bill.weight_bytes = m.active_parameters * weights.bytes_each();
  bill.cache_bytes = entry_bytes(m, layout) * layers * to_double(entries);
  if (sparse) bill.index_bytes = index_key_bytes(m, layout) * layers * to_double(context);
  bill.total_bytes = bill.weight_bytes + bill.cache_bytes + bill.index_bytes;
  bill.seconds = bill.total_bytes / bandwidth;
  return bill;
}

ExchangeBill exchange_bill(const ExchangePlan& plan) {
  check_positive("tokens", plan.tokens);
  check_positive("destinations", plan.destinations);
  check_positive("hidden", to_double(plan.hidden));
  check_positive("bandwidth", plan.bandwidth);
  check_positive("layers", to_double(plan.layers));
  check_positive("overlapped", to_double(plan.overlapped));
  const double copies = plan.tokens * plan.destinations;
  ExchangeBill bill;
  bill.dispatch_bytes = copies * plan.dispatch.bytes_of(plan.hidden);
  bill.combine_bytes = copies * plan.combine.bytes_of(plan.hidden);
  bill.seconds = (bill.dispatch_bytes + bill.combine_bytes) / plan.bandwidth;
  bill.layer_seconds = bill.seconds * to_double(plan.overlapped);
  bill.step_seconds = bill.layer_seconds * to_double(plan.layers);
  bill.steps_per_second = 1 / bill.step_seconds;
  bill.of_bf16 = (bill.dispatch_bytes + bill.combine_bytes) / (copies * 4 * to_double(plan.hidden));
  return bill;
}

AttentionBill attention_bill(const ModelDimensions& m, std::int64_t context) {
  const double length = check_positive("context", to_double(context));
  // With one latent for all heads, scores meet latent and rotary part, and values are the latent.
  const double width =
      m.is_latent() ? to_double(2 * m.attention.latent + m.attention.rope) : head_width(m);
  const double heads = to_double(m.attention.heads);
  AttentionBill bill;
  bill.dense = heads * width * length;
  if (m.has_indexer()) {
    bill.core = heads * width * to_double(std::min(context, m.indexer.top_k));
    bill.index = to_double(m.indexer.heads * m.indexer.head_dim) * length;
  }
  return bill;
}

double indexer_crossover(const ModelDimensions& m) {
  if (!m.has_indexer()) throw std::invalid_argument("model " + m.name + " has no indexer");
  const double core = attention_bill(m, m.indexer.top_k).core;
  return core / to_double(m.indexer.heads * m.indexer.head_dim);
}

}  // namespace binade::sizing

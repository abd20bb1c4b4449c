// The tables of binade size: what is asked, and the rows that the library's bills fill.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "binade/experiments/experiment.hpp"
#include "binade/experiments/sizing.hpp"

namespace binade::cli {

struct Sheet {
  std::vector<experiments::Column> columns;
  experiments::Table table;
};

/// What the flags say. Where nothing was typed, the model's own figures hold.
struct SizeOptions {
  std::string model_name = "deepseek-v3";
  sizing::ModelDimensions model;
  const sizing::Device* device = &sizing::find_device("h800");
  std::optional<double> devices, bandwidth, tokens, destinations, active;
  std::optional<std::int64_t> context, hidden, layers;
  std::vector<std::int64_t> contexts{2048, 8192, 32768, 131072, 524288};
  std::vector<double> utilisations{0.5, 0.4};
  std::int64_t overlapped = 2;
  double dollars = 2;
  bool count_attention = false;
  std::string base_recipe = "deepseek-v3", layout = "flashmla";
  /// What-ifs: storages in place of those of a recipe or layout.
  std::optional<sizing::Storage> weights, gradients, master_weights, first_moment, second_moment,
      content, rope, index_keys, dispatch, combine;
};

/// Errors: std::invalid_argument for a question that the model has no figures for.
Sheet memory_sheet(const SizeOptions& options);
Sheet training_sheet(const SizeOptions& options);
Sheet cache_sheet(const SizeOptions& options);
Sheet decode_sheet(const SizeOptions& options);
Sheet experts_sheet(const SizeOptions& options);
Sheet attention_sheet(const SizeOptions& options);
Sheet claims_sheet(const SizeOptions& options);

/// A number as a person reads it, by its column's unit: "8.72 TB", "54.2 days", "34.6 %".
std::string readable(const experiments::Column& column, const experiments::Cell& cell);

}  // namespace binade::cli

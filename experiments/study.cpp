// What each way to quantise a layer would cost it: statistics over every element, errors of outputs
// and of their accumulation over a sample.
#include "binade/experiments/study.hpp"

#include <omp.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "binade/emulation/gemm.hpp"
#include "binade/emulation/instructions.hpp"
#include "binade/emulation/profiles.hpp"
#include "sampling.hpp"

namespace binade::study {

namespace {

/// Rows first .. first + count - 1 of a quantised matrix, appended to others of the same kind.
void append_rows(Quantized& to, const Quantized& from, std::size_t first, std::size_t count) {
  if (to.cols == 0) {
    to = from;
    to.rows = to.scale_rows = 0;
    to.codes.clear();
    to.scales.clear();
    to.scale_codes.clear();
  }
  const std::size_t bytes = from.codes.size() / from.rows;
  const auto copy = [](auto& into, const auto& source, std::size_t at, std::size_t n) {
    if (source.empty()) return;
    const auto begin = source.begin() + static_cast<std::ptrdiff_t>(at);
    into.insert(into.end(), begin, begin + static_cast<std::ptrdiff_t>(n));
  };
  copy(to.codes, from.codes, first * bytes, count * bytes);
  to.rows += count;
  const std::size_t block = block_grid(from.rows, from.cols, from.granularity).block_rows;
  const bool one_for_all = from.granularity.rows == 0;
  if (one_for_all && to.scale_rows > 0) return;
  const std::size_t at = one_for_all ? 0 : first / block;
  const std::size_t scales = one_for_all ? 1 : (count + block - 1) / block;
  copy(to.scales, from.scales, at * from.scale_cols, scales * from.scale_cols);
  copy(to.scale_codes, from.scale_codes, at * from.scale_cols, scales * from.scale_cols);
  to.scale_rows += scales;
}

/// A matrix as the study sees it: statistics of all of it, and the rows of the sample.
struct Seen {
  std::vector<QuantizationStats> stats;
  std::vector<float> values;  ///< [rows, cols]
  std::vector<Quantized> quantized;
  std::size_t rows = 0, cols = 0;
};

/// Where the blocks of a sample of about `wanted` rows begin, evenly spread.
std::vector<std::size_t> sampled_blocks(std::size_t rows, std::size_t block, std::size_t wanted) {
  const std::size_t blocks = (rows + block - 1) / block;
  const std::size_t count = std::clamp<std::size_t>(wanted / block, 1, blocks);
  std::vector<std::size_t> first(count);
  for (std::size_t i = 0; i < count; ++i) first[i] = i * blocks / count * block;
  return first;
}

Seen see(const RowSource& source, bool weights, std::size_t sample, const Options& options) {
  std::vector<Granularity> blocks;
  for (const Treatment& t : options.treatments) {
    blocks.push_back(weights ? t.weights : t.activations);
  }
  Seen seen;
  seen.cols = source.cols;
  seen.stats.resize(blocks.size());
  seen.quantized.resize(blocks.size());
  const std::size_t block = whole_blocks(blocks, source.rows);
  const auto starts = sampled_blocks(source.rows, block, sample);
  for_each_panel(source, blocks, options.panel, [&](const Panel& panel) {
    const std::span<const float> x = panel.values();
    const auto in_panel = [&](auto&& body) {
      for (const std::size_t first : starts) {
        if (first < panel.first || first >= panel.first + panel.rows) continue;
        body(first - panel.first, std::min(block, source.rows - first));
      }
    };
    in_panel([&](std::size_t first, std::size_t count) {
      const auto begin = x.begin() + static_cast<std::ptrdiff_t>(first * panel.cols);
      seen.values.insert(seen.values.end(), begin,
                         begin + static_cast<std::ptrdiff_t>(count * panel.cols));
      seen.rows += count;
    });
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const Treatment& t = options.treatments[i];
      const Quantized q = panel.quantize(*t.recipe, blocks[i], t.type, t.element, options.threads);
      seen.stats[i].add(x, q, options.threads);
      in_panel([&](std::size_t first, std::size_t count) {
        append_rows(seen.quantized[i], q, first, count);
      });
    }
    if (weights && options.progress) options.progress(panel.first + panel.rows, source.rows);
  });
  return seen;
}

/// a . b^T in fp64: eight sums a product, of every eighth element, then the eight from the first.
std::vector<double> products(std::span<const float> a, std::span<const float> b, std::size_t k,
                             int threads) {
  const std::size_t m = a.size() / k, n = b.size() / k;
  std::vector<double> d(m * n);
  const auto dot = [k](const float* x, const float* y) {
    std::array<double, 8> sums{};
    std::size_t i = 0;
    for (; i + 8 <= k; i += 8) {
      for (std::size_t lane = 0; lane < 8; ++lane) {
        sums[lane] += static_cast<double>(x[i + lane]) * static_cast<double>(y[i + lane]);
      }
    }
    for (; i < k; ++i) sums[i % 8] += static_cast<double>(x[i]) * static_cast<double>(y[i]);
    return std::accumulate(sums.begin(), sums.end(), 0.0);
  };
  const auto columns = static_cast<std::ptrdiff_t>(n);
  const int team = threads > 0 ? threads : omp_get_max_threads();
#pragma omp parallel for num_threads(team)
  for (std::ptrdiff_t column = 0; column < columns; ++column) {
    const auto c = static_cast<std::size_t>(column);
    for (std::size_t r = 0; r < m; ++r) d[r * n + c] = dot(&a[r * k], &b[c * k]);
  }
  return d;
}

std::vector<float> read_back(const Quantized& q, int threads) {
  std::vector<float> x(q.rows * q.cols);
  dequantize(q, x, threads);
  return x;
}

/// |computed - reference| / |norm of| in Frobenius norms; absent where that is no number.
template <class Computed>
std::optional<double> relative_error(const Computed& computed, std::span<const double> reference,
                                     std::span<const double> norm_of) {
  double error = 0, signal = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double e = static_cast<double>(computed[i]) - reference[i];
    error += e * e;
    signal += norm_of[i] * norm_of[i];
  }
  const double relative = std::sqrt(error / signal);
  return std::isfinite(relative) ? std::optional(relative) : std::nullopt;
}

GemmOperand operand_of(const Quantized& q) {
  return {q.element, q.codes.data(), q.rows, q.scales, q.scale_rows, q.scale_cols};
}

/// Elements of K between promotions that the tensor core can have under a treatment; 0: it cannot
/// compute it.
int promotion_interval(const Treatment& t) {
  constexpr int kUsual = 128;
  if (t.element != E4M3::format && t.element != E5M2::format) return 0;
  int interval = kUsual;
  for (const Granularity& blocks : {t.weights, t.activations}) {
    const bool known = blocks == kPerTensor || blocks == kPerRow || blocks == Granularity{1, 128} ||
                       blocks == Granularity{128, 128} ||
                       blocks == Granularity{1, 32};  // that gemm() tells by their shape
    if (!known) return 0;
    if (blocks.cols != 0) interval = std::min(interval, static_cast<int>(blocks.cols));
  }
  return interval;
}

std::optional<double> accumulate_error(const Quantized& a, const Quantized& b, int interval,
                                       std::span<const double> sums, int threads) {
  std::vector<float> computed(sums.size());
  GemmOptions options;
  options.promotion_interval = interval;
  options.threads = threads;
  gemm(find_gemm_profile("cutlass"), operand_of(a), operand_of(b), a.cols, kFp32Format,
       computed.data(), options);
  return relative_error(computed, sums, sums);
}

/// What the outputs say: the part of a treatment's cost that is measured on the sample.
void add_output_costs(Cost& cost, const Treatment& t, const Seen& x, const Seen& w,
                      std::size_t index, std::span<const double> exact, int threads) {
  const Quantized &a = x.quantized[index], &b = w.quantized[index];
  if (!std::ranges::all_of(a.scales, [](float s) { return std::isfinite(s); }) ||
      !std::ranges::all_of(b.scales, [](float s) { return std::isfinite(s); })) {
    return;
  }
  const std::vector<double> sums =
      products(read_back(a, threads), read_back(b, threads), w.cols, threads);
  if (cost.activations) cost.output_error = relative_error(sums, exact, exact);
  const int interval = promotion_interval(t);
  if (interval == 0) return;
  cost.accumulate_error = accumulate_error(a, b, interval, sums, threads);
  if (t.weights.cols == 0 && t.activations.cols == 0) {
    cost.unpromoted_error = accumulate_error(a, b, 0, sums, threads);
  }
}

double bits_of(const Treatment& t, const RowSource& weights) {
  const BlockGrid grid = block_grid(weights.rows, weights.cols, t.weights);
  const double scale_bits = t.type == ScaleType::kUe8m0 || t.type == ScaleType::kE4M3 ? 8 : 32;
  const double tensor_scale = t.type == ScaleType::kE4M3 ? 32 : 0;
  const double scales = static_cast<double>(grid.grid_rows * grid.grid_cols) * scale_bits;
  return t.element.bits() +
         (scales + tensor_scale) / static_cast<double>(weights.rows * weights.cols);
}

/// N(0, 1) tokens, for the accumulation where a file has none.
RowSource random_tokens(std::size_t tokens, std::size_t k, const Options& options) {
  RowSource source;
  source.rows = tokens;
  source.cols = k;
  source.whole_only = true;
  source.read = [seed = options.seed](std::size_t, std::span<float> into) {
    std::ranges::copy(experiments::sample("normal", into.size(), seed), into.begin());
  };
  return source;
}

void rank(Layer& layer, double least_db) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < layer.costs.size(); ++i) {
    if (layer.costs[i].sqnr_db()) order.push_back(i);
  }
  std::ranges::stable_sort(order, std::ranges::greater{},
                           [&](std::size_t i) { return *layer.costs[i].sqnr_db(); });
  layer.rank.assign(layer.costs.size(), 0);
  for (std::size_t place = 0; place < order.size(); ++place) {
    const std::size_t i = order[place];
    layer.rank[i] = place + 1;
    if (*layer.costs[i].sqnr_db() < least_db) continue;
    if (!layer.recommended || layer.costs[i].bits < layer.costs[*layer.recommended].bits) {
      layer.recommended = i;
    }
  }
}

}  // namespace

Treatment parse_treatment(std::string_view text, FloatFormat element) {
  const std::size_t colon = text.find(':');
  Treatment t;
  t.recipe = &find_scale_recipe(text.substr(0, colon));
  const Granularity own = parse_granularity(t.recipe->default_granularity);
  t.weights = colon == text.npos ? own : parse_granularity(text.substr(colon + 1));
  t.activations = t.weights == kPerTensor || t.weights == kPerRow ? t.weights : own;
  t.type = t.recipe->scale_types.front();
  t.element = t.type == ScaleType::kE4M3 ? E2M1::format : element;
  t.name = t.recipe->name + " " + granularity_name(t.weights);
  return t;
}

const std::vector<std::string>& default_treatments() {
  static const std::vector<std::string> names = {"deepseek-v3:tensor", "deepseek-v3:row",
                                                 "deepseek-v3:128x128", "ocp-mx", "nvfp4"};
  return names;
}

std::optional<double> Cost::sqnr_db() const {
  if (activations) {
    if (!output_error) return std::nullopt;
    return -20 * std::log10(*output_error);
  }
  const double db = weights.sqnr_db();
  return weights.nonfinite > 0 || std::isnan(db) ? std::nullopt : std::optional(db);
}

Layer study_layer(const std::string& name, const RowSource& weights, const RowSource* activations,
                  const Options& options) {
  if (activations != nullptr && activations->cols != weights.cols) {
    throw std::invalid_argument(
        "layer " + name + ": weights with K = " + std::to_string(weights.cols) +
        " and activations with " + std::to_string(activations->cols) + ", expected equal lengths");
  }
  Layer layer;
  layer.name = name;
  layer.rows = weights.rows;
  layer.cols = weights.cols;
  layer.has_activations = activations != nullptr;
  const Seen w = see(weights, true, options.weight_rows, options);
  const Seen x =
      see(activations != nullptr ? *activations
                                 : random_tokens(options.activation_rows, weights.cols, options),
          false, options.activation_rows, options);
  const std::vector<double> exact = products(x.values, w.values, w.cols, options.threads);
  for (std::size_t i = 0; i < options.treatments.size(); ++i) {
    Cost cost;
    cost.bits = bits_of(options.treatments[i], weights);
    cost.weights = w.stats[i];
    if (activations != nullptr) cost.activations = x.stats[i];
    add_output_costs(cost, options.treatments[i], x, w, i, exact, options.threads);
    layer.costs.push_back(std::move(cost));
  }
  rank(layer, options.least_db);
  return layer;
}

const std::vector<experiments::Column>& columns() {
  static const std::vector<experiments::Column> all = {
      {"layer", "", "name of the weights' tensor"},
      {"outputs", "", "rows of the weights"},
      {"k", "", "their columns"},
      {"recipe", "", "how both operands are quantised, with the blocks of the weights"},
      {"rank", "", "from the best, by sqnr_db; 0: not to be ranked"},
      {"recommended", "", "1: of fewest bits among those that keep the least SQNR asked for"},
      {"bits", "bit", "a weight, its share of the scales included"},
      {"sqnr_db", "dB", "of the outputs where there are activations, else of the weights"},
      {"weight_sqnr_db", "dB", "of all weights"},
      {"weight_amax", "", "largest finite magnitude"},
      {"weight_nonfinite", "", "NaN and infinities"},
      {"weight_underflow", "", "share that is not zero before, and zero after"},
      {"weight_saturated", "", "share beyond the largest number by half its last place or more"},
      {"activation_sqnr_db", "dB", "of all activations; empty without any"},
      {"activation_underflow", "", "as for weights"},
      {"activation_saturated", "", "as for weights"},
      {"output_error", "", "Frobenius norm of the outputs' error over theirs, sums exact"},
      {"accumulate_error", "", "lost by a Hopper tensor core besides, promoted every 128 of K"},
      {"unpromoted_error", "", "the same, never promoted; empty where scales change along K"},
  };
  return all;
}

std::vector<std::vector<experiments::Cell>> rows_of(const Layer& layer, const Options& options) {
  using experiments::Cell;
  const auto integer = [](std::size_t n) -> Cell { return static_cast<std::int64_t>(n); };
  const auto number = [](std::optional<double> value) -> Cell {
    return value ? Cell(*value) : Cell(std::string());
  };
  std::vector<std::size_t> order(layer.costs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) {  // those without a rank last
    return layer.rank[i] == 0 ? layer.costs.size() : layer.rank[i];
  });
  const auto db_of = [](const QuantizationStats& s) {
    return s.signal > 0 ? std::optional(s.sqnr_db()) : std::nullopt;
  };
  std::vector<std::vector<Cell>> rows;
  for (const std::size_t i : order) {
    const Cost& c = layer.costs[i];
    const auto of_activations = [&](auto&& figure) {
      return number(c.activations ? std::optional<double>(figure(*c.activations)) : std::nullopt);
    };
    rows.push_back({
        layer.name,
        integer(layer.rows),
        integer(layer.cols),
        options.treatments[i].name,
        integer(layer.rank[i]),
        integer(layer.recommended == i ? 1 : 0),
        c.bits,
        number(c.sqnr_db()),
        number(db_of(c.weights)),
        c.weights.amax,
        integer(c.weights.nonfinite),
        c.weights.share(c.weights.underflow),
        c.weights.share(c.weights.saturated),
        number(c.activations ? db_of(*c.activations) : std::nullopt),
        of_activations([](const QuantizationStats& s) { return s.share(s.underflow); }),
        of_activations([](const QuantizationStats& s) { return s.share(s.saturated); }),
        number(c.output_error),
        number(c.accumulate_error),
        number(c.unpromoted_error),
    });
  }
  return rows;
}

}  // namespace binade::study

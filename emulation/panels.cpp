#include "binade/emulation/panels.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

namespace binade {

namespace {

/// What scales that span panels have to know of the whole matrix, as two more rows below each
/// panel: the largest finite magnitude of every column, and NaN or infinity where a column has one.
class Shadow {
 public:
  static constexpr std::size_t kRows = 2;

  explicit Shadow(std::size_t cols) : rows_(kRows * cols) {}

  void add(std::span<const float> x) {
    const std::size_t cols = rows_.size() / kRows;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float magnitude = std::fabs(x[i]);
      float& largest = rows_[i % cols];
      float& special = rows_[cols + i % cols];
      if (std::isfinite(magnitude)) {
        largest = std::max(largest, magnitude);
      } else if (!std::isnan(special)) {
        special = magnitude;
      }
    }
  }
  void append_to(std::vector<float>& x) const { x.insert(x.end(), rows_.begin(), rows_.end()); }

 private:
  std::vector<float> rows_;
};

/// Rows a panel may have: whole blocks, as many as fit in `elements`.
std::size_t panel_rows(const RowSource& source, std::span<const Granularity> granularities,
                       std::size_t elements) {
  if (source.whole_only) return source.rows;
  const std::size_t unit = whole_blocks(granularities, source.rows);
  return std::clamp(elements / source.cols / unit * unit, unit, source.rows);
}

}  // namespace

std::size_t whole_blocks(std::span<const Granularity> granularities, std::size_t rows) {
  std::size_t unit = 1;
  for (const Granularity& granularity : granularities) {
    if (granularity.rows != 0) unit = std::lcm(unit, std::min(granularity.rows, rows));
  }
  return std::min(unit, rows);
}

Quantized Panel::quantize(const ScaleRecipe& recipe, Granularity granularity, ScaleType type,
                          FloatFormat element, int threads) const {
  const bool spans_panels = granularity.rows == 0 || type == ScaleType::kE4M3;
  const auto of = [&](std::span<const float> x) {
    return binade::quantize(x, x.size() / cols, cols, recipe, granularity, type, element, threads);
  };
  if (!spans_panels) return of(values());
  // The rows that stand for the rest must not fall into a block of these: zeros fill up the last.
  const std::size_t over = granularity.rows == 0 ? 0 : rows % granularity.rows;
  if (over == 0 || values_.size() == rows * cols) return of(values_);
  std::vector<float> padded(values_);
  padded.insert(padded.begin() + static_cast<std::ptrdiff_t>(rows * cols),
                (granularity.rows - over) * cols, 0.0f);
  return of(padded);
}

void for_each_panel(const RowSource& source, std::span<const Granularity> granularities,
                    std::size_t elements, const std::function<void(const Panel&)>& body) {
  const std::size_t height = panel_rows(source, granularities, elements);
  Panel panel;
  panel.cols = source.cols;
  const auto read = [&](std::size_t first) {
    panel.first = first;
    panel.rows = std::min(height, source.rows - first);
    panel.values_.resize(panel.rows * panel.cols);
    source.read(first, panel.values_);
  };
  std::optional<Shadow> shadow;
  if (height < source.rows) {
    shadow.emplace(source.cols);
    for (std::size_t first = 0; first < source.rows; first += height) {
      read(first);
      shadow->add(panel.values_);
    }
  }
  for (std::size_t first = 0; first < source.rows; first += height) {
    read(first);
    if (shadow) shadow->append_to(panel.values_);
    body(panel);
  }
}

}  // namespace binade

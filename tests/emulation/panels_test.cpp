// Panels of a matrix quantise to the bits of the whole, whatever the scales span.
#include "binade/emulation/panels.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "binade/emulation/quantization_stats.hpp"
#include "binade/formats/catalog.hpp"
#include "catch.hpp"

using namespace binade;

namespace {

constexpr std::size_t kRows = 300, kCols = 70;

std::vector<float> matrix() {
  std::vector<float> x(kRows * kCols);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = std::sin(static_cast<float>(i * i % 1009)) * std::exp(std::cos(static_cast<float>(i)));
  }
  x[250 * kCols + 3] = 99.0f;  // the largest, in the last panel
  return x;
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

RowSource source_of(const std::vector<float>& x) {
  return {kRows, kCols, false, [&x](std::size_t first, std::span<float> into) {
            std::copy_n(x.begin() + static_cast<std::ptrdiff_t>(first * kCols), into.size(),
                        into.begin());
          }};
}

}  // namespace

TEST_CASE("panels give the codes and scales of the whole") {
  std::vector<float> x = matrix();
  for (const bool special : {false, true}) {
    if (special) x[170 * kCols + 9] = std::numeric_limits<float>::infinity();
    for (const auto& [name, block] : {std::pair{"deepseek-v3", "tensor"},
                                      {"deepseek-v3", "column"},
                                      {"deepgemm", "1x128"},
                                      {"deepseek-v3", "128x128"},
                                      {"ocp-mx", "1x32"},
                                      {"deepgemm", "7x5"},
                                      {"nvfp4", "1x16"},
                                      {"nvfp4", "7x16"}}) {
      const ScaleRecipe& recipe = find_scale_recipe(name);
      const ScaleType type = recipe.scale_types.front();
      const FloatFormat element = default_element(type);
      const Granularity granularity = parse_granularity(block);
      const Quantized whole = quantize(x, kRows, kCols, recipe, granularity, type, element);
      QuantizationStats at_once, in_panels;
      at_once.add(x, whole, 1);
      std::vector<std::uint8_t> codes;
      std::size_t panels = 0;
      const Granularity all[] = {granularity};
      for_each_panel(source_of(x), all, 3000, [&](const Panel& panel) {
        CHECK(panel.first * kCols * element.container_bits() / 8 == codes.size());
        const Quantized q = panel.quantize(recipe, granularity, type, element);
        codes.insert(codes.end(), q.codes.begin(),
                     q.codes.begin() + static_cast<std::ptrdiff_t>(panel.rows * kCols));
        in_panels.add(panel.values(), q, 1);
        ++panels;
      });
      INFO(name << " " << block << " in " << panels);
      CHECK(panels > 1);
      CHECK(codes == whole.codes);
      CHECK(same(in_panels.noise, at_once.noise));
      CHECK(in_panels.underflow == at_once.underflow);
      CHECK(in_panels.nonfinite == (special ? 1u : 0u));
      CHECK(in_panels.amax == 99);
    }
  }
}

TEST_CASE("a panel holds whole blocks, of all granularities, and at least one row") {
  const Granularity some[] = {{4, 8}, {6, 8}, kPerTensor};
  CHECK(whole_blocks(some, 100) == 12);
  CHECK(whole_blocks(some, 5) == 5);
  const std::vector<float> x = matrix();
  std::vector<std::size_t> heights;
  for_each_panel(source_of(x), some, 1, [&](const Panel& p) { heights.push_back(p.rows); });
  CHECK(heights == std::vector<std::size_t>(25, 12));
  RowSource whole = source_of(x);
  whole.whole_only = true;
  heights.clear();
  for_each_panel(whole, some, 1, [&](const Panel& p) { heights.push_back(p.rows); });
  CHECK(heights == std::vector<std::size_t>{kRows});
}

// Five numbers of a word's embedding, as FP8 really stores them.
#include <cstdio>

#include "binade/emulation/block_scale.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

struct Way {
  std::string name;
  std::string recipe;  ///< empty: the scale is 1
  ScaleType type = ScaleType::kFp32;
};

Way find_way(const std::string& name) {
  if (name == "unscaled") return {name, "", ScaleType::kFp32};
  if (name == "amax") return {name, "deepgemm", ScaleType::kFp32};
  return {name, "deepgemm", ScaleType::kUe8m0};
}

Quantized stored(const std::vector<float>& x, const Way& way, FloatFormat element) {
  if (way.recipe.empty()) return quantize_with_scale(x, 1, x.size(), {}, element);
  return quantize(x, 1, x.size(), find_scale_recipe(way.recipe), kPerTensor, way.type, element);
}

std::string two_decimals(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

Table run(const Arguments& arguments) {
  std::vector<float> x;
  for (const double value : arguments.number_list("vector")) x.push_back(static_cast<float>(value));
  Table table;
  for (const std::string& format : arguments.text_list("formats")) {
    const FloatFormat element = parse_element_format(format);
    if (element.bits() > 8) {
      throw std::invalid_argument("parameter formats: found '" + format +
                                  "', expected formats of at most 8 bits");
    }
    for (const std::string& name : arguments.text_list("scalings")) {
      const Quantized q = stored(x, find_way(name), element);
      std::vector<float> y(x.size());
      dequantize(q, y);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double scale = q.scales.front(), value = x[i];
        char code[8];
        std::snprintf(code, sizeof code, "0x%02x", q.codes[i]);
        table.rows.push_back({format, name, count_cell(i), value, scale, std::string(code),
                              decode(element, q.codes[i]), static_cast<double>(y[i]),
                              value == 0 ? 0.0 : (y[i] - value) / value, two_decimals(y[i])});
      }
    }
  }
  return table;
}

}  // namespace

Experiment embedding_vector() {
  Experiment e;
  e.name = "embedding_vector";
  e.question = "What does FP8 make of five numbers?";
  e.source =
      "articles on FP8 show [0.12, 0.99, -0.46, 1.23, -0.88] as the FP8 form of such a vector: "
      "that is two decimals, no FP8. In DeepSeek-V3 embeddings are not in FP8 at all";
  e.parameters = {
      {"vector", "0.123456,0.987654,-0.456789,1.234567,-0.876543", "", "the numbers", {}},
      {"formats", "e4m3,e5m2", "", "element formats of at most 8 bits", {}},
      {"scalings",
       "unscaled,amax,ue8m0",
       "",
       "the scale: 1, amax / max, or that rounded up to a power of two",
       {"unscaled", "amax", "ue8m0"}},
  };
  e.columns = {
      {"format", "", "element format"},
      {"scaling", "", "how the scale is chosen"},
      {"index", "", "place in the vector"},
      {"value", "", "what was given, in fp32"},
      {"scale", "", "the dequantisation factor"},
      {"code", "", "what is stored"},
      {"code_value", "", "what the code is worth"},
      {"read_back", "", "code_value * scale"},
      {"rel_error", "", "(read_back - value) / value"},
      {"two_decimals", "", "read_back as an article would print it"},
  };
  e.keeps_figure = true;
  e.findings = {
      {"the FP8 form of 1.234567, unscaled E4M3",
       "1.23",
       "1.25",
       "refuted: 1.23 is the number with two decimals; E4M3 has 1.25 next to it",
       "read_back",
       {},
       {{"format", "e4m3"}, {"scaling", "unscaled"}, {"index", "3"}},
       {}},
  };
  e.run = run;
  return e;
}

}  // namespace binade::experiments

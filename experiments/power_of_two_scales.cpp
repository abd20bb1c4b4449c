// Whether published rules for power-of-two scales are one rule.
#include <charconv>
#include <cmath>
#include <functional>

#include "binade/emulation/scale_recipe.hpp"
#include "binade/formats/cast.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

/// What a framework's exp2(ceil(log2(amax / max))) in FP32 makes of it.
float scale_by_logarithm(float amax, float largest) {
  return std::exp2(std::ceil(std::log2(amax / largest)));
}

using Rule = std::function<float(float)>;

Rule find_rule(const std::string& name, FloatFormat element) {
  if (name == "float-log2") {
    return [largest = largest_element(element)](float amax) {
      return scale_by_logarithm(amax, largest);
    };
  }
  const ScaleRecipe& recipe = find_scale_recipe(name);
  ScaleType type = recipe.scale_types.front();
  for (const ScaleType t : recipe.scale_types) {
    if (t == ScaleType::kPow2 || t == ScaleType::kUe8m0) type = t;
  }
  return [&recipe, type, element](float amax) {
    return scale_of_block(recipe, type, element, {amax, false, false}).scale;
  };
}

/// A set of amax values: `count` of them, number i as a bit pattern.
struct Set {
  std::string name;
  std::size_t count = 0;
  std::function<float(std::size_t)> at;  ///< may be below `least`
};

float decoded(FloatFormat f, std::size_t code) { return static_cast<float>(decode(f, code)); }

Set find_set(const std::string& name, std::size_t stride) {
  if (name == "bf16" || name == "fp16") {
    const FloatFormat f = parse_format(name).format;
    return {name, f.max_finite_code() + 1, [f](std::size_t i) { return decoded(f, i); }};
  }
  int exponent = 1000;
  if (name.starts_with("2^")) {
    std::from_chars(name.data() + 2, name.data() + name.size(), exponent);
  }
  if (exponent < -126 || exponent > 127) {
    throw std::invalid_argument("parameter amax: found '" + name +
                                "', expected bf16, fp16 or 2^-126 to 2^127 for a binade of fp32");
  }
  return {name, ((std::size_t{1} << 23) + stride - 1) / stride, [=](std::size_t i) {
            return bit_cast<float>(static_cast<std::uint32_t>(exponent + 127) << 23 |
                                   static_cast<std::uint32_t>(i * stride));
          }};
}

std::vector<Cell> compare(const Set& set, const std::string& rule, const std::string& reference,
                          FloatFormat element, double least, double most) {
  std::int64_t compared = 0, larger = 0, smaller = 0;
  const Rule by_rule = find_rule(rule, element), by_reference = find_rule(reference, element);
  for (std::size_t i = 0; i < set.count; ++i) {
    const float amax = set.at(i);
    if (!(amax >= static_cast<float>(least)) || amax > static_cast<float>(most)) continue;
    const float s = by_rule(amax), other = by_reference(amax);
    ++compared;
    larger += s > other;
    smaller += s < other;
  }
  const double share =
      compared == 0 ? 0 : static_cast<double>(larger + smaller) / static_cast<double>(compared);
  return {set.name, rule, reference, compared, larger, smaller, share};
}

Table run(const Arguments& arguments) {
  const FloatFormat element = parse_element_format(arguments.text("format"));
  const auto sets = arguments.text_list("amax"), rules = arguments.text_list("rules");
  const std::size_t stride = size_argument(arguments, "stride");
  Table table;
  Progress progress{arguments, sets.size() * rules.size()};
  for (const std::string& name : sets) {
    const Set set = find_set(name, stride);
    for (const std::string& rule : rules) {
      table.rows.push_back(compare(set, rule, arguments.text("reference"), element,
                                   arguments.number("least"), arguments.number("most")));
      progress.step();
    }
  }
  return table;
}

}  // namespace

Experiment power_of_two_scales() {
  Experiment e;
  e.name = "power_of_two_scales";
  e.question = "Do published rules for power-of-two scales agree?";
  e.source =
      "DeepSeek-V3 and V3.2 inference kernels, DeepGEMM, TileKernels, TransformerEngine, FlashMLA "
      "tests/quant.py; OCP MX 1.0 section 6.3, which rounds the scale down";
  e.parameters = {
      {"amax", "bf16,fp16,2^0,2^12", "fp16", "every value of a format, or a binade of fp32", {}},
      {"rules",
       "deepseek-v3,deepseek-v3.2,tilekernels,transformer-engine,flashmla,ocp-mx,float-log2",
       "deepseek-v3,ocp-mx",
       "recipes, and float-log2 for exp2(ceil(log2(amax / max))) in FP32",
       {}},
      {"reference", "deepgemm", "", "recipe that the others are compared with", {}},
      {"format", "e4m3", "", "element format", {}},
      {"least", "1e-4", "", "least amax; the lower clamp of most recipes", {}},
      {"most", "1e30", "", "largest amax", {}},
      {"stride", "7", "", "every how many-th number of a binade of fp32; 1 for all", {}},
  };
  e.columns = {
      {"amax", "", "set of block maxima"},
      {"rule", "", "rule that gives the scale"},
      {"reference", "", "rule it is compared with"},
      {"compared", "", "how many maxima"},
      {"larger", "", "how many get a larger scale than by the reference"},
      {"smaller", "", "how many get a smaller scale: their block may saturate"},
      {"differing", "", "share of both"},
  };
  e.keeps_figure = true;
  e.findings = {
      {"BF16 amax for which OCP's scale, rounded down, is another",
       "24.2 % (calculated)",
       "24.23 %",
       "reproduced",
       "differing",
       {{"amax", "bf16"}, {"rules", "ocp-mx"}},
       {},
       {}},
      {"BF16 amax for which the rules of DeepSeek-V3.2 and DeepGEMM differ",
       "0 (calculated)",
       "0",
       "reproduced",
       "differing",
       {{"amax", "bf16"}, {"rules", "deepseek-v3.2"}},
       {},
       {}},
  };
  e.run = run;
  return e;
}

}  // namespace binade::experiments

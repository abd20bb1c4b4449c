// What a scale chosen from earlier steps does when the tensor moves on.
#include <algorithm>
#include <cmath>
#include <memory>

#include "binade/emulation/delayed_scaling.hpp"
#include "read_back.hpp"
#include "sampling.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

/// How the scale of a step is found: delayed-H, delayed-H-recent, each with -mM for a margin;
/// current (the step's own amax); 1x128 (each tile's own).
struct Way {
  std::string name;
  bool delayed = false;
  DelayedScalingOptions options{};
};

[[noreturn]] void refuse(const std::string& name) {
  throw std::invalid_argument("parameter recipes: found '" + name +
                              "', expected current, 1x128, delayed-H or delayed-H-recent, with "
                              "-mM for a margin of M binades");
}

Way find_way(const std::string& name, FloatFormat element) {
  if (name == "current" || name == "1x128") return {name, false, {}};
  if (!name.starts_with("delayed-")) refuse(name);
  Way way{name, true, {}};
  way.options.element = element;
  std::size_t used = 0;
  std::string rest = name.substr(8);
  try {
    way.options.history_length = std::stoul(rest, &used);
    rest = rest.substr(used);
    if (rest.starts_with("-recent")) {
      way.options.compute = AmaxCompute::kMostRecent;
      rest = rest.substr(7);
    }
    if (rest.starts_with("-m")) {
      way.options.margin = std::stoi(rest.substr(2), &used);
      rest = rest.substr(2 + used);
    }
  } catch (const std::logic_error&) {
    refuse(name);
  }
  if (!rest.empty()) refuse(name);
  return way;
}

/// Errors over the steps that are looked at.
struct Sums {
  double error = 0, signal = 0, clipped = 0, zeros = 0, elements = 0;
  double scale = 0;  ///< of the last step
};

void add(Sums& sums, std::span<const float> x, const Quantized& q, int threads) {
  std::vector<float> y(x.size());
  dequantize(q, y, threads);
  const ReadBackError e = read_back_error(x, y, threads);
  const auto n = static_cast<double>(x.size());
  // Steps count alike, whatever the tensor's size has become.
  sums.error += e.rel_rms * e.rel_rms;
  sums.signal += 1;
  sums.clipped += saturated_share(x, q) * n;
  sums.zeros += e.underflow * n;
  sums.elements += n;
  sums.scale = q.scales.front();
}

/// The tensors of all steps at size 1: of those before the first that is looked at, only the amax
/// is ever needed.
struct Steps {
  std::vector<float> earlier_amax;
  std::vector<std::vector<float>> looked_at;
};

float amax_of(const std::vector<float>& x) {
  float amax = 0;
  for (const float v : x) amax = std::max(amax, std::fabs(v));
  return amax;
}

Steps draw_steps(const Arguments& arguments) {
  const std::size_t elements = size_argument(arguments, "elements"),
                    warm_up = size_argument(arguments, "warm_up"),
                    count = warm_up + size_argument(arguments, "steps");
  Steps steps;
  for (std::size_t step = 0; step < count; ++step) {
    std::vector<float> x =
        sample("normal", elements, seed_argument(arguments), step, arguments.threads);
    if (step < warm_up) {
      steps.earlier_amax.push_back(amax_of(x));
    } else {
      steps.looked_at.push_back(std::move(x));
    }
  }
  return steps;
}

/// Step t has the size size(t), t = 0 at the first of the `count` that are looked at.
template <class Size>
Sums simulate(const Way& way, FloatFormat element, const Steps& steps, std::size_t count,
              int threads, Size&& size) {
  Sums sums;
  DelayedScaling delayed(way.options);
  const auto before = static_cast<double>(steps.earlier_amax.size());
  for (std::size_t i = 0; way.delayed && i < steps.earlier_amax.size(); ++i) {
    delayed.record(
        static_cast<float>(steps.earlier_amax[i] * size(static_cast<double>(i) - before)));
    delayed.update();
  }
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<float> x = steps.looked_at[i];
    const double factor = size(static_cast<double>(i));
    for (float& v : x) v = static_cast<float>(v * factor);
    if (way.delayed) {
      add(sums, x, delayed.quantize(x, 1, x.size(), threads), threads);
      delayed.update();
      continue;
    }
    // TransformerEngine's recipe has no lower clamp, which would act on small tensors.
    const Scaling scaling =
        find_scaling(way.name == "current" ? "tensor" : way.name, "transformer-engine");
    add(sums, x,
        quantize(x, 1, x.size(), scaling.recipe, scaling.granularity, scaling.scale_type, element,
                 threads),
        threads);
  }
  return sums;
}

std::vector<Cell> row(const std::string& scenario, double rate, const Way& way, const Sums& s) {
  return {scenario,
          rate,
          way.name,
          std::sqrt(s.error / s.signal),
          s.clipped / s.elements,
          s.zeros / s.elements,
          s.scale};
}

Table run(const Arguments& arguments) {
  const FloatFormat element = parse_element_format(arguments.text("format"));
  const Steps steps = draw_steps(arguments);
  const auto recipes = arguments.text_list("recipes");
  const auto growths = arguments.number_list("growth");
  const auto shrinks = arguments.integer_list("shrink");
  Table table;
  Progress progress{arguments, recipes.size() * (growths.size() + shrinks.size())};
  for (const std::string& name : recipes) {
    const Way way = find_way(name, element);
    for (const double growth : growths) {
      if (!(growth > 0)) throw std::invalid_argument("parameter growth: expected numbers above 0");
      // At the last step the size is 1, so that none of them leaves FP32.
      const auto last = static_cast<double>(steps.looked_at.size() - 1);
      const Sums sums = simulate(way, element, steps, steps.looked_at.size(), arguments.threads,
                                 [&](double t) { return std::pow(growth, t - last); });
      table.rows.push_back(row("growth", growth, way, sums));
      progress.step();
    }
    for (const std::int64_t shrink : shrinks) {
      const double small = std::ldexp(1.0, -static_cast<int>(shrink));
      const Sums sums = simulate(way, element, steps, 1, arguments.threads,
                                 [&](double t) { return t < 0 ? 1.0 : small; });
      table.rows.push_back(row("shrink", small, way, sums));
      progress.step();
    }
  }
  return table;
}

}  // namespace

Experiment scaling_drift() {
  Experiment e;
  e.name = "scaling_drift";
  e.question = "What does a delayed scale cost when the tensor grows or shrinks?";
  e.source =
      "TransformerEngine's DelayedScaling (history 1024, its maximum) beside current scaling; "
      "DeepSeek-V3 report 3.3.2: the amax of each tile, online, in place of a history";
  e.parameters = {
      {"recipes",
       "delayed-1024,delayed-16,delayed-1024-recent,delayed-1024-m1,current,1x128",
       "delayed-16,current",
       "delayed-H: the largest of H steps; -recent: the last; -m1: half the range kept free",
       {}},
      {"growth", "1,1.01,1.1,1.5,2", "1,1.5", "factor of each step", {}},
      {"shrink", "4,8,12,16", "8", "binades of a sudden shrink, looked at in its first step", {}},
      {"elements", "80000", "2000", "elements of the tensor, N(0, 1) times its size", {}},
      {"warm_up", "128", "4", "steps before the first that is looked at", {}},
      {"steps", "16", "2", "steps that are looked at", {}},
      {"format", "e4m3", "", "element format", {}},
      seed_parameter(),
  };
  e.columns = {
      {"scenario", "", "growth or shrink"},
      {"rate", "", "factor of a step, or of the one sudden step"},
      {"recipe", "", "how the scale is found"},
      {"rel_rms", "", "relative error of a step, root mean square over the steps"},
      {"clipped", "", "share of the elements beyond the largest of their scale"},
      {"underflow", "", "share of the elements that were not zero and became so"},
      {"scale", "", "of the last step, the dequantisation factor (1x128: of its first tile)"},
  };
  e.keeps_figure = true;
  e.findings = {
      {"clipped, delayed scale, tensor doubling each step",
       "2.6 % (calculated)",
       "2.70 %",
       "reproduced",
       "clipped",
       {{"recipes", "delayed-1024"},
        {"shrink", "4"},
        {"steps", "8"},
        {"warm_up", "96"},
        {"growth", "2"}},
       {{"scenario", "growth"}},
       {}},
      {"relative error then",
       "8.0 % (calculated)",
       "8.1 %",
       "reproduced",
       "rel_rms",
       {{"recipes", "delayed-1024"},
        {"shrink", "4"},
        {"steps", "8"},
        {"warm_up", "96"},
        {"growth", "2"}},
       {{"scenario", "growth"}},
       {}},
      {"relative error after a shrink by 2^16",
       "41 % (calculated)",
       "47 %",
       "not reproduced to the digit: 42 to 49 % over 15 seeds. The stale scale comes from the "
       "largest element ever, and so from how large the tensor is",
       "rel_rms",
       {{"recipes", "delayed-1024"},
        {"shrink", "16"},
        {"steps", "8"},
        {"warm_up", "96"},
        {"growth", "1"}},
       {{"scenario", "shrink"}},
       {}},
  };
  e.run = run;
  return e;
}

}  // namespace binade::experiments

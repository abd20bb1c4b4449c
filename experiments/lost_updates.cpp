// How many weights a small update leaves as they were.
#include <cmath>

#include "binade/emulation/scale_recipe.hpp"
#include "binade/formats/cast.hpp"
#include "sampling.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

/// Weights in a format under one scale, and what an update is rounded by.
struct Stored {
  FloatFormat format;
  double scale = 1;
  std::vector<float> units;  ///< the weights over the scale, values of the format
};

Stored store(const InputTensor& w, const std::string& name) {
  Stored s;
  s.format = parse_element_format(name);
  float amax = 0;
  for (const float v : w.values) amax = std::max(amax, std::fabs(v));
  // Formats of fp32's own range need no scale.
  if (s.format.exponent_bits < 8 && amax > 0) s.scale = amax / largest_element(s.format);
  s.units.resize(w.values.size());
  for (std::size_t i = 0; i < s.units.size(); ++i) {
    s.units[i] = static_cast<float>(w.values[i] / s.scale);
  }
  round_to(s.format, s.units, s.units);
  return s;
}

struct Outcome {
  double unchanged = 0, mean_step = 0, rms_step = 0;
};

/// One update of +-delta on each weight.
Outcome update(const Stored& s, double delta, const std::string& rounding, std::uint64_t seed) {
  CastRules rules;
  rules.rounding = parse_rounding(rounding);
  rules.random_bits = 24;
  std::vector<float> wanted(s.units.size()), got(s.units.size());
  const auto up = [&](std::size_t i) { return (random_at(seed, i) & 1) != 0; };
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const double step = delta / s.scale;
    wanted[i] = static_cast<float>(s.units[i] + (up(i) ? step : -step));
  }
  round_to(s.format, wanted, got, rules, seed + 1);
  Outcome o;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double step = (static_cast<double>(got[i]) - s.units[i]) * s.scale / delta;
    o.unchanged += got[i] == s.units[i];
    o.mean_step += up(i) ? step : -step;
    o.rms_step += step * step;
  }
  const auto n = static_cast<double>(got.size());
  return {o.unchanged / n, o.mean_step / n, std::sqrt(o.rms_step / n)};
}

InputTensor weights(const Arguments& arguments) {
  const std::size_t count = size_argument(arguments, "elements");
  InputTensor w{"normal", sample("normal", count, seed_argument(arguments), 0, arguments.threads),
                1, count};
  const double sigma = arguments.number("sigma");
  for (float& v : w.values) v = static_cast<float>(sigma * v);
  return w;
}

Table run(const Arguments& arguments) {
  const InputTensor w = arguments.tensor ? *arguments.tensor : weights(arguments);
  const auto formats = arguments.text_list("formats"), roundings = arguments.text_list("roundings");
  const auto rates = arguments.number_list("learning_rates");
  Table table;
  Progress progress{arguments, formats.size() * roundings.size() * rates.size()};
  for (const std::string& format : formats) {
    const Stored s = store(w, format);
    for (const double rate : rates) {
      if (!(rate > 0)) {
        throw std::invalid_argument("parameter learning_rates: expected numbers above 0");
      }
      for (const std::string& rounding : roundings) {
        const Outcome o = update(s, rate, rounding, seed_argument(arguments));
        table.rows.push_back(
            {w.name, format, rounding, rate, o.unchanged, o.mean_step, o.rms_step});
        progress.step();
      }
    }
  }
  return table;
}

}  // namespace

Experiment lost_updates() {
  Experiment e;
  e.name = "lost_updates";
  e.question = "How many weights does a small update leave as they were?";
  e.source =
      "DeepSeek-V3 report: weights initialised with a standard deviation of 0.006, learning rates "
      "2.2e-4 and, at the end, 7.3e-6; master weights in FP32";
  e.parameters = {
      {"formats",
       "fp32,bf16,e4m3,e5m2",
       "bf16,e4m3",
       "of the weights; 8 bits under one scale a tensor",
       {}},
      {"learning_rates", "2.2e-4,7.3e-6", "", "size of an update, Adam's at its first step", {}},
      {"roundings", "nearest_even,stochastic_a", "", "of the updated weight", rounding_names()},
      {"sigma", "0.006", "", "standard deviation of the weights, normal", {}},
      {"elements", "1000000", "4000", "how many weights", {}},
      seed_parameter(),
  };
  e.columns = {
      {"weights", "", "distribution, or the tensor"},
      {"format", "", "of the weights"},
      {"rounding", "", "of the updated weight"},
      {"learning_rate", "", "size of an update; its sign is random"},
      {"unchanged", "", "share of the weights that are what they were"},
      {"mean_step", "", "mean change in the update's direction over the update: 1 keeps it"},
      {"rms_step", "", "root mean square of the change over the update"},
  };
  e.takes_tensor = true;
  e.keeps_figure = true;
  e.findings = {
      {"weights unchanged at V3's last learning rate, bf16",
       "74.5 % (calculated)",
       "74.4 %",
       "reproduced",
       "unchanged",
       {{"formats", "bf16"}, {"roundings", "nearest_even"}, {"learning_rates", "7.3e-6"}},
       {},
       {}},
      {"weights unchanged at V3's last learning rate, e4m3",
       "98.2 % (calculated)",
       "98.3 %",
       "reproduced",
       "unchanged",
       {{"formats", "e4m3"}, {"roundings", "nearest_even"}, {"learning_rates", "7.3e-6"}},
       {},
       {}},
      {"weights unchanged at V3's last learning rate, e5m2",
       "99.1 % (calculated)",
       "99.1 %",
       "reproduced",
       "unchanged",
       {{"formats", "e5m2"}, {"roundings", "nearest_even"}, {"learning_rates", "7.3e-6"}},
       {},
       {}},
  };
  e.run = run;
  return e;
}

}  // namespace binade::experiments

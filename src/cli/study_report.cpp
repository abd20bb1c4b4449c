#include "cli/study_report.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numeric>

namespace binade::cli {
namespace {

using study::Cost;
using study::Layer;
using Layers = std::vector<Layer>;

constexpr const char* kStyle = R"css(
:root { --paper: #fbfaf6; --card: #fff; --ink: #1b1e23; --muted: #5b616b; --rule: #d9d4c8;
  --keep: #e9f2ea; --accent: #1d5c9e; --lost: #b93a10; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171b; --card: #1b1f25; --ink: #ebe8e1;
  --muted: #a3a9b3; --rule: #3a414b; --keep: #1e2f25; --accent: #7fb4ee; --lost: #ff906a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 Charter,
  "Iowan Old Style", Palatino, Georgia, "Liberation Serif", serif;
  font-variant-numeric: tabular-nums; }
main { max-width: 80rem; margin: 0 auto; padding: 3rem clamp(1rem, 4vw, 3rem); }
.wordmark { margin: 0; font: 600 .9rem/1 ui-monospace, Menlo, "DejaVu Sans Mono", monospace;
  color: var(--accent); }
h1 { margin: .6rem 0 .4rem; font-size: clamp(1.7rem, 4vw, 2.6rem); line-height: 1.12;
  font-weight: 600; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { margin: 2.6rem 0 .3rem; font-size: 1.25rem; font-weight: 600; }
p { margin: .3rem 0; max-width: 46rem; }
.lead { font-size: 1.12rem; }
.note { color: var(--muted); font-size: .88rem; }
table { border-collapse: collapse; width: 100%; margin-top: .8rem;
  font: .84rem/1.4 system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
th { text-align: left; font-weight: 600; color: var(--muted); border-bottom: 1px solid var(--rule);
  padding: .25rem .9rem .25rem 0; vertical-align: bottom; }
td { border-bottom: 1px solid var(--rule); padding: .28rem .9rem .28rem 0; }
.number { text-align: right; white-space: nowrap; }
.name { font-family: ui-monospace, Menlo, "DejaVu Sans Mono", monospace; font-size: .8rem; }
.recipe { white-space: nowrap; }
.strip { padding-top: 0; padding-bottom: 0; width: 21rem; }
.strip svg { display: block; }
.swatch { display: inline-block; width: .7rem; height: .7rem; border-radius: 50%;
  margin-right: .45rem; vertical-align: -.05rem; }
.nothing { color: var(--lost); }
.scroll { overflow-x: auto; }
summary { cursor: pointer; margin-top: 2.2rem; font-size: 1.25rem; font-weight: 600; }
footer { margin-top: 3rem; border-top: 1px solid var(--rule); padding-top: .8rem; }
@media print { details { display: none; } }
)css";

/// Okabe and Ito's colours, which stay apart for every reader.
std::string colour(std::size_t i) {
  constexpr std::array<const char*, 7> kColours = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                                   "#E69F00", "#56B4E9", "#8a8f98"};
  return kColours[i % kColours.size()];
}

std::string escaped(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == '&') {
      safe += "&amp;";
    } else if (c == '<') {
      safe += "&lt;";
    } else if (c == '>') {
      safe += "&gt;";
    } else if (c == '"') {
      safe += "&quot;";
    } else {
      safe += c;
    }
  }
  return safe;
}

std::string fixed(double value, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

std::string cell(const std::string& text, const char* kind = "number") {
  return "<td class=\"" + std::string(kind) + "\">" + text + "</td>";
}

std::string db(std::optional<double> value) {
  if (!value) return "–";
  return std::isinf(*value) ? "exact" : fixed(*value, 1);
}

/// Three digits and a sign of per cent; 0 only where it is nothing at all.
std::string per_cent(std::optional<double> share) {
  if (!share) return "–";
  if (*share == 0) return "0";
  const double value = 100 * *share;
  if (value < 0.0005) return "&lt; 0.001 %";
  return fixed(value, value < 1 ? 3 : value < 10 ? 2 : 1) + " %";
}

std::string count_text(std::size_t n, const std::string& what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

std::string weights_text(double n) {
  if (n >= 1e9) return fixed(n / 1e9, 2) + " billion weights";
  if (n >= 1e6) return fixed(n / 1e6, 1) + " million weights";
  return fixed(n, 0) + " weights";
}

/// Without the ending that all share, and with its dots as the places where a line may break.
std::string layer_name(const Layer& layer) {
  std::string name = layer.name;
  if (name.ends_with(".weight")) name.resize(name.size() - std::string(".weight").size());
  std::string text;
  for (const char c : escaped(name)) text += c == '.' ? std::string(".<wbr>") : std::string(1, c);
  return text;
}

/// The SQNR of all treatments and layers on one axis.
struct Scale {
  double low = 0, high = 40;
  static constexpr double kWidth = 330, kMargin = 8;

  Scale(const Layers& layers, double least_db) {
    double least = least_db, most = least_db;
    for (const Layer& layer : layers) {
      for (const Cost& cost : layer.costs) {
        const std::optional<double> value = cost.sqnr_db();
        if (!value || !std::isfinite(*value)) continue;
        least = std::min(least, *value);
        most = std::max(most, *value);
      }
    }
    low = 5 * std::floor((least - 1) / 5);
    high = 5 * std::ceil((most + 1) / 5);
  }
  double x(double value) const {
    const double inside = std::clamp((value - low) / (high - low), 0.0, 1.0);
    return kMargin + inside * (kWidth - 2 * kMargin);
  }
  std::vector<double> ticks() const {
    const double step = high - low > 60 ? 20 : high - low > 30 ? 10 : 5;
    std::vector<double> all;
    for (double t = step * std::ceil(low / step); t <= high; t += step) all.push_back(t);
    return all;
  }
};

std::string svg(double height, const std::string& body) {
  return "<svg width=\"" + fixed(Scale::kWidth, 0) + "\" height=\"" + fixed(height, 0) +
         "\" viewBox=\"0 0 " + fixed(Scale::kWidth, 0) + " " + fixed(height, 0) + "\">" + body +
         "</svg>";
}

std::string line(double x, double height, const char* look) {
  return "<line x1=\"" + fixed(x, 1) + "\" x2=\"" + fixed(x, 1) + "\" y1=\"0\" y2=\"" +
         fixed(height, 0) + "\" " + look + "/>";
}

std::string axis(const Scale& scale) {
  std::string body;
  for (const double tick : scale.ticks()) {
    body += "<text x=\"" + fixed(scale.x(tick), 1) +
            "\" y=\"12\" text-anchor=\"middle\" font-size=\"11\" fill=\"var(--muted)\">" +
            fixed(tick, 0) + "</text>";
  }
  return svg(16, body);
}

/// One lane a treatment, so that dots of like worth do not cover each other; the ring is the
/// recommended one.
std::string strip(const Layer& layer, const Scale& scale, const study::Options& options) {
  const double lane = 7, height = lane * static_cast<double>(layer.costs.size()) + 7;
  const double least = scale.x(options.least_db);
  std::string body = "<rect x=\"" + fixed(least, 1) + "\" y=\"0\" width=\"" +
                     fixed(Scale::kWidth - Scale::kMargin - least, 1) + "\" height=\"" +
                     fixed(height, 0) + "\" fill=\"var(--keep)\"/>";
  for (const double tick : scale.ticks()) {
    body += line(scale.x(tick), height, "stroke=\"var(--rule)\"");
  }
  for (std::size_t i = 0; i < layer.costs.size(); ++i) {
    const std::optional<double> value = layer.costs[i].sqnr_db();
    if (!value) continue;
    const std::string at = "cx=\"" + fixed(scale.x(*value), 1) + "\" cy=\"" +
                           fixed(7 + lane * static_cast<double>(i), 1) + "\"";
    if (layer.recommended == i) {
      body += "<circle " + at +
              " r=\"5.6\" fill=\"none\" stroke=\"var(--ink)\" "
              "stroke-width=\"1.4\"/>";
    }
    body += "<circle " + at + " r=\"3.4\" fill=\"" + colour(i) + "\"><title>" +
            escaped(options.treatments[i].name) + ": " + db(value) + " dB</title></circle>";
  }
  return svg(height, body);
}

std::string swatch(std::size_t i, const study::Options& options) {
  return "<span class=\"swatch\" style=\"background:" + colour(i) + "\"></span>" +
         escaped(options.treatments[i].name);
}

std::string choice(const Layer& layer, const study::Options& options) {
  return layer.recommended ? swatch(*layer.recommended, options)
                           : "<span class=\"nothing\">as it is</span>";
}

std::string summary(const Layers& layers, const study::Options& options) {
  double weights = 0, bits = 0;
  std::size_t left = 0;
  for (const Layer& layer : layers) {
    const auto count = static_cast<double>(layer.rows * layer.cols);
    weights += count;
    bits += count * (layer.recommended ? layer.costs[*layer.recommended].bits : 16);
    left += !layer.recommended;
  }
  const std::string least = fixed(options.least_db, 0) + " dB";
  std::string text = "<p class=\"lead\">" + count_text(layers.size(), "layer") + ", " +
                     weights_text(weights) + ". ";
  if (left == layers.size()) {
    return text + "No recipe keeps " + least + " of any layer.</p>";
  }
  text += "With the recipe of fewest bits that keeps " + least + ", a weight takes " +
          fixed(bits / weights, 2) + " bits on average";
  if (left > 0) {
    text += "; " + count_text(left, "layer") + (left == 1 ? " is" : " are") + " better left as " +
            (left == 1 ? "it is" : "they are") + ", counted as 16 bits";
  }
  return text + ".</p>";
}

std::string recipes(const Layers& layers, const study::Options& options) {
  std::string text =
      "<h2>The recipes</h2><div class=\"scroll\"><table><tr><th>recipe</th><th "
      "class=\"number\">bits a weight</th><th class=\"number\">recommended for</th><th "
      "class=\"number\">median dB</th><th class=\"number\">worst dB</th><th>of "
      "layer</th><th class=\"number\">lost in summing, worst</th></tr>";
  for (std::size_t i = 0; i < options.treatments.size(); ++i) {
    std::vector<std::pair<double, const Layer*>> by_db;
    std::size_t chosen = 0;
    double bits = 0, weights = 0;
    std::optional<double> lost;
    for (const Layer& layer : layers) {
      const Cost& cost = layer.costs[i];
      const auto count = static_cast<double>(layer.rows * layer.cols);
      bits += cost.bits * count;
      weights += count;
      chosen += layer.recommended == i;
      if (const auto value = cost.sqnr_db()) by_db.emplace_back(*value, &layer);
      if (cost.accumulate_error) lost = std::max(lost.value_or(0), *cost.accumulate_error);
    }
    std::ranges::sort(by_db, {}, [](const auto& pair) { return pair.first; });
    const bool any = !by_db.empty();
    text += "<tr><td class=\"recipe\">" + swatch(i, options) + "</td>" +
            cell(fixed(bits / weights, 3)) + cell(chosen == 0 ? "–" : count_text(chosen, "layer")) +
            cell(any ? db(by_db[by_db.size() / 2].first) : "–") +
            cell(any ? db(by_db.front().first) : "–") +
            cell(any ? layer_name(*by_db.front().second) : "–", "name") + cell(per_cent(lost)) +
            "</tr>";
  }
  return text + "</table></div>";
}

/// Layers by how little the worst of their treatments keeps: the most sensitive first.
std::vector<const Layer*> by_sensitivity(const Layers& layers) {
  std::vector<const Layer*> order;
  for (const Layer& layer : layers) order.push_back(&layer);
  const auto mean = [](const Layer* layer) {
    double sum = 0;
    for (const Cost& cost : layer->costs) sum += std::min(cost.sqnr_db().value_or(0), 200.0);
    return sum;
  };
  std::ranges::stable_sort(order, {}, mean);
  return order;
}

std::string chart(const Layers& layers, const study::Options& options) {
  const Scale scale(layers, options.least_db);
  const bool outputs = layers.front().has_activations;
  std::string text =
      "<h2>The layers, most sensitive first</h2><p class=\"note\">Signal over error "
      "of the " +
      std::string(outputs ? "outputs" : "weights") +
      " in dB, to the right is better; one colour a recipe, a ring around the "
      "recommended, shaded where enough is kept.</p><div class=\"scroll\"><table>"
      "<tr><th>layer</th><th class=\"number\">shape</th><th class=\"strip\">" +
      axis(scale) +
      "</th><th>recommended</th><th class=\"number\">keeps, dB</th><th "
      "class=\"number\">weights to zero</th><th class=\"number\">lost in "
      "summing</th></tr>";
  for (const Layer* layer : by_sensitivity(layers)) {
    text += "<tr>" + cell(layer_name(*layer), "name") +
            cell(std::to_string(layer->rows) + " × " + std::to_string(layer->cols)) +
            cell(strip(*layer, scale, options), "strip") + "<td class=\"recipe\">" +
            choice(*layer, options) + "</td>";
    if (layer->recommended) {
      const Cost& cost = layer->costs[*layer->recommended];
      text += cell(db(cost.sqnr_db())) +
              cell(per_cent(cost.weights.share(cost.weights.underflow))) +
              cell(per_cent(cost.accumulate_error));
    } else {
      text += cell("–") + cell("–") + cell("–");
    }
    text += "</tr>";
  }
  return text + "</table></div>";
}

std::string figures(const Layers& layers, const study::Options& options) {
  std::string text =
      "<details><summary>Every figure</summary><div class=\"scroll\"><table><tr><th>layer</th>"
      "<th>recipe</th>";
  for (const char* name :
       {"rank", "bits", "weights dB", "underflow", "saturated", "activations dB", "underflow",
        "saturated", "error of outputs", "lost in summing", "never promoted"}) {
    text += "<th class=\"number\">" + std::string(name) + "</th>";
  }
  text += "</tr>";
  for (const Layer& layer : layers) {
    for (std::size_t i = 0; i < layer.costs.size(); ++i) {
      const Cost& c = layer.costs[i];
      const auto shares = [](const std::optional<QuantizationStats>& s) {
        if (!s) return cell("–") + cell("–") + cell("–");
        return cell(db(s->signal > 0 ? std::optional(s->sqnr_db()) : std::nullopt)) +
               cell(per_cent(s->share(s->underflow))) + cell(per_cent(s->share(s->saturated)));
      };
      text += "<tr>" + cell(i == 0 ? layer_name(layer) : "", "name") + "<td class=\"recipe\">" +
              swatch(i, options) + "</td>" +
              cell(layer.rank[i] == 0 ? "–" : std::to_string(layer.rank[i])) +
              cell(fixed(c.bits, 3)) + shares(c.weights) + shares(c.activations) +
              cell(per_cent(c.output_error)) + cell(per_cent(c.accumulate_error)) +
              cell(per_cent(c.unpromoted_error)) + "</tr>";
    }
  }
  return text + "</table></div></details>";
}

}  // namespace

std::string study_report(const std::string& title, const Layers& layers,
                         const study::Options& options, const std::vector<std::string>& notes,
                         const std::string& provenance) {
  std::string text =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light "
      "dark\"><title>" +
      escaped(title) + " – binade study</title><style>" + kStyle +
      "</style></head>\n<body><main><p class=\"wordmark\">binade study</p><h1>" + escaped(title) +
      "</h1>" + summary(layers, options) + "\n" + recipes(layers, options) + "\n" +
      chart(layers, options) + "\n" + figures(layers, options) + "\n<footer>";
  for (const std::string& note : notes) text += "<p class=\"note\">" + escaped(note) + ".</p>";
  return text + "<p class=\"note\">" + escaped(provenance.substr(2)) +
         "</p></footer></main></body></html>\n";
}

}  // namespace binade::cli

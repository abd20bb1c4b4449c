// binade inspect: what quantisation would do to the tensors of a file, one row each.
#include <algorithm>
#include <memory>

#include "binade/emulation/panels.hpp"
#include "binade/emulation/quantization_stats.hpp"
#include "cli/options.hpp"
#include "cli/terminal.hpp"
#include "io/error.hpp"
#include "io/load.hpp"
#include "results/row_source.hpp"

namespace binade::cli {
namespace {

/// A recipe and the blocks it is tried with: one column.
struct Trial {
  std::string name;
  const ScaleRecipe* recipe = nullptr;
  Granularity granularity;
  ScaleType type = ScaleType::kFp32;
  FloatFormat element;
};

struct InspectOptions {
  std::string file;
  std::vector<std::string> recipes{"deepseek-v3:tensor", "deepseek-v3", "deepseek-v3:128x128",
                                   "ocp-mx", "nvfp4"};
  FloatFormat element = E4M3::format;
  std::optional<FloatFormat> from;
  std::size_t panel = std::size_t{1} << 25;
};

/// "NAME" or "NAME:BLOCK". Errors: std::invalid_argument.
Trial parse_trial(const std::string& word, FloatFormat element) {
  const std::size_t colon = word.find(':');
  Trial trial;
  trial.recipe = &find_scale_recipe(word.substr(0, colon));
  trial.granularity =
      parse_granularity(colon == word.npos ? std::string_view(trial.recipe->default_granularity)
                                           : std::string_view(word).substr(colon + 1));
  trial.type = trial.recipe->scale_types.front();
  trial.element = trial.type == ScaleType::kE4M3 ? E2M1::format : element;
  trial.name = trial.recipe->name + " " + granularity_name(trial.granularity);
  return trial;
}

/// Casts a panel as it is: a quantised matrix under the one scale 1.
Quantized cast_panel(std::span<const float> x, io::Extent extent, FloatFormat element) {
  Quantized q;
  q.element = element;
  q.rows = extent.rows;
  q.cols = extent.cols;
  q.granularity = kPerTensor;
  q.scale_rows = q.scale_cols = 1;
  q.scales = {1.0f};
  q.codes.resize(x.size() * static_cast<std::size_t>(element.container_bits()) / 8);
  cast(kFp32Format, x.data(), element, q.codes.data(), x.size());
  return q;
}

std::string fixed(double value, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

std::string general(double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.5g", value);
  return buffer;
}

std::string sqnr_text(const QuantizationStats& stats) {
  if (stats.count == 0) return "-";
  if (stats.signal == 0) return "zeros";
  return stats.noise == 0 ? "exact" : fixed(stats.sqnr_db(), 2);
}

std::vector<std::string> row_of(const io::StoredTensor& tensor, const InspectOptions& options,
                                const std::vector<Trial>& trials, int threads, Progress& progress) {
  std::vector<std::string> row{tensor.name.empty() ? tensor.where : tensor.name,
                               std::string(io::info(tensor.dtype).name),
                               io::shape_text(tensor.shape)};
  const bool codes = !io::info(tensor.dtype).format;
  if (tensor.count() == 0 || (codes && !options.from)) return row;
  const FloatFormat format = io::element_format(tensor.dtype, options.from, tensor.where);
  const RowSource source = results::row_source(tensor, format);
  std::vector<Granularity> granularities;
  for (const Trial& trial : trials) granularities.push_back(trial.granularity);
  QuantizationStats plain;
  std::vector<QuantizationStats> stats(trials.size());
  for_each_panel(source, granularities, options.panel, [&](const Panel& panel) {
    const std::span<const float> x = panel.values();
    plain.add(x, cast_panel(x, {panel.rows, panel.cols}, options.element), threads);
    for (std::size_t i = 0; i < trials.size(); ++i) {
      const Trial& t = trials[i];
      stats[i].add(x, panel.quantize(*t.recipe, t.granularity, t.type, t.element, threads),
                   threads);
    }
    progress.show(panel.first + panel.rows, source.rows);
  });
  row.insert(
      row.end(),
      {general(plain.amax), plain.nonfinite == 0 ? "-" : std::to_string(plain.nonfinite),
       fixed(100 * plain.share(plain.underflow), 3), fixed(100 * plain.share(plain.saturated), 3)});
  for (const QuantizationStats& s : stats) row.push_back(sqnr_text(s));
  return row;
}

void run_inspect(const InspectOptions& options, Session& session) {
  std::vector<Trial> trials;
  for (const std::string& word : options.recipes) {
    try {
      trials.push_back(parse_trial(word, options.element));
    } catch (const std::invalid_argument& error) {
      throw UsageError(error.what());
    }
  }
  const std::string element = element_name(options.element);
  std::vector<std::string> headings{"tensor",   "dtype",        "shape",       ">amax",
                                    ">NaN/Inf", ">underflow %", ">saturated %"};
  for (const Trial& trial : trials) headings.push_back(">" + trial.name + " dB");
  TextTable table(headings);
  for (const io::StoredTensor& tensor : io::open_all(options.file)) {
    Progress progress(tensor.where);
    table.row(row_of(tensor, options, trials, session.threads, progress));
  }
  session.out << table.text() << "\nunderflow and saturated: of a plain cast to " << element
              << " without scales; dB: SQNR of each recipe (" << element
              << ", e2m1 under e4m3 scales)\n";
}

}  // namespace

Command inspect_command() {
  return {"inspect", "what quantisation would do to the tensors of a file",
          "binade inspect model.safetensors --recipe deepseek-v3:1x128,ocp-mx",
          [](CLI::App& app) -> Action {
            const auto options = std::make_shared<InspectOptions>();
            app.add_option("FILE", options->file, "FILE.safetensors or FILE.npy")->required();
            app.add_option("--recipe", options->recipes, "NAME or NAME:BLOCK, separated by commas")
                ->delimiter(',')
                ->type_name("LIST")
                ->capture_default_str();
            add_parsed(app, "--to", options->element, parse_element_format, "element format",
                       "FORMAT")
                ->default_str("e4m3");
            add_format(app, "--from", options->from, "what integers in FILE are the codes of");
            app.add_option("--panel", options->panel,
                           "elements in memory at once; larger tensors are read twice")
                ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 40))
                ->type_name("N")
                ->capture_default_str();
            return [options](Session& session) { run_inspect(*options, session); };
          }};
}

}  // namespace binade::cli

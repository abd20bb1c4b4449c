// binade study: what each recipe would cost each layer of a model, and which to take.
#include <algorithm>
#include <filesystem>
#include <memory>

#include "cli/options.hpp"
#include "cli/result.hpp"
#include "cli/study_report.hpp"
#include "cli/terminal.hpp"
#include "io/error.hpp"
#include "results/study_files.hpp"

namespace binade::cli {
namespace {

struct StudyOptions {
  std::string file, activations, directory = "out";
  std::vector<std::string> recipes = study::default_treatments(), layers;
  FloatFormat element = E4M3::format;
  study::Options core;
};

/// Errors: UsageError.
study::Options core_options(const StudyOptions& options, const Session& session) {
  study::Options core = options.core;
  core.threads = session.threads;
  for (const std::string& word : options.recipes) {
    try {
      core.treatments.push_back(study::parse_treatment(word, options.element));
    } catch (const std::invalid_argument& error) {
      throw UsageError(error.what());
    }
    const auto same = [&](const study::Treatment& t) {
      return t.name == core.treatments.back().name;
    };
    if (std::ranges::count_if(core.treatments, same) > 1) {
      throw UsageError("recipe " + core.treatments.back().name + " is named twice, expected once");
    }
  }
  return core;
}

std::vector<study::Layer> study_layers(const results::StudyInput& input, study::Options core) {
  Progress progress("study");
  std::size_t total = 0, done = 0;
  for (const results::StudyLayer& layer : input.layers) {
    total += layer.weights.rows * layer.weights.cols;
  }
  std::vector<study::Layer> layers;
  for (const results::StudyLayer& layer : input.layers) {
    const std::size_t cols = layer.weights.cols;
    core.progress = [&](std::size_t rows, std::size_t) {
      progress.show(done + rows * cols, total);
    };
    layers.push_back(study::study_layer(layer.name, layer.weights,
                                        layer.activations ? &*layer.activations : nullptr, core));
    done += layer.weights.rows * cols;
  }
  return layers;
}

std::string fixed(double value, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

std::string db_text(const study::Cost& cost) {
  const std::optional<double> db = cost.sqnr_db();
  if (!db) return cost.weights.signal == 0 ? "zeros" : "-";
  return std::isinf(*db) ? "exact" : fixed(*db, 2);
}

std::string terminal_text(const std::vector<study::Layer>& layers, const study::Options& core) {
  std::vector<std::string> headings{"layer", "shape"};
  for (const study::Treatment& t : core.treatments) headings.push_back(">" + t.name + " dB");
  headings.insert(headings.end(), {"recommended", ">summed %"});
  TextTable table(headings);
  for (const study::Layer& layer : layers) {
    std::vector<std::string> row{layer.name, io::shape_text({layer.rows, layer.cols})};
    for (const study::Cost& cost : layer.costs) row.push_back(db_text(cost));
    if (layer.recommended) {
      const auto& lost = layer.costs[*layer.recommended].accumulate_error;
      row.push_back(core.treatments[*layer.recommended].name);
      row.push_back(lost ? fixed(100 * *lost, 3) : "-");
    } else {
      row.insert(row.end(), {"as it is", "-"});
    }
    table.row(row);
  }
  return table.text();
}

std::vector<std::string> notes_of(const StudyOptions& options, const results::StudyInput& input) {
  const bool with = !options.activations.empty();
  std::vector<std::string> notes{
      std::string("dB: SQNR of ") +
          (with ? "the outputs, both operands quantised" : "the weights") +
          "; recommended: fewest bits at " + io::number_text(options.core.least_db) + " dB or more",
      std::string("summed: what a Hopper tensor core loses besides, promoted every 128 of K") +
          (with ? "" : ", for activations N(0, 1)")};
  notes.insert(notes.end(), input.notes.begin(), input.notes.end());
  return notes;
}

void run_study(const StudyOptions& options, Session& session) {
  const study::Options core = core_options(options, session);
  const results::StudyInput input =
      results::study_input(options.file, options.activations, options.layers);
  const OutputDirectory directory(options.directory);
  const std::string stem = options.directory + "/study";
  check_paths({options.file, options.activations}, {stem + ".csv", stem + ".html"});
  const std::vector<study::Layer> layers = study_layers(input, core);

  experiments::Table table;
  table.notes = notes_of(options, input);
  for (const study::Layer& layer : layers) {
    std::ranges::move(study::rows_of(layer, core), std::back_inserter(table.rows));
  }
  const std::string seed = options.activations.empty() ? std::to_string(core.seed) : "none";
  const io::Csv csv = to_csv(study::columns(), table, seed, session);
  io::OutputFile report(stem + ".html");
  report.write(study_report(std::filesystem::path(options.file).filename().string(), layers, core,
                            table.notes, io::provenance_line(csv.provenance)));
  io::write_csv(stem + ".csv", csv);
  report.commit();
  session.out << terminal_text(layers, core) << "\n";
  for (const std::string& note : table.notes) session.out << note << "\n";
  session.out << stem << ".csv\n" << stem << ".html\n";
}

void declare(CLI::App& app, StudyOptions& o) {
  app.add_option("FILE", o.file, "FILE.safetensors, or a matrix FILE.npy")->required();
  app.add_option("--activations", o.activations,
                 "FILE.safetensors with a tensor X.input [tokens, K] for every layer X.weight")
      ->type_name("FILE");
  app.add_option("--layers", o.layers,
                 "names or patterns of the layers ('*.mlp.*'); else every matrix *weight")
      ->delimiter(',')
      ->type_name("LIST");
  app.add_option("--recipe", o.recipes,
                 "NAME or NAME:BLOCK of the weights, separated by commas; activations have the "
                 "same block where it is tensor or row, else the recipe's own")
      ->delimiter(',')
      ->type_name("LIST")
      ->capture_default_str();
  add_parsed(app, "--to", o.element, parse_element_format, "element format, but under e4m3 scales",
             "FORMAT")
      ->default_str("e4m3");
  app.add_option("--least-db", o.core.least_db, "SQNR that a recommended recipe keeps")
      ->check(CLI::Range(-1000.0, 1000.0))
      ->type_name("DB")
      ->capture_default_str();
  app.add_option("--panel", o.core.panel, "elements in memory at once")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 40))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--seed", o.core.seed, "of the activations where there are none")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--out", o.directory, "directory of study.csv and study.html")
      ->type_name("DIR")
      ->capture_default_str();
}

}  // namespace

Command study_command() {
  return {"study", "which recipe costs each layer of a model how much, and which to take",
          "binade study model.safetensors --out out", [](CLI::App& app) -> Action {
            const auto options = std::make_shared<StudyOptions>();
            declare(app, *options);
            return [options](Session& session) { run_study(*options, session); };
          }};
}

}  // namespace binade::cli

// binade run and plot: the experiments.
#include <map>
#include <memory>

#include "binade/experiments/experiment.hpp"
#include "cli/options.hpp"
#include "cli/plot.hpp"
#include "cli/result.hpp"
#include "cli/sweep.hpp"
#include "cli/terminal.hpp"
#include "io/csv.hpp"
#include "io/error.hpp"
#include "io/load.hpp"

namespace binade::cli {
namespace {

using experiments::Arguments;
using experiments::Experiment;

struct RunOptions {
  const Experiment* experiment = nullptr;
  std::string directory = "out";
  bool plot = false, smoke = false;
  std::string tensor, second_tensor, layer;
  std::map<std::string, std::string> given;
  std::vector<std::string> sweep;
};

experiments::InputTensor input_tensor(const std::string& address) {
  const io::Tensor tensor = load(address);
  const FloatFormat format = io::element_format(tensor.dtype, std::nullopt, "'" + address + "'");
  const io::Extent extent = io::matrix_extent(tensor.shape);
  return {address, io::to_fp32(format, tensor.data(), tensor.count()), extent.rows, extent.cols};
}

/// The matrices of FILE.safetensors:PREFIX whose names go on behind the prefix and a dot.
std::map<std::string, experiments::InputTensor> layer_tensors(const std::string& address) {
  const std::size_t colon = address.rfind(".safetensors:");
  if (colon == address.npos) {
    throw UsageError("--layer " + address + ": expected FILE.safetensors:PREFIX");
  }
  const std::string path = address.substr(0, colon + 12), prefix = address.substr(colon + 13) + ".";
  std::map<std::string, experiments::InputTensor> layer;
  for (const io::StoredTensor& tensor : io::open_all(path)) {
    if (!tensor.name.starts_with(prefix)) continue;
    layer[tensor.name.substr(prefix.size())] = input_tensor(path + ":" + tensor.name);
  }
  if (layer.empty()) throw io::DataError(path + ": no tensor's name begins with " + prefix);
  return layer;
}

Arguments arguments_of(const RunOptions& options, Session& session) {
  Arguments arguments;
  try {
    arguments = experiments::make_arguments(*options.experiment, options.given, options.smoke);
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  }
  if (!options.tensor.empty()) arguments.tensor = input_tensor(options.tensor);
  if (!options.second_tensor.empty()) arguments.second_tensor = input_tensor(options.second_tensor);
  if (!options.layer.empty()) arguments.layer = layer_tensors(options.layer);
  arguments.layer_name = options.layer;
  arguments.threads = session.threads;
  return arguments;
}

experiments::Grid grid_of(const std::vector<std::string>& words) {
  try {
    std::vector<experiments::Axis> axes;
    for (const std::string& word : words) axes.push_back(experiments::parse_axis(word));
    return experiments::Grid(std::move(axes));
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  }
}

void sweep_experiment(const RunOptions& options, Session& session) {
  if (!options.layer.empty()) throw UsageError("a sweep takes no layer");
  if (options.plot) throw UsageError("a sweep has no plot, expected --sweep or --plot alone");
  results::SweepPlan plan{
      options.experiment, grid_of(options.sweep), options.given, options.smoke, {}, {}};
  if (!options.tensor.empty()) plan.tensor = input_tensor(options.tensor);
  if (!options.second_tensor.empty()) plan.second_tensor = input_tensor(options.second_tensor);
  run_sweep(std::move(plan), options.directory, session);
}

void run_experiment(const RunOptions& options, Session& session) {
  if (!options.sweep.empty()) return sweep_experiment(options, session);
  Arguments arguments = arguments_of(options, session);
  const std::string& name = options.experiment->name;
  const OutputDirectory directory(options.directory);
  const std::string path = options.directory + "/" + name + ".csv";
  Progress progress(name);
  arguments.progress = [&](std::size_t done, std::size_t total) { progress.show(done, total); };
  experiments::Table table;
  try {
    table = options.experiment->run(arguments);
  } catch (const std::invalid_argument& error) {
    // Without a file, everything that an experiment can object to was typed.
    if (arguments.tensor || arguments.second_tensor || !arguments.layer.empty()) throw;
    throw UsageError(error.what());
  }
  const auto seed = arguments.values.find("seed");
  io::write_csv(path, to_csv(options.experiment->columns, table,
                             seed == arguments.values.end() ? "none" : seed->second, session));
  session.out << path << "\n";
  for (const std::string& note : table.notes) session.out << "  " << note << "\n";
  if (!options.plot) return;
  for (const std::string& picture : plot_csv(path, name)) session.out << picture << "\n";
}

void declare_experiment(CLI::App& run, const Experiment& experiment,
                        const std::shared_ptr<RunOptions>& options) {
  CLI::App* app = run.add_subcommand(experiment.name, experiment.question);
  app->fallthrough();
  app->description(experiment.question + "\nSource: " + experiment.source);
  app->footer("Example:\n  binade run " + experiment.name + " --out out --plot");
  app->add_option("--out", options->directory, "directory of the CSV and the plots")
      ->type_name("DIR")
      ->capture_default_str();
  app->add_flag("--plot", options->plot, "draw it as PNG and SVG beside the CSV");
  app->add_flag("--smoke", options->smoke, "tiny sizes, to see that it works");
  app->add_option("--sweep", options->sweep,
                  "a parameter and what it takes in turn, as in --sweep seed=1..5 --sweep "
                  "k=256..4096:x2: values and ranges (1..5, 0..1:+0.25, 256..4096:x2, 0..1:11, "
                  "1..1e6:log20, 16..4096:log9:round), separated by commas; the grid of all goes "
                  "into one CSV, and a sweep that was interrupted goes on where it was")
      ->type_name("GRID");
  if (experiment.takes_tensor) {
    app->add_option("--tensor", options->tensor,
                    "FILE.safetensors:NAME or FILE.npy in place of random numbers")
        ->type_name("ADDRESS");
    app->add_option("--tensor-b", options->second_tensor, "the second operand, where there is one")
        ->type_name("ADDRESS");
  }
  if (experiment.takes_layer) {
    app->add_option("--layer", options->layer,
                    "FILE.safetensors:PREFIX, the tensors of one layer in place of random numbers")
        ->type_name("ADDRESS");
  }
  for (const experiments::Parameter& parameter : experiment.parameters) {
    std::string flag = "--" + parameter.name;
    std::replace(flag.begin(), flag.end(), '_', '-');
    std::string help = parameter.meaning;
    for (std::size_t i = 0; i < parameter.choices.size(); ++i) {
      help += (i == 0 ? ": " : ", ") + parameter.choices[i];
    }
    app->add_option_function<std::string>(
           flag,
           [options, name = parameter.name](const std::string& word) {
             options->given[name] = word;
           },
           help)
        ->type_name("")
        ->default_str(parameter.default_value);
  }
  app->callback([options, &experiment] { options->experiment = &experiment; });
}

}  // namespace

Command run_command() {
  return {"run", "an experiment into a CSV, and a plot", "binade run cast_error --out out",
          [](CLI::App& app) -> Action {
            const auto options = std::make_shared<RunOptions>();
            app.require_subcommand(1);
            for (const Experiment& experiment : experiments::registry()) {
              declare_experiment(app, experiment, options);
            }
            return [options](Session& session) { run_experiment(*options, session); };
          }};
}

Command plot_command() {
  return {"plot", "the plot of a CSV that run wrote", "binade plot out/cast_error.csv",
          [](CLI::App& app) -> Action {
            const auto path = std::make_shared<std::string>();
            app.add_option("FILE", *path, "FILE.csv")->required();
            return [path](Session& session) {
              const std::string name = experiment_of(*path);
              for (const std::string& picture : plot_csv(*path, name)) {
                session.out << picture << "\n";
              }
            };
          }};
}

}  // namespace binade::cli

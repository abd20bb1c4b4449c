// binade size: what a model costs in memory, time and traffic, before anything is built.
#include <algorithm>
#include <memory>

#include "cli/options.hpp"
#include "cli/plot.hpp"
#include "cli/result.hpp"
#include "cli/size_sheets.hpp"
#include "cli/terminal.hpp"
#include "io/error.hpp"
#include "io/file.hpp"

namespace binade::cli {
namespace {

struct SizeCommand {
  SizeOptions options;
  std::string directory, topic;
  bool plot = false;
  std::function<Sheet(const SizeOptions&)> sheet;
};
using Shared = std::shared_ptr<SizeCommand>;

sizing::ModelDimensions load_model(const std::string& name) {
  if (!name.ends_with(".json")) {
    try {
      return sizing::shipped_model(name);
    } catch (const std::invalid_argument& error) {
      throw UsageError(std::string(error.what()) + ", or a path ending in .json");
    }
  }
  try {
    return sizing::model_from_json(io::read_text_file(name, 1 << 20));
  } catch (const std::invalid_argument& error) {
    throw io::DataError("'" + name + "': " + error.what());
  }
}

std::string terminal_text(const Sheet& sheet) {
  std::vector<std::string> headings;
  for (std::size_t c = 0; c < sheet.columns.size(); ++c) {
    std::string heading = sheet.columns[c].name;
    std::replace(heading.begin(), heading.end(), '_', ' ');
    const bool text = std::holds_alternative<std::string>(sheet.table.rows.at(0)[c]);
    headings.push_back((text ? "" : ">") + heading);
  }
  TextTable table(headings);
  for (const auto& row : sheet.table.rows) {
    std::vector<std::string> cells;
    for (std::size_t c = 0; c < row.size(); ++c) {
      cells.push_back(readable(sheet.columns[c], row[c]));
    }
    table.row(cells);
  }
  std::string text = table.text() + "\n";
  for (const std::string& note : sheet.table.notes) text += note + "\n";
  return text;
}

void run(SizeCommand& command, Session& session) {
  command.options.model = load_model(command.options.model_name);
  Sheet sheet;
  try {
    sheet = command.sheet(command.options);
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  }
  sheet.table.notes.insert(sheet.table.notes.begin(),
                           command.options.model.name + "; " + command.options.model.source);
  session.out << terminal_text(sheet);
  if (command.directory.empty()) return;
  const OutputDirectory directory(command.directory);
  const std::string path = command.directory + "/size_" + command.topic + ".csv";
  sheet.columns.insert(sheet.columns.begin(), {"model", "", "whose dimensions were counted"});
  for (auto& row : sheet.table.rows) row.insert(row.begin(), command.options.model.name);
  io::write_csv(path, to_csv(sheet.columns, sheet.table, "none", session));
  session.out << path << "\n";
  if (!command.plot) return;
  for (const std::string& picture : plot_csv(path, "size")) session.out << picture << "\n";
}

CLI::Option* add_storage(CLI::App& app, const std::string& name,
                         std::optional<sizing::Storage>& target, const std::string& help) {
  return add_parsed(app, name, target, sizing::parse_storage, help, "STORAGE");
}

void add_device(CLI::App& app, SizeOptions& o) {
  add_parsed(
      app, "--device", o.device, [](const std::string& word) { return &sizing::find_device(word); },
      "h800, h100 or h200", "NAME")
      ->default_str("h800");
}

void declare_memory(CLI::App& app, SizeOptions& o) {
  add_device(app, o);
  app.add_option("--devices", o.devices, "how many there are");
  app.add_option("--base", o.base_recipe, "the recipe that a what-if starts from")
      ->capture_default_str();
  add_storage(app, "--weights", o.weights, "what if: bf16, e4m3:fp32/128x128, e2m1:e8m0/1x32");
  add_storage(app, "--gradients", o.gradients, "likewise; none: not kept");
  add_storage(app, "--master-weights", o.master_weights, "likewise");
  add_storage(app, "--first-moment", o.first_moment, "likewise, Adam's mean");
  add_storage(app, "--second-moment", o.second_moment, "likewise, Adam's mean square");
}

void declare_training(CLI::App& app, SizeOptions& o) {
  add_device(app, o);
  app.add_option("--devices", o.devices, "how many there are");
  app.add_option("--tokens", o.tokens, "to train on");
  app.add_option("--active", o.active, "parameters that each token meets");
  app.add_option("--utilisation", o.utilisations, "of the peak, a list")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--dollars-per-hour", o.dollars, "of a device")->capture_default_str();
  app.add_option("--context", o.context, "tokens in a sequence")->default_str("4096");
  app.add_flag("--attention", o.count_attention, "count causal attention besides");
}

void declare_cache(CLI::App& app, SizeOptions& o) {
  app.add_option("--context", o.context, "tokens")->default_str("131072");
  app.add_option("--layers", o.layers, "that keep a cache, in place of the model's");
  app.add_option("--base", o.layout, "the layout that a what-if starts from")
      ->capture_default_str();
  add_storage(app, "--content", o.content, "what if: keys and values, or the latent");
  add_storage(app, "--rope", o.rope, "what if: the rotary part of latent attention");
  add_storage(app, "--index-keys", o.index_keys, "what if: of the sparse indexer");
}

void add_contexts(CLI::App& app, SizeOptions& o) {
  app.add_option("--contexts", o.contexts, "tokens, a list")->delimiter(',')->capture_default_str();
}

void declare_decode(CLI::App& app, SizeOptions& o) {
  add_device(app, o);
  add_contexts(app, o);
  app.add_option("--bandwidth", o.bandwidth, "of the memory, bytes/s, in place of the device's");
  app.add_option("--layout", o.layout, "of the cache: bf16, fp8, flashmla, ...")
      ->capture_default_str();
  add_storage(app, "--weights", o.weights, "as they are read")->default_str("e4m3");
}

void declare_experts(CLI::App& app, SizeOptions& o) {
  add_device(app, o);
  app.add_option("--tokens", o.tokens, "of a micro-batch on one device")->default_str("32");
  app.add_option("--destinations", o.destinations, "of each token; the active experts");
  app.add_option("--hidden", o.hidden, "elements of a token; the model's");
  app.add_option("--layers", o.layers, "that exchange tokens; the model's with experts");
  app.add_option("--bandwidth", o.bandwidth, "of the network, bytes/s, in place of the device's");
  app.add_option("--overlapped", o.overlapped, "micro-batches that take turns")
      ->capture_default_str();
  add_storage(app, "--dispatch", o.dispatch, "what if: activations to the experts");
  add_storage(app, "--combine", o.combine, "what if: results back");
}

struct Topic {
  const char* name;
  const char* summary;
  void (*declare)(CLI::App&, SizeOptions&);
  Sheet (*sheet)(const SizeOptions&);
  const char* model;  ///< of the help's example
};

constexpr Topic kTopics[] = {
    {"memory", "weights, gradients and optimiser states under each precision recipe",
     declare_memory, memory_sheet, "deepseek-v3"},
    {"training", "FLOP, days and device hours, and what reported hours say", declare_training,
     training_sheet, "deepseek-v3"},
    {"kv", "the key-value cache under each layout", declare_cache, cache_sheet, "deepseek-v3.2"},
    {"decode", "bytes that one decoded token reads", declare_decode, decode_sheet, "deepseek-v3.2"},
    {"experts", "expert-parallel traffic, and the decoding speed that it allows", declare_experts,
     experts_sheet, "deepseek-v3"},
    {"attention", "dense and sparse attention, and where the index takes over", add_contexts,
     attention_sheet, "deepseek-v3.2"},
    {"claims", "figures met in articles, the mistake behind each, and what is right",
     [](CLI::App&, SizeOptions&) {}, claims_sheet, "deepseek-v3"},
};

void declare_topic(CLI::App& size, const Topic& topic, const Shared& command) {
  CLI::App* app = size.add_subcommand(topic.name, topic.summary);
  app->fallthrough();
  app->footer(std::string("Example:\n  binade size ") + topic.name + " --model " + topic.model +
              " --out out --plot");
  std::string names;
  for (const std::string& name : sizing::shipped_model_names()) names += name + ", ";
  app->add_option("--model", command->options.model_name, names + "or the path of a .json file")
      ->type_name("MODEL")
      ->default_str(topic.model);
  topic.declare(*app, command->options);
  app->add_option("--out", command->directory, "directory for a CSV")->type_name("DIR");
  app->add_flag("--plot", command->plot, "draw it as PNG and SVG beside the CSV");
  app->callback([command, app, &topic] {
    command->topic = topic.name;
    command->sheet = topic.sheet;
    if (app->count("--model") == 0) command->options.model_name = topic.model;
    if (command->plot && command->directory.empty()) command->directory = "out";
  });
}

}  // namespace

Command size_command() {
  return {"size", "what a model costs in memory, training, cache, decoding and traffic",
          "binade size memory --model deepseek-v3", [](CLI::App& app) -> Action {
            const auto command = std::make_shared<SizeCommand>();
            app.require_subcommand(1);
            for (const Topic& topic : kTopics) declare_topic(app, topic, command);
            return [command](Session& session) { run(*command, session); };
          }};
}

}  // namespace binade::cli

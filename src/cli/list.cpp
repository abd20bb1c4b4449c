// binade list: what there is, by name.
#include <memory>

#include "binade/emulation/instructions.hpp"
#include "binade/emulation/profiles.hpp"
#include "binade/emulation/scale_recipe.hpp"
#include "binade/experiments/experiment.hpp"
#include "cli/experiments_document.hpp"
#include "cli/options.hpp"
#include "cli/terminal.hpp"

namespace binade::cli {
namespace {

struct ListOptions {
  std::string what = "experiments";
  const Instruction* card = nullptr;
  bool markdown = false;
};

template <class Record, class Describe>
std::string table_of(const std::string& heading, const std::vector<Record>& records,
                     Describe&& describe) {
  TextTable table({heading, ""});
  for (const Record& record : records) table.row({record.name, describe(record)});
  return table.text();
}

/// Whether a device gave the same bits, or the model is somebody else's.
std::string standing(bool verified, const std::string& source) {
  return (verified ? "verified; " : "not verified; ") + source;
}

std::string listed(const std::string& what) {
  if (what == "instructions") {
    return table_of("instruction", instructions(),
                    [](const Instruction& i) { return standing(i.verified, i.source); });
  }
  if (what == "profiles") {
    return table_of("profile", gemm_profiles(),
                    [](const GemmProfile& p) { return standing(p.verified, p.source); });
  }
  if (what == "recipes") {
    return table_of("recipe", scale_recipes(),
                    [](const ScaleRecipe& r) { return r.default_granularity + "; " + r.source; });
  }
  return table_of("experiment", experiments::registry(),
                  [](const experiments::Experiment& e) { return e.question; });
}

}  // namespace

Command list_command() {
  return {"list", "the experiments (or instructions, profiles, recipes) by name", "binade list",
          [](CLI::App& app) -> Action {
            const auto options = std::make_shared<ListOptions>();
            app.add_option("WHAT", options->what, "experiments, instructions, profiles or recipes")
                ->check(CLI::IsMember({"experiments", "instructions", "profiles", "recipes"}))
                ->type_name("");
            add_parsed(
                app, "--card", options->card,
                [](const std::string& word) { return &find_instruction(word); },
                "the model card of an instruction, JSON to change for --model", "NAME");
            app.add_flag("--markdown", options->markdown,
                         "the experiments with what was published beside what they give");
            return [options](Session& session) {
              if (options->markdown) {
                if (options->what != "experiments" || options->card != nullptr) {
                  throw UsageError("only the experiments are listed with --markdown");
                }
                session.out << experiments_document();
                return;
              }
              session.out << (options->card != nullptr ? instruction_to_json(*options->card) + "\n"
                                                       : listed(options->what));
            };
          }};
}

}  // namespace binade::cli

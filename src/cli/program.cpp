#include <omp.h>
#include <unistd.h>

#include <CLI/Error.hpp>
#include <cerrno>
#include <cstring>
#include <sstream>

#include "binade/formats/catalog.hpp"
#include "binade/formats/isa.hpp"
#include "cli/command.hpp"
#include "cli/terminal.hpp"

namespace binade::cli {
namespace {

struct Globals {
  std::string isa;
  int threads = 0;
};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// The innermost command that was named, and its words: "binade run cast_error".
const CLI::App* innermost(const CLI::App* app, std::string& words) {
  words = app->get_name();
  while (!app->get_subcommands().empty()) {
    app = app->get_subcommands().front();
    words += " " + app->get_name();
  }
  return app;
}

/// Everything an unexpected word could have been meant as.
std::vector<std::string> expected_words(const CLI::App& app, bool flag) {
  std::vector<std::string> words;
  if (!flag) {
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
      words.push_back(command->get_name());
    }
  }
  for (const CLI::App* level = &app; flag && level != nullptr; level = level->get_parent()) {
    for (const CLI::Option* option : level->get_options()) {
      for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
    }
  }
  return words;
}

/// One line that says what was found and what was expected, in place of CLI11's own texts.
std::string usage_message(const CLI::App& root, const CLI::ParseError& error) {
  std::string words;
  const CLI::App* app = innermost(&root, words);
  const auto extras = root.remaining(true);
  const std::string see = " (see " + words + " --help)";
  if (extras.empty() && !app->get_subcommands([](const CLI::App*) { return true; }).empty()) {
    return words + ": nothing to do, expected one of " + joined(expected_words(*app, false));
  }
  if (extras.empty()) return words + ": " + error.what() + see;
  const bool flag = extras.front().starts_with("-");
  const auto names = expected_words(*app, flag);
  const auto near = nearest_names(extras.front(), names);
  return words + ": '" + extras.front() + "' was not expected" +
         (near.empty() ? "" : ", expected for instance " + joined(near)) + see;
}

/// -inf and -.5 are values, as -0.5 is. CLI11 takes a word for a flag unless a digit follows the
/// dash, so a space, which every parser of such numbers skips, goes before it.
std::vector<std::string> arguments(int argc, char** argv) {
  std::vector<std::string> words;
  for (int i = argc - 1; i > 0; --i) {  // CLI11 wants them in reverse
    std::string word = argv[i];
    if (word.size() > 1 && word[0] == '-' && word[1] != '-' && (word[1] < '0' || word[1] > '9')) {
      char* end = nullptr;
      (void)std::strtold(word.c_str(), &end);
      if (*end == '\0') word.insert(0, " ");
    }
    words.push_back(std::move(word));
  }
  return words;
}

void add_globals(CLI::App& app, Globals& globals) {
  app.add_option("--isa", globals.isa, "force baseline, x86-64-v3 or x86-64-v4 (same bits)")
      ->type_name("NAME");
  app.add_option("--threads", globals.threads, "how many threads compute; 0: all")
      ->check(CLI::Range(0, 4096))
      ->type_name("N");
  app.set_version_flag("--version", "binade " BINADE_VERSION);
}

/// Unknown names, here as in BINADE_ISA, are wrong usage.
void choose_isa(const Globals& globals) {
  try {
    if (!globals.isa.empty()) set_isa(parse_isa(globals.isa));
    (void)isa();
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  }
}

void parse_and_run(int argc, char** argv, std::ostream& out) {
  CLI::App app("Bit-exact low-precision casting, scaling and accumulation", "binade");
  Globals globals;
  add_globals(app, globals);
  app.require_subcommand(1);
  std::vector<std::pair<const CLI::App*, Action>> actions;
  for (const Command& command : commands()) {
    CLI::App* sub = app.add_subcommand(command.name, command.summary);
    sub->fallthrough();
    sub->footer("Example:\n  " + command.example);
    actions.emplace_back(sub, command.declare(*sub));
  }
  try {
    app.parse(arguments(argc, argv));
  } catch (const CLI::Success& help) {
    std::ostringstream no_errors;
    app.exit(help, out, no_errors);
    return;
  } catch (const CLI::ParseError& error) {
    throw UsageError(usage_message(app, error));
  }
  choose_isa(globals);
  if (globals.threads > 0) omp_set_num_threads(globals.threads);
  Session session{out, globals.threads, shell_line(argc, argv)};
  for (const auto& [sub, action] : actions) {
    if (sub->parsed()) action(session);
  }
}

/// What a command said before it failed still holds: a CSV was written, its plot was not.
int report(const std::ostringstream& out, const std::string& message, int code) {
  try {
    write_standard_output(out.str());
  } catch (const std::exception&) {  // one error is reported, the first
  }
  write_error(message);
  return code;
}

}  // namespace

int run_program(int argc, char** argv) {
  std::ostringstream out;
  try {
    parse_and_run(argc, argv, out);
  } catch (const UsageError& error) {
    return report(out, error.what(), 2);
  } catch (const std::bad_alloc&) {
    return report(out, "the data does not fit in memory, expected less of it", 1);
  } catch (const std::exception& error) {
    return report(out, error.what(), 1);
  }
  try {
    write_standard_output(out.str());
  } catch (const std::exception& error) {
    write_error(error.what());
    return 1;
  }
  return 0;
}

}  // namespace binade::cli

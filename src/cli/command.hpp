// What a command of the program is: a record, from which come its place in --help, its flags and
// the test that runs its example.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <functional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace binade::cli {

/// Wrong usage: exit code 2. Everything else that is thrown is about data: exit code 1.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What the program lends a command.
struct Session {
  std::ostream& out;         ///< standard output, written and checked when the command has returned
  int threads = 0;           ///< --threads; 0: as many as OpenMP gives
  std::string command_line;  ///< as typed, for provenance
};

using Action = std::function<void(Session&)>;

struct Command {
  std::string name;
  std::string summary;
  /// One line that works in a directory with the files of tests/cli/examples_test.py.
  std::string example;
  /// Declares the options on `app` and returns what runs once they are parsed.
  std::function<Action(CLI::App& app)> declare;
};

/// Every command, in the order of --help. To add one, write its file and name it in commands.cpp.
const std::vector<Command>& commands();

/// Runs the program: 0 done, 1 data that cannot be processed, 2 wrong usage.
int run_program(int argc, char** argv);

}  // namespace binade::cli

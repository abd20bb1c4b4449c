#include "cli/plot.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "binade/experiments/experiment.hpp"
#include "io/csv.hpp"
#include "io/error.hpp"

extern char** environ;

namespace binade::cli {
namespace {

namespace fs = std::filesystem;

/// The folder of the running program; empty where it cannot be known.
fs::path program_directory() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

/// The scripts installed beside the program, or those of the checkout that it was built from.
fs::path plots_directory() {
  const fs::path installed = program_directory().parent_path() / "share" / "binade" / "plots";
  std::error_code error;
  if (fs::is_directory(installed, error)) return installed;
  return fs::path(BINADE_SOURCE_DIR) / "experiments" / "plots";
}

/// The environment that is active, the one that the program was installed into, or the checkout's.
std::string python() {
  const char* active = std::getenv("VIRTUAL_ENV");
  const std::array<fs::path, 3> candidates = {
      active != nullptr ? fs::path(active) / "bin" : fs::path(), program_directory(),
      fs::path(BINADE_SOURCE_DIR) / ".venv" / "bin"};
  for (const fs::path& folder : candidates) {
    const fs::path program = folder / "python";
    if (!folder.empty() && ::access(program.c_str(), X_OK) == 0) return program.string();
  }
  return "python3";
}

std::string read_to_end(int descriptor) {
  std::string text;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

struct Finished {
  int status = 0;
  std::string errors;
};

/// Runs a program to its end and keeps what it says on standard error; its output is dropped.
Finished run(const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  std::array<int, 2> pipe_ends{};
  if (::pipe2(pipe_ends.data(), O_CLOEXEC) != 0) {
    throw io::DataError(std::string("cannot run the plot script: ") + std::strerror(errno));
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDERR_FILENO);
  pid_t child = 0;
  const int error =
      ::posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(pipe_ends[1]);
  Finished finished;
  if (error == 0) finished.errors = read_to_end(pipe_ends[0]);
  ::close(pipe_ends[0]);
  if (error != 0) {
    throw io::DataError("cannot run '" + words[0] + "': " + std::strerror(error) +
                        ", expected Python with matplotlib");
  }
  while (::waitpid(child, &finished.status, 0) < 0 && errno == EINTR) {
  }
  return finished;
}

std::string last_line(std::string text) {
  text.erase(text.find_last_not_of("\r\n ") + 1);
  return text.substr(text.find_last_of('\n') + 1);
}

}  // namespace

std::string experiment_of(const std::string& csv_path) {
  const std::string stem = fs::path(csv_path).stem().string();
  const io::Csv csv = io::read_csv(csv_path);
  if (csv.provenance.command.starts_with("binade size ")) return "size";
  if (csv.columns.front().starts_with("sweep_")) {
    throw io::DataError("'" + csv_path + "' holds a sweep, expected the rows of one run");
  }
  std::string found;
  for (const experiments::Experiment& e : experiments::registry()) {
    if (e.name == stem) return stem;
    const std::string command = csv.provenance.command + " ";
    if (command.find(" run " + e.name + " ") != std::string::npos) found = e.name;
  }
  if (found.empty()) {
    throw io::DataError("'" + csv_path + "' was written by '" + csv.provenance.command +
                        "', expected binade run EXPERIMENT");
  }
  return found;
}

std::vector<std::string> plot_csv(const std::string& csv_path, const std::string& experiment) {
  const fs::path script = plots_directory() / (experiment + ".py");
  if (!fs::exists(script)) {
    throw io::DataError("no plot script '" + script.string() + "', expected one for " + experiment);
  }
  const fs::path absolute = fs::absolute(csv_path);
  const Finished finished = run({python(), script.string(), absolute.string()});
  if (!WIFEXITED(finished.status) || WEXITSTATUS(finished.status) != 0) {
    throw io::DataError("the plot script '" + script.string() + "' failed: " +
                        (finished.errors.empty() ? "it said nothing" : last_line(finished.errors)));
  }
  std::vector<std::string> pictures;
  for (const char* ending : {".png", ".svg"}) {
    const std::string picture = fs::path(csv_path).replace_extension(ending).string();
    if (!fs::exists(picture)) throw io::DataError("the plot script wrote no '" + picture + "'");
    pictures.push_back(picture);
  }
  return pictures;
}

}  // namespace binade::cli

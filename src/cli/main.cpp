#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "cli/command.hpp"
#include "io/file.hpp"

namespace {

/// No temporary survives an interrupt; then the signal takes its usual course.
void leave(int signal) {
  binade::io::discard_unfinished_outputs();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

int main(int argc, char** argv) {
  // A closed pipe or a limit on file sizes shall be an error of write(), not the end.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (std::signal(signal, leave) == SIG_IGN) std::signal(signal, SIG_IGN);
  }
  return binade::cli::run_program(argc, argv);
}

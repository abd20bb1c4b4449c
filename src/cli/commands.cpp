#include "cli/command.hpp"

namespace binade::cli {

Command formats_command();
Command bits_command();
Command cast_command();
Command decode_command();

const std::vector<Command>& commands() {
  static const std::vector<Command> all{
      formats_command(),
      bits_command(),
      cast_command(),
      decode_command(),
  };
  return all;
}

}  // namespace binade::cli

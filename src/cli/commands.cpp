#include "cli/command.hpp"

namespace binade::cli {

Command formats_command();
Command bits_command();
Command cast_command();
Command decode_command();
Command quantize_command();
Command dot_command();
Command gemm_command();
Command diagnose_command();
Command probe_command();
Command explain_command();
Command inspect_command();
Command study_command();
Command list_command();
Command run_command();
Command plot_command();
Command size_command();
Command page_command();
Command verify_command();

// clang-format off
const std::vector<Command>& commands() {
  static const std::vector<Command> all{
      formats_command(),
      bits_command(),
      cast_command(),
      decode_command(),
      quantize_command(),
      dot_command(),
      gemm_command(),
      diagnose_command(),
      probe_command(),
      explain_command(),
      verify_command(),
      inspect_command(),
      study_command(),
      list_command(),
      run_command(),
      plot_command(),
      size_command(),
      page_command(),
  };
  return all;
}
// clang-format on

}  // namespace binade::cli

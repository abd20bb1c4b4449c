// binade dot: rows through a matrix instruction.
#include <memory>

#include "cli/instruction_option.hpp"
#include "cli/options.hpp"
#include "io/npy.hpp"

namespace binade::cli {
namespace {

struct DotOptions {
  InstructionOption instruction;
  DotOperands operands;
  std::string out;
};

void run_dot(DotOptions options, Session& session) {
  DotOperands& o = options.operands;
  const Instruction instruction = options.instruction.get();
  check_paths({o.a_path, o.b_path, o.c_path}, {options.out});
  load_operands(instruction, o);
  io::Tensor d(o.c.dtype, {o.rows});
  binade::dot(instruction, o.a.data(), o.b.data(), o.c.data(), d.data(), o.rows, o.k,
              session.threads);
  io::write_npy(options.out, d);
  session.out << written_line(options.out, d, instruction.name);
}

}  // namespace

Command dot_command() {
  return {"dot", "rows of A, B and C through a matrix instruction, bit for bit",
          "binade dot --instruction hopper.wgmma.f32.e4m3.e4m3 a.npy b.npy c.npy d.npy",
          [](CLI::App& app) -> Action {
            const auto options = std::make_shared<DotOptions>();
            add_instruction(app, options->instruction);
            add_dot_operands(app, options->operands);
            app.add_option("OUT", options->out, "[rows], of C's type, FILE.npy")->required();
            return [options](Session& session) { run_dot(*options, session); };
          }};
}

}  // namespace binade::cli

#include "cli/instruction_option.hpp"

#include "cli/options.hpp"
#include "io/error.hpp"
#include "io/file.hpp"

namespace binade::cli {
namespace {

[[noreturn]] void wrong_shape(const std::string& path, const io::Tensor& found,
                              const std::string& expected) {
  throw io::DataError("'" + path + "' has shape " + io::shape_text(found.shape) + ", expected " +
                      expected);
}

}  // namespace

Instruction InstructionOption::get() const {
  if ((named == nullptr) == card.empty()) {
    throw UsageError("expected either --instruction NAME or --model CARD.json");
  }
  return named != nullptr ? *named : read_model_card(card);
}

Instruction read_model_card(const std::string& path) {
  const std::string text = io::read_text_file(path, std::size_t{1} << 20);
  try {
    return instruction_from_json(text);
  } catch (const std::invalid_argument& error) {
    throw io::DataError("'" + path + "': " + error.what());
  }
}

void add_model_card(CLI::App& app, std::string& card) {
  app.add_option("--model", card, "a model card in place of a named instruction")
      ->type_name("CARD.json");
}

void add_instruction(CLI::App& app, InstructionOption& option) {
  add_parsed(
      app, "--instruction", option.named,
      [](const std::string& word) { return &find_instruction(word); },
      "see binade list instructions", "NAME");
  add_model_card(app, option.card);
}

void add_dot_operands(CLI::App& app, DotOperands& operands) {
  app.add_option("A", operands.a_path, "[rows, k] bit patterns, FILE.npy")->required();
  app.add_option("B", operands.b_path, "[rows, k] bit patterns")->required();
  app.add_option("C", operands.c_path, "[rows] bit patterns, or floats of their type")->required();
}

void load_operands(const Instruction& instruction, DotOperands& operands) {
  DotOperands& o = operands;
  o.a = load(o.a_path);
  o.b = load(o.b_path);
  o.c = load(o.c_path);
  (void)io::element_format(o.a.dtype, instruction.a, "'" + o.a_path + "'");
  (void)io::element_format(o.b.dtype, instruction.b, "'" + o.b_path + "'");
  (void)io::element_format(o.c.dtype, instruction.c, "'" + o.c_path + "'");
  if (o.a.shape.size() != 2) wrong_shape(o.a_path, o.a, "[rows, k]");
  o.rows = o.a.shape[0];
  o.k = o.a.shape[1];
  if (o.b.shape != o.a.shape) {
    wrong_shape(o.b_path, o.b, io::shape_text(o.a.shape) + " as '" + o.a_path + "' has");
  }
  if (o.c.shape != io::Shape{o.rows}) {
    wrong_shape(o.c_path, o.c, io::shape_text({o.rows}) + ", one for each row");
  }
}

}  // namespace binade::cli

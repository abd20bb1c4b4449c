// binade gemm: D = A B^T in a library's order of operations.
#include "binade/emulation/gemm.hpp"

#include <memory>

#include "cli/instruction_option.hpp"
#include "cli/options.hpp"
#include "io/error.hpp"
#include "io/npy.hpp"

namespace binade::cli {
namespace {

struct Operand {
  std::string path, scale_path;
  std::optional<FloatFormat> format;
  io::Tensor codes, scales;
};

struct GemmCommandOptions {
  Operand a, b;
  std::string out, card;
  const GemmProfile* profile = nullptr;
  std::optional<int> promotion_interval;
  FloatFormat output = kFp32Format;
};

/// Reads an operand and its scales; a scalar or a vector of scales is a matrix of one row or, where
/// it has an entry for each row of the operand, of one column.
GemmOperand load_operand(Operand& operand) {
  operand.codes = load(operand.path);
  const io::Tensor& codes = operand.codes;
  (void)io::element_format(codes.dtype, operand.format, "'" + operand.path + "'");
  if (codes.shape.size() != 2) {
    throw io::DataError("'" + operand.path + "' has shape " + io::shape_text(codes.shape) +
                        ", expected [rows, k]");
  }
  GemmOperand loaded{*operand.format, codes.data(), codes.shape[0]};
  if (operand.scale_path.empty()) return loaded;
  operand.scales = load(operand.scale_path);
  const io::Tensor& scales = operand.scales;
  if (scales.dtype != io::DType::kF32 || scales.shape.size() > 2) {
    throw io::DataError("'" + operand.scale_path + "' holds " + io::shape_text(scales.shape) + " " +
                        std::string(io::info(scales.dtype).name) +
                        ", expected a matrix of float32 scales");
  }
  const io::Extent extent = io::matrix_extent(scales.shape);
  const bool column = scales.shape.size() == 1 && extent.cols == loaded.rows;
  loaded.scales = scales.as<float>();
  loaded.scale_rows = column ? extent.cols : extent.rows;
  loaded.scale_cols = column ? 1 : extent.cols;
  return loaded;
}

/// float32 and float16 have names in .npy, but half-width outputs are patterns by contract.
io::DType output_dtype(FloatFormat output) {
  if (output == kFp32Format) return io::DType::kF32;
  if (output == kFp64Format) return io::DType::kF64;
  return io::unsigned_dtype(output.container_bits());
}

void run_gemm(GemmCommandOptions options, Session& session) {
  std::vector<std::string> inputs{options.a.path, options.b.path};
  for (const std::string& scales : {options.a.scale_path, options.b.scale_path}) {
    if (!scales.empty()) inputs.push_back(scales);
  }
  check_paths(inputs, {options.out});
  const GemmOperand a = load_operand(options.a);
  const GemmOperand b = load_operand(options.b);
  const std::size_t k = options.a.codes.shape[1];
  if (options.b.codes.shape[1] != k) {
    throw io::DataError("'" + options.b.path + "' has shape " +
                        io::shape_text(options.b.codes.shape) + ", expected [N, " +
                        std::to_string(k) + "] to match the K of '" + options.a.path + "'");
  }
  GemmOptions with;
  with.promotion_interval = options.promotion_interval;
  with.threads = session.threads;
  Instruction card;
  if (!options.card.empty()) {
    card = read_model_card(options.card);
    with.instruction = &card;
  }
  io::Tensor d(output_dtype(options.output), {a.rows, b.rows});
  binade::gemm(*options.profile, a, b, k, options.output, d.data(), with);
  io::write_npy(options.out, d);
  session.out << written_line(options.out, d,
                              format_name(options.output) + " by " + options.profile->name);
}

void add_operand(CLI::App& app, Operand& operand, const std::string& letter) {
  add_format(app, "--format-" + letter, operand.format, "of the codes")->required();
  app.add_option("--scale-" + letter, operand.scale_path,
                 "FILE.npy, float32 dequantisation factors; default: 1")
      ->type_name("FILE");
}

}  // namespace

Command gemm_command() {
  return {"gemm", "D = A B^T in a library's order of operations, bit for bit",
          "binade gemm a.npy b.npy d.npy --profile cublaslt --format-a e4m3 --format-b e4m3",
          [](CLI::App& app) -> Action {
            const auto options = std::make_shared<GemmCommandOptions>();
            app.add_option("A", options->a.path, "[M, K] codes, FILE.npy")->required();
            app.add_option("B", options->b.path, "[N, K] codes, FILE.npy")->required();
            app.add_option("OUT", options->out, "[M, N], FILE.npy")->required();
            add_parsed(
                app, "--profile", options->profile,
                [](const std::string& word) { return &find_gemm_profile(word); },
                "see binade list profiles", "NAME")
                ->required();
            add_operand(app, options->a, "a");
            add_operand(app, options->b, "b");
            add_parsed(
                app, "--output", options->output,
                [](const std::string& word) { return parse_format(word).format; },
                "float32, or bit patterns of another format", "FORMAT")
                ->default_str("f32");
            app.add_option("--promotion-interval", options->promotion_interval,
                           "K elements between promotions to FP32, in place of the profile's; "
                           "0: never")
                ->check(CLI::Range(0, 1 << 30))
                ->type_name("K");
            add_model_card(app, options->card);
            return [options](Session& session) { run_gemm(*options, session); };
          }};
}

}  // namespace binade::cli

// binade gemm: D = A B^T in a library's order of operations.
#include "binade/emulation/gemm.hpp"

#include <memory>

#include "binade/cuda/emulated_gemm.hpp"
#include "cli/gemm_operand.hpp"
#include "cli/instruction_option.hpp"
#include "cli/options.hpp"
#include "io/error.hpp"
#include "io/npy.hpp"

namespace binade::cli {
namespace {

struct GemmCommandOptions {
  GemmFileOperand a, b;
  std::string out, card;
  const GemmProfile* profile = nullptr;
  std::optional<int> promotion_interval;
  FloatFormat output = kFp32Format;
  bool on_device = false;
};

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
  const std::size_t k = shared_k(options.a, options.b);
  GemmOptions with;
  with.promotion_interval = options.promotion_interval;
  with.threads = session.threads;
  Instruction card;
  if (!options.card.empty()) {
    card = read_model_card(options.card);
    with.instruction = &card;
  }
  io::Tensor d(output_dtype(options.output), {a.rows, b.rows});
  const auto run = options.on_device ? cuda::gemm_portable : binade::gemm;
  run(*options.profile, a, b, k, options.output, d.data(), with);
  io::write_npy(options.out, d);
  session.out << written_line(options.out, d,
                              format_name(options.output) + " by " + options.profile->name);
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
            app.add_flag("--device", options->on_device,
                         "emulate on the GPU's CUDA cores: the same bits, sooner");
            return [options](Session& session) { run_gemm(*options, session); };
          }};
}

}  // namespace binade::cli

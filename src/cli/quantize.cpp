// binade quantize: a tensor into codes and scales by a named recipe.
#include <memory>

#include "binade/emulation/block_scale.hpp"
#include "binade/emulation/quantization_stats.hpp"
#include "cli/options.hpp"
#include "cli/values.hpp"
#include "io/npy.hpp"

namespace binade::cli {
namespace {

struct QuantizeOptions {
  std::string in, codes, scales, scale_codes;
  const ScaleRecipe* recipe = nullptr;
  std::optional<Granularity> granularity;
  std::optional<ScaleType> scale_type;
  std::optional<FloatFormat> from, element;
  std::uint64_t seed = 0;
};

ScaleType scale_type_of(const QuantizeOptions& options) {
  const ScaleType type = options.scale_type.value_or(options.recipe->scale_types.front());
  std::string offered;
  for (const ScaleType t : options.recipe->scale_types) {
    if (t == type) return type;
    offered += (offered.empty() ? "" : ", ") + std::string(name_of(t));
  }
  throw UsageError("recipe " + options.recipe->name + " has no " + std::string(name_of(type)) +
                   " scales, expected " + offered);
}

io::Tensor tensor_of(io::DType dtype, io::Shape shape, const void* data) {
  io::Tensor tensor(dtype, std::move(shape));
  const auto* bytes = static_cast<const std::byte*>(data);
  std::copy(bytes, bytes + tensor.bytes.size(), tensor.bytes.begin());
  return tensor;
}

/// Codes and scales are both written before either takes its name.
void write_all(const QuantizeOptions& options, const Quantized& q, const io::Shape& shape,
               std::ostream& out) {
  const io::DType code_type = io::unsigned_dtype(q.element.container_bits());
  const io::Tensor codes = tensor_of(code_type, shape, q.codes.data());
  const io::Shape grid{q.scale_rows, q.scale_cols};
  const io::Tensor scales = tensor_of(io::DType::kF32, grid, q.scales.data());
  io::OutputFile code_file(options.codes), scale_file(options.scales);
  io::write_npy(code_file, codes);
  io::write_npy(scale_file, scales);
  if (!options.scale_codes.empty()) {
    const io::Tensor bytes = tensor_of(io::DType::kU8, grid, q.scale_codes.data());
    io::write_npy(options.scale_codes, bytes);
    out << written_line(options.scale_codes, bytes, "codes of " + format_name(q.scale_format));
  }
  code_file.commit();
  scale_file.commit();
  out << written_line(options.codes, codes, "codes of " + element_name(q.element));
  out << written_line(options.scales, scales,
                      options.recipe->name + " " + granularity_name(q.granularity) +
                          " scales, dequantisation factors");
}

std::string fixed(double value, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

void run_quantize(const QuantizeOptions& options, Session& session) {
  const ScaleType type = scale_type_of(options);
  std::vector<std::string> outputs{options.codes, options.scales};
  if (!options.scale_codes.empty()) outputs.push_back(options.scale_codes);
  check_paths({options.in}, outputs);
  if (!options.scale_codes.empty() && type != ScaleType::kUe8m0 && type != ScaleType::kE4M3) {
    throw UsageError("--scale-codes: " + std::string(name_of(type)) +
                     " scales have no codes, expected ue8m0 or e4m3");
  }
  const io::Tensor x = load(options.in);
  const FloatFormat from = io::element_format(x.dtype, options.from, "'" + options.in + "'");
  const io::Extent extent = io::matrix_extent(x.shape);
  const Granularity granularity =
      options.granularity.value_or(parse_granularity(options.recipe->default_granularity));
  const FloatFormat element = options.element.value_or(default_element(type));
  const Quantized q = quantize(from, x.data(), extent.rows, extent.cols, *options.recipe,
                               granularity, type, element, session.threads, options.seed);
  write_all(options, q, x.shape, session.out);
  QuantizationStats stats;
  stats.add(io::to_fp32(from, x.data(), x.count()), q, session.threads);
  if (q.tensor_scale != 1.0f) {
    session.out << "tensor scale " << hex_float(q.tensor_scale) << " on top of the block scales\n";
  }
  session.out << "SQNR " << fixed(stats.sqnr_db(), 2) << " dB, underflow "
              << fixed(100 * stats.share(stats.underflow), 3) << " %, saturated "
              << fixed(100 * stats.share(stats.saturated), 3) << " %\n";
}

}  // namespace

Command quantize_command() {
  return {"quantize", "a tensor into codes and scales, by a library's recipe",
          "binade quantize x.npy --recipe deepseek-v3 --granularity 1x128 --codes q.npy "
          "--scales s.npy",
          [](CLI::App& app) -> Action {
            const auto options = std::make_shared<QuantizeOptions>();
            app.add_option("IN", options->in, "FILE.npy or FILE.safetensors:TENSOR")->required();
            add_parsed(
                app, "--recipe", options->recipe,
                [](const std::string& word) { return &find_scale_recipe(word); },
                "see binade list recipes", "NAME")
                ->required();
            add_parsed(app, "--granularity", options->granularity, parse_granularity,
                       "tensor, row, column or RxC such as 1x128; default: the recipe's", "BLOCK");
            add_parsed(app, "--scale-type", options->scale_type, parse_scale_type,
                       "fp32, pow2, ue8m0 or e4m3; default: the recipe's first", "TYPE");
            add_parsed(app, "--to", options->element, parse_element_format,
                       "element format; default: e4m3, under e4m3 scales e2m1", "FORMAT");
            add_format(app, "--from", options->from, "what integers in IN are the codes of");
            app.add_option("--codes", options->codes, "FILE.npy")->required()->type_name("OUT");
            app.add_option("--scales", options->scales, "FILE.npy, float32")
                ->required()
                ->type_name("OUT");
            app.add_option("--scale-codes", options->scale_codes,
                           "FILE.npy, the codes of ue8m0 or e4m3 scales as uint8")
                ->type_name("OUT");
            app.add_option("--seed", options->seed, "of the stochastic roundings")
                ->check(CLI::NonNegativeNumber)
                ->type_name("N")
                ->capture_default_str();
            return [options](Session& session) { run_quantize(*options, session); };
          }};
}

}  // namespace binade::cli

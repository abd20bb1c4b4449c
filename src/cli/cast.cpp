// binade cast and binade decode: arrays from one format to another.
#include "binade/formats/cast.hpp"

#include <memory>

#include "cli/options.hpp"
#include "io/npy.hpp"

namespace binade::cli {
namespace {

struct ArrayOptions {
  std::string in, out;
  std::optional<FloatFormat> from, to;
  CastOptions cast;
};

void add_in_and_out(CLI::App& app, ArrayOptions& options) {
  app.add_option("IN", options.in, "FILE.npy or FILE.safetensors:TENSOR")->required();
  app.add_option("OUT", options.out, "FILE.npy")->required();
}

io::Tensor cast_tensor(const ArrayOptions& options, FloatFormat to, io::DType dtype) {
  const io::Tensor source = load(options.in);
  const FloatFormat from = io::element_format(source.dtype, options.from, "'" + options.in + "'");
  io::Tensor target(dtype, source.shape);
  binade::cast(from, source.data(), to, target.data(), source.count(), options.cast.rules,
               options.cast.seed);
  return target;
}

void run_cast(const ArrayOptions& options, Session& session) {
  check_paths({options.in}, {options.out});
  const io::Tensor target =
      cast_tensor(options, *options.to, io::unsigned_dtype(options.to->container_bits()));
  io::write_npy(options.out, target);
  session.out << written_line(options.out, target, "codes of " + format_name(*options.to));
}

void run_decode(ArrayOptions options, Session& session) {
  check_paths({options.in}, {options.out});
  const bool single = embeds_in(*options.from, kFp32Format);
  if (!single && !embeds_in(*options.from, kFp64Format)) {
    throw UsageError("decode: " + format_name(*options.from) +
                     " does not fit in float64, expected a format that does");
  }
  options.cast.rules = kIeeeRules;
  const io::Tensor target = single ? cast_tensor(options, kFp32Format, io::DType::kF32)
                                   : cast_tensor(options, kFp64Format, io::DType::kF64);
  io::write_npy(options.out, target);
  session.out << written_line(options.out, target, "values of " + format_name(*options.from));
}

}  // namespace

Command cast_command() {
  return {"cast", "an array into the codes of a format", "binade cast x.npy codes.npy --to e4m3",
          [](CLI::App& app) -> Action {
            const auto options = std::make_shared<ArrayOptions>();
            add_in_and_out(app, *options);
            add_format(app, "--to", options->to, "the target")->required();
            add_format(app, "--from", options->from, "what integers in IN are the codes of");
            add_cast_rules(app, options->cast, true);
            return [options](Session& session) { run_cast(*options, session); };
          }};
}

Command decode_command() {
  return {"decode", "codes of a format into float32 (float64 where the format needs it)",
          "binade decode codes.npy values.npy --from e4m3", [](CLI::App& app) -> Action {
            const auto options = std::make_shared<ArrayOptions>();
            add_in_and_out(app, *options);
            add_format(app, "--from", options->from, "the format of the codes")->required();
            return [options](Session& session) { run_decode(*options, session); };
          }};
}

}  // namespace binade::cli

#include "cli/options.hpp"

#include <filesystem>

#include "io/error.hpp"
#include "io/load.hpp"

namespace binade::cli {
namespace {

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

bool same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  if (std::filesystem::is_other(a, error)) return false;  // /dev/null may take everything
  if (std::filesystem::equivalent(a, b, error)) return true;
  // Neither needs to exist yet.
  const auto whole = [&](const std::string& path) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(path), error);
  };
  return !a.empty() && !b.empty() && whole(a) == whole(b) && !error;
}

}  // namespace

CLI::Option* add_format(CLI::App& app, const std::string& name, std::optional<FloatFormat>& target,
                        const std::string& help) {
  return add_parsed(
      app, name, target, [](const std::string& word) { return parse_format(word).format; }, help,
      "FORMAT");
}

void add_cast_rules(CLI::App& app, CastOptions& options, bool with_seed) {
  CastRules& rules = options.rules;
  add_parsed(app, "--rounding", rules.rounding, parse_rounding, listed(rounding_names()), "NAME")
      ->default_str("nearest_even");
  add_parsed(
      app, "--overflow", rules,
      [&rules](const std::string& word) {
        CastRules with = rules;
        parse_overflow(word, with);
        return with;
      },
      listed(overflow_names()), "NAME")
      ->default_str("saturate");
  add_parsed(app, "--nan", rules.nan, parse_nan_rule, listed(nan_rule_names()), "NAME")
      ->default_str("canonical");
  app.add_option("--random-bits", rules.random_bits, "bits of a stochastic rounding's draw")
      ->check(CLI::Range(1, kMaxRandomBits))
      ->type_name("N")
      ->capture_default_str();
  if (with_seed) {
    app.add_option("--seed", options.seed, "of the stochastic roundings")
        ->check(CLI::NonNegativeNumber)
        ->type_name("N")
        ->capture_default_str();
  }
}

void check_paths(const std::vector<std::string>& inputs, const std::vector<std::string>& outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    for (const std::string& address : inputs) {
      const std::size_t suffix = address.find(".safetensors:");
      const std::string path =
          suffix == std::string::npos ? address : address.substr(0, suffix + 12);
      if (same_file(path, outputs[i])) {
        throw UsageError("the output '" + outputs[i] + "' is the input '" + address +
                         "', expected another file");
      }
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (same_file(outputs[j], outputs[i])) {
        throw UsageError("two outputs are one file, '" + outputs[i] + "', expected two");
      }
    }
  }
}

io::Tensor load(const std::string& address) {
  io::Tensor tensor = io::open_tensor(address).read_all();
  if (tensor.count() == 0) {
    throw io::DataError("'" + address + "' has shape " + io::shape_text(tensor.shape) +
                        ", expected at least one element");
  }
  return tensor;
}

std::string written_line(const std::string& path, const io::Tensor& tensor,
                         const std::string& what) {
  return path + "  " + io::shape_text(tensor.shape) + " " +
         std::string(io::info(tensor.dtype).name) + ", " + what + "\n";
}

}  // namespace binade::cli

// Options that several commands share, and options whose words are parsed as they are read, so that
// an unknown name is wrong usage wherever it stands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"
#include "cli/command.hpp"
#include "io/stored_tensor.hpp"

namespace binade::cli {

/// Adds an option or positional whose word goes through `parse` (which throws
/// std::invalid_argument for a word it does not know) into `target`.
template <class T, class Parse>
CLI::Option* add_parsed(CLI::App& app, const std::string& name, T& target, Parse parse,
                        const std::string& help, const std::string& type) {
  const auto read = [&target, parse](const std::string& word) {
    try {
      target = parse(word);
    } catch (const std::invalid_argument& error) {
      throw UsageError(error.what());
    }
  };
  return app.add_option_function<std::string>(name, read, help)->type_name(type);
}

/// --format, --to, --from and their like.
CLI::Option* add_format(CLI::App& app, const std::string& name, std::optional<FloatFormat>& target,
                        const std::string& help);

struct CastOptions {
  CastRules rules;
  std::uint64_t seed = 0;
};
/// --rounding, --overflow, --nan, --random-bits and, for arrays, --seed.
void add_cast_rules(CLI::App& app, CastOptions& options, bool with_seed);

/// Errors: UsageError when an output is one of the inputs (which may be FILE:TENSOR addresses) or
/// two outputs are one file.
void check_paths(const std::vector<std::string>& inputs, const std::vector<std::string>& outputs);

/// The whole tensor at an address; DataError if it has no elements.
io::Tensor load(const std::string& address);

/// "OUT.npy  [256, 256] uint8, codes of e4m3".
std::string written_line(const std::string& path, const io::Tensor& tensor,
                         const std::string& what);

}  // namespace binade::cli

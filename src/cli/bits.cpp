// binade bits: one number in one format, bit by bit.
#include <cmath>
#include <memory>

#include "binade/formats/catalog.hpp"
#include "cli/options.hpp"
#include "cli/terminal.hpp"
#include "cli/values.hpp"

namespace binade::cli {
namespace {

struct BitsOptions {
  std::string value, code;
  FormatInfo format;
  CastOptions cast;
  std::uint64_t random = 0;
};

std::uint64_t encode_typed(const BitsOptions& options, const TypedValue& value) {
  const FloatFormat f = options.format.format;
  // The sticky bit serves up to 51 significant bits; fp64 takes the decimal's nearest double.
  if (f.precision() > 51 && value.exact.value_class == ValueClass::kFinite) {
    return encode(f, value.nearest_fp64, options.cast.rules, options.random);
  }
  return encode(f, value.exact, options.cast.rules, options.random);
}

/// "significand x 2^exponent" as integers: what the code means before any decimal.
std::string product_text(FloatFormat f, std::uint64_t code) {
  const Unpacked u = unpack(f, code);
  return std::string(u.negative ? "-" : "") + std::to_string(u.significand) + " x 2^" +
         std::to_string(u.exponent);
}

void add_neighbours(TextTable& table, FloatFormat f, std::uint64_t code) {
  const auto add = [&](const char* name, std::optional<std::uint64_t> at) {
    if (!at) {
      table.row({name, "none"});
      return;
    }
    const Wide value = to_wide(unpack(f, *at));
    table.row(
        {name, code_text(f, *at), bit_fields(f, *at), short_decimal(value, 20), hex_float(value)});
  };
  add("above", neighbour(f, code, 1));
  add("here", code);
  add("below", neighbour(f, code, -1));
}

std::string signed_text(Wide value, const char* unit) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%+.6Lg%s", value, unit);
  return buffer;
}

/// How far the code is from the number typed: absolute, in units of its last place, in percent.
std::string error_text(FloatFormat f, std::uint64_t code, const TypedValue& typed) {
  const Unpacked u = unpack(f, code);
  const Wide error = to_wide(u) - typed.nearest;
  if (std::isnan(error)) return "not a number";
  if (error == 0) return "none: exact";
  std::string text = signed_text(error, "");
  if (std::isfinite(error)) {
    text += "   " + signed_text(error / std::ldexp(Wide(1), u.exponent), " ulp");
  }
  if (typed.nearest != 0 && std::isfinite(typed.nearest))
    text += "   " + signed_text(100 * error / typed.nearest, " %");
  return text;
}

void print_bits(const BitsOptions& options, std::ostream& out) {
  const FloatFormat f = options.format.format;
  const bool by_code = !options.code.empty();
  TypedValue typed;
  std::uint64_t code = 0;
  if (by_code) {
    code = parse_code(options.code, f);
    out << "code " << options.code << " of " << options.format.name;
  } else {
    typed = parse_value(options.value);
    code = encode_typed(options, typed);
    out << options.value.substr(options.value.find_first_not_of(' ')) << " in "
        << options.format.name;
  }
  const Unpacked u = unpack(f, code);
  const Wide value = to_wide(u);
  out << " (" << options.format.source << ")";
  if (!by_code) out << ", " << name_of(options.cast.rules.rounding);
  out << "\n\n";
  out << "code    " << code_text(f, code) << "\n";
  out << "fields  " << bit_fields(f, code) << "\n";
  out << "class   " << class_name(f, code) << "\n";
  out << "value   " << exact_decimal(value) << "\n";
  if (u.value_class == ValueClass::kFinite) {
    out << "        " << hex_float(value) << " = " << product_text(f, code) << "\n";
    out << "ulp     2^" << u.exponent << " = " << short_decimal(std::ldexp(Wide(1), u.exponent), 20)
        << "\n";
  }
  if (!by_code) out << "error   " << error_text(f, code, typed) << "\n";
  if (f.is_nan(code)) return;
  TextTable table({"neighbour", "code", "fields", ">value", "hexadecimal"});
  add_neighbours(table, f, code);
  out << "\n" << table.text();
}

}  // namespace

Command bits_command() {
  return {"bits", "one number in one format: fields, value, neighbours, error",
          "binade bits 1.3 --format e4m3", [](CLI::App& app) -> Action {
            const auto options = std::make_shared<BitsOptions>();
            auto* value = app.add_option("VALUE", options->value, "decimal, 0x1.8p-3, inf or nan");
            app.add_option("--code", options->code, "a bit pattern instead: 0x7e, 0b1111110, 126")
                ->type_name("CODE")
                ->excludes(value);
            add_parsed(app, "--format", options->format, parse_format, "see binade formats",
                       "FORMAT")
                ->required();
            add_cast_rules(app, options->cast, false);
            app.add_option("--random", options->random, "the draw of a stochastic rounding")
                ->check(CLI::NonNegativeNumber)
                ->type_name("N")
                ->capture_default_str();
            return [options](Session& session) {
              if (options->value.empty() && options->code.empty()) {
                throw UsageError("bits: expected VALUE or --code CODE");
              }
              if (options->random >> options->cast.rules.random_bits != 0) {
                throw UsageError("bits: --random " + std::to_string(options->random) +
                                 " has more bits than --random-bits " +
                                 std::to_string(options->cast.rules.random_bits));
              }
              try {
                print_bits(*options, session.out);
              } catch (const std::invalid_argument& error) {
                throw UsageError(error.what());
              }
            };
          }};
}

}  // namespace binade::cli

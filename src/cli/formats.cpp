// binade formats: the catalogue as a table.
#include <memory>

#include "binade/formats/catalog.hpp"
#include "cli/command.hpp"
#include "cli/terminal.hpp"
#include "cli/values.hpp"

namespace binade::cli {
namespace {

Wide value_of(FloatFormat f, std::uint64_t code) { return to_wide(unpack(f, code)); }

std::string nan_text(FloatFormat f) {
  switch (f.specials.nan) {
    case NanCodes::kNone:
      return "-";
    case NanCodes::kTopRow:
      if (f.mantissa_bits > 16) return "2^" + std::to_string(f.mantissa_bits + 1) + " - 2 codes";
      return std::to_string(f.mantissa_mask() * (f.is_signed ? 2 : 1)) + " codes";
    case NanCodes::kNegativeZero:
      return code_text(f, f.sign_bit());
    default:
      return code_text(f, f.magnitude_mask()) +
             (f.is_signed ? ", " + code_text(f, f.magnitude_mask() | f.sign_bit()) : "");
  }
}

std::string infinity_text(FloatFormat f) {
  if (!f.has_infinity()) return "-";
  return code_text(f, f.infinity_code()) +
         (f.is_signed ? ", " + code_text(f, f.infinity_code() | f.sign_bit()) : "");
}

TextTable table() {
  TextTable table({"name", ">bits", "S/E/M", ">bias", ">max finite", ">min normal",
                   ">min subnormal", ">unit roundoff", "Inf", "NaN", "source"});
  for (const FormatInfo& info : catalog()) {
    const FloatFormat f = info.format;
    const bool subnormals = f.specials.has_zero && f.mantissa_bits > 0;
    const std::uint64_t min_normal = f.specials.has_zero ? std::uint64_t{1} << f.mantissa_bits : 0;
    table.row({info.name, std::to_string(f.bits()),
               std::to_string(f.is_signed ? 1 : 0) + "/" + std::to_string(f.exponent_bits) + "/" +
                   std::to_string(f.mantissa_bits),
               std::to_string(f.bias), power_or_decimal(value_of(f, f.max_finite_code())),
               power_or_decimal(value_of(f, min_normal)),
               subnormals ? power_or_decimal(value_of(f, 1)) : "-",
               "2^-" + std::to_string(f.precision()), infinity_text(f), nan_text(f), info.source});
  }
  return table;
}

}  // namespace

Command formats_command() {
  return {"formats", "the named formats, one row each", "binade formats --markdown",
          [](CLI::App& app) -> Action {
            const auto markdown = std::make_shared<bool>(false);
            app.add_flag("--markdown", *markdown, "as a Markdown table");
            return [markdown](Session& session) {
              if (*markdown) {
                session.out << table().markdown();
                return;
              }
              session.out << table().text()
                          << "\nUnderstood besides: binary{K}p{P}{s|u}{e|f} of IEEE P3109, and "
                             "e{X}m{Y} with ieee (default), fn, fnuz or finite behind it.\n";
            };
          }};
}

}  // namespace binade::cli

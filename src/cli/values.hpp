// Numbers as text: codes with their fields set apart, exact decimals, powers of two; and back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "binade/formats/codec.hpp"

namespace binade::cli {

/// Wide enough for every value of every format with up to 15 exponent bits and 64 significant ones.
using Wide = long double;

Wide to_wide(const Unpacked& value);

/// All digits, without exponent where that stays short: 0.001953125, 448, 2.9387358770557188e-39.
std::string exact_decimal(Wide value);
/// The first `digits` significant digits, then "..." where there are more.
std::string short_decimal(Wide value, int digits = 12);
/// 0x1.8p-3.
std::string hex_float(Wide value);
/// "2^-9", or a decimal of nine digits where it is no power of two.
std::string power_or_decimal(Wide value);

/// "0 1111 110": sign, exponent and mantissa; an unsigned format has no sign, a format without
/// mantissa none of that. In colours where the terminal has them.
std::string bit_fields(FloatFormat f, std::uint64_t code);
/// 0x7e, as many digits as the format's width needs.
std::string code_text(FloatFormat f, std::uint64_t code);
/// normal, subnormal, zero, infinity, NaN.
std::string class_name(FloatFormat f, std::uint64_t code);

/// The code next above (direction 1) or below (-1) in the order of values, infinities included;
/// zero is one point. Nothing beyond the ends or next to NaN.
std::optional<std::uint64_t> neighbour(FloatFormat f, std::uint64_t code, int direction);

/// A number as typed. `exact` holds it with a sticky last bit below the 53rd: it rounds to any
/// format of up to 51 significant bits as the decimal itself would.
struct TypedValue {
  Unpacked exact;
  Wide nearest = 0;
  double nearest_fp64 = 0;
};
/// Decimal, hexadecimal (0x1.8p-3), inf or nan, with sign. Errors: std::invalid_argument.
TypedValue parse_value(std::string_view text);

/// 0x7e, 0b1111110 or 126. Errors: std::invalid_argument, also when it has more bits than `f`.
std::uint64_t parse_code(std::string_view text, FloatFormat f);

}  // namespace binade::cli

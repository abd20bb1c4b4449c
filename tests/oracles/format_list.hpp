// The formats that the enumerating tests run over, as their documents write them, and the code that
// each should get where a number leaves its range. Independent of include/binade, as
// enumeration.hpp.
#pragma once

#include <string>
#include <vector>

#include "enumeration.hpp"

namespace oracle {

/// Formats whose codes can all be listed: the catalogue up to 19 bits.
inline std::vector<Format> catalogue() {
  return {{"tf32", 8, 10, 127, true, Kind::kIeee},   {"bf16", 8, 7, 127, true, Kind::kIeee},
          {"fp16", 5, 10, 15, true, Kind::kIeee},    {"e4m3", 4, 3, 7, true, Kind::kFn},
          {"e5m2", 5, 2, 15, true, Kind::kIeee},     {"e4m3fnuz", 4, 3, 8, true, Kind::kFnuz},
          {"e5m2fnuz", 5, 2, 16, true, Kind::kFnuz}, {"e3m4", 3, 4, 3, true, Kind::kIeee},
          {"e5m6", 5, 6, 15, true, Kind::kIeee},     {"e3m2", 3, 2, 3, true, Kind::kFinite},
          {"e2m3", 2, 3, 1, true, Kind::kFinite},    {"e2m1", 2, 1, 1, true, Kind::kFinite},
          {"e8m0", 8, 0, 127, false, Kind::kE8m0}};
}

/// Every P3109 format of widths `first` to `last`.
inline std::vector<Format> all_p3109(int first, int last) {
  std::vector<Format> list;
  for (int width = first; width <= last; ++width) {
    for (const bool is_signed : {true, false}) {
      for (int precision = 1; precision <= width - (is_signed ? 1 : 0); ++precision) {
        for (const bool extended : {true, false}) {
          list.push_back(p3109(width, precision, is_signed, extended));
        }
      }
    }
  }
  return list;
}

/// Some wider P3109 formats, those with exponents beyond fp64 among them.
inline std::vector<Format> wide_p3109() {
  std::vector<Format> list;
  for (const int width : {9, 11, 13, 16}) {
    for (const int precision : {1, 2, width / 2, width - 1}) {
      for (const bool is_signed : {true, false}) {
        list.push_back(p3109(width, precision, is_signed, (width + precision) % 2 == 0));
      }
    }
  }
  return list;
}

/// eXmY with every suffix, down to one exponent bit and no mantissa.
inline std::vector<Format> all_exmy(int most_exponent_bits, int most_mantissa_bits) {
  std::vector<Format> list;
  for (int x = 1; x <= most_exponent_bits; ++x) {
    for (int y = 0; y <= most_mantissa_bits; ++y) {
      const std::string stem = "e" + std::to_string(x) + "m" + std::to_string(y);
      const int bias = (1 << (x - 1)) - 1;
      if (y > 0) list.push_back({stem + "ieee", x, y, bias, true, Kind::kIeee});
      list.push_back({stem + "fn", x, y, bias, true, Kind::kFn});
      list.push_back({stem + "fnuz", x, y, bias + 1, true, Kind::kFnuz});
      list.push_back({stem + "finite", x, y, bias, true, Kind::kFinite});
    }
  }
  return list;
}

template <class... Lists>
std::vector<Format> joined(Lists... lists) {
  std::vector<Format> all;
  (all.insert(all.end(), lists.begin(), lists.end()), ...);
  return all;
}

inline std::uint64_t sign_place(const Format& f) {
  return std::uint64_t{1} << (f.exponent_bits + f.mantissa_bits);
}
inline bool has_negative_zero(const Format& f) {
  return f.kind == Kind::kIeee || f.kind == Kind::kFn || f.kind == Kind::kFinite;
}
inline bool has_infinity(const Format& f) {
  return f.kind == Kind::kIeee || f.kind == Kind::kP3109Extended;
}

/// P3109's saturation modes; for other formats kFinite is OFP8's SAT and kNone its NONSAT.
enum class Saturation { kFinite, kPropagate, kNone };

/// What stands for a number beyond the range under Saturation::kNone: infinity, NaN or, where there
/// is neither, the last number.
inline std::uint64_t beyond_code(const Format& f, std::uint64_t last, bool negative) {
  const std::uint64_t sign = negative ? sign_place(f) : 0;
  switch (f.kind) {
    case Kind::kIeee:
      return ((std::uint64_t{1} << f.exponent_bits) - 1) << f.mantissa_bits | sign;
    case Kind::kFn:
      return (sign_place(f) - 1) | sign;
    case Kind::kFnuz:
      return sign_place(f);
    case Kind::kFinite:
      return last | sign;
    case Kind::kE8m0:
      return 255;
    case Kind::kP3109Extended:
      if (f.is_signed) return (sign_place(f) - 1) | sign;
      return negative ? sign_place(f) - 1 : sign_place(f) - 2;
    default:
      return f.is_signed ? sign_place(f) : sign_place(f) - 1;
  }
}

/// The code of a number that rounds to point `index` of its sign's axis.
inline std::uint64_t code_of_index(const Format& f, const Axis& axis, std::size_t index,
                                   bool negative, Saturation saturation, Mode mode) {
  const std::uint64_t sign = negative ? sign_place(f) : 0;
  const bool below_range = negative && !f.is_signed && index > 0;
  if (index < axis.points.size() && !below_range) {
    const auto code = static_cast<std::uint64_t>(std::max(axis.codes[index], std::int64_t{0}));
    return code == 0 && !has_negative_zero(f) ? 0 : negative && f.is_signed ? code | sign : code;
  }
  const auto last = static_cast<std::uint64_t>(axis.codes.back());
  const std::uint64_t end = below_range ? 0 : last | sign;
  const bool odd_end = has_infinity(f) && !below_range && (last & 1) != 0;
  const bool inward = mode == Mode::kZero || mode == (negative ? Mode::kUp : Mode::kDown) ||
                      (mode == Mode::kOdd && odd_end);
  return saturation != Saturation::kNone || inward ? end : beyond_code(f, last, negative);
}

/// The code of an infinity.
inline std::uint64_t code_of_infinity(const Format& f, const Axis& axis, bool negative,
                                      Saturation saturation) {
  const auto last = static_cast<std::uint64_t>(axis.codes.back());
  const bool below_range = negative && !f.is_signed;
  const bool there_is_one = has_infinity(f) && !below_range;
  const std::uint64_t end = below_range ? 0 : last | (negative ? sign_place(f) : 0);
  const bool to_end =
      saturation == Saturation::kFinite || (saturation == Saturation::kPropagate && !there_is_one);
  return to_end ? end : beyond_code(f, last, negative);
}

}  // namespace oracle

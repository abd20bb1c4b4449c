#include "binade/formats/catalog.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <stdexcept>

#include "binade/formats/visit.hpp"

namespace binade {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool lists_word(std::string_view words, std::string_view word) {
  for (std::size_t at = 0; at < words.size();) {
    const std::size_t end = std::min(words.find(' ', at), words.size());
    if (words.substr(at, end - at) == word) return true;
    at = end + 1;
  }
  return false;
}

/// Reads a decimal number without sign or leading zeros from the front of `text`.
std::optional<int> take_number(std::string_view& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto length = static_cast<std::size_t>(end - text.data());
  if (error != std::errc{} || text.front() == '-' || (text.front() == '0' && length > 1)) {
    return std::nullopt;
  }
  text.remove_prefix(length);
  return value;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::string quoted_list(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    out += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
  }
  return out;
}

std::string p3109_name(int width, int precision, bool is_signed, bool extended) {
  return "binary" + std::to_string(width) + "p" + std::to_string(precision) +
         (is_signed ? "s" : "u") + (extended ? "e" : "f");
}

struct P3109Name {
  int width = 0, precision = 0;
  std::string letters;
};

/// The parts of binary{K}p{P}{letters}, whatever the letters; nothing if the shape is another.
std::optional<P3109Name> split_p3109(std::string_view name) {
  if (!take(name, "binary")) return std::nullopt;
  const auto width = take_number(name);
  if (!width || !take(name, "p")) return std::nullopt;
  const auto precision = take_number(name);
  if (!precision) return std::nullopt;
  return P3109Name{*width, *precision, std::string(name)};
}

FormatInfo parse_p3109(const P3109Name& parts) {
  const std::string_view letters = parts.letters;
  if (letters == "se" || letters == "sf" || letters == "ue" || letters == "uf") {
    const FloatFormat f =
        p3109_format(parts.width, parts.precision, letters[0] == 's', letters[1] == 'e');
    return {format_name(f), f, "", "IEEE P3109 interim report 4.0"};
  }
  const std::string stem =
      "binary" + std::to_string(parts.width) + "p" + std::to_string(parts.precision);
  throw std::invalid_argument("ambiguous format '" + stem + parts.letters + "': say " + stem +
                              "se, " + stem + "sf, " + stem + "ue or " + stem +
                              "uf (s signed, u unsigned, e with infinities, f finite)");
}

bool exmy_bits_valid(int exponent_bits, int mantissa_bits) {
  return exponent_bits >= 1 && exponent_bits <= 15 && mantissa_bits <= 52 &&
         1 + exponent_bits + mantissa_bits <= 64;
}

std::optional<FormatInfo> parse_exmy(std::string_view whole) {
  std::string_view name = whole;
  if (!take(name, "e")) return std::nullopt;
  const auto exponent_bits = take_number(name);
  if (!exponent_bits || !take(name, "m")) return std::nullopt;
  const auto mantissa_bits = take_number(name);
  if (!mantissa_bits) return std::nullopt;
  FloatFormat f{*exponent_bits, *mantissa_bits, 0, true, kIeee};
  if (!exmy_bits_valid(*exponent_bits, *mantissa_bits)) {
    throw std::invalid_argument("format '" + std::string(whole) +
                                "': eXmY takes X from 1 to 15, Y from 0 to 52 and 1+X+Y up to 64");
  }
  f.bias = (1 << (*exponent_bits - 1)) - 1;
  if (name == "fn") {
    f.specials = kFn;
  } else if (name == "fnuz") {
    f.specials = kFnuz;
    f.bias += 1;
  } else if (name == "finite") {
    f.specials = kFiniteOnly;
  } else if (!name.empty() && name != "ieee") {
    return std::nullopt;
  }
  if (*mantissa_bits == 0 && f.specials == kIeee) {
    throw std::invalid_argument("format '" + std::string(whole) +
                                "': one top code cannot be both Inf and NaN; say " +
                                std::string(whole) + "fn, " + std::string(whole) + "fnuz or " +
                                std::string(whole) + "finite");
  }
  return FormatInfo{format_name(f), f, "", "eXmY"};
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

}  // namespace

FloatFormat p3109_format(int width, int precision, bool is_signed, bool extended) {
  const int exponent_bits = width - precision + (is_signed ? 0 : 1);
  const std::string name = p3109_name(width, precision, is_signed, extended);
  if (width < 3 || width > 16 || precision < 1 || exponent_bits < 1) {
    throw std::invalid_argument("format '" + name +
                                "': P3109 takes a width from 3 to 16 and a precision from 1 to " +
                                (is_signed ? "width - 1" : "width"));
  }
  const int bias = 1 << (is_signed ? width - precision - 1 : width - precision);
  const NanCodes nan = is_signed ? NanCodes::kNegativeZero : NanCodes::kTopCode;
  return {exponent_bits, precision - 1, bias, is_signed, Specials{nan, extended}};
}

FormatInfo parse_format(std::string_view name) {
  const std::string word = lower(name);
  for (const FormatInfo& info : catalog()) {
    if (word == info.name || lists_word(info.aliases, word)) return info;
  }
  if (const auto parts = split_p3109(word)) return parse_p3109(*parts);
  if (auto info = parse_exmy(word)) return *info;
  std::vector<std::string> names;
  for (const FormatInfo& info : catalog()) names.push_back(info.name);
  for (const char* family : {"binary8p4se", "binary8p3se", "e4m3ieee", "e5m10"}) {
    names.emplace_back(family);
  }
  const std::string hint = word == "fp8" || word == "float8" || word == "f8" ? "e4m3 or e5m2"
                           : word.starts_with("float8_e4m3") || word == "8p4"
                               ? "e4m3 (OCP, largest 448), e4m3ieee "
                                 "(largest 240), e4m3fnuz or binary8p4se"
                               : quoted_list(nearest_names(word, names));
  throw std::invalid_argument("unknown format '" + std::string(name) + "': did you mean " + hint +
                              "? (binade formats lists them)");
}

const std::vector<FormatInfo>& catalog() {
  static const std::vector<FormatInfo> all = [] {
    std::vector<FormatInfo> list;
    for_each_format([&]<class Tag>() {
      list.push_back({Tag::name, Tag::format, Tag::aliases, Tag::source});
    });
    return list;
  }();
  return all;
}

std::string format_name(FloatFormat f) {
  for (const FormatInfo& info : catalog()) {
    if (info.format == f) return info.name;
  }
  const int width = f.bits();
  if (width >= 3 && width <= 16) {
    for (const bool extended : {true, false}) {
      if (p3109_format(width, f.precision(), f.is_signed, extended) == f) {
        return p3109_name(width, f.precision(), f.is_signed, extended);
      }
    }
  }
  const std::string stem =
      "e" + std::to_string(f.exponent_bits) + "m" + std::to_string(f.mantissa_bits);
  const int bias = (1 << (f.exponent_bits - 1)) - 1;
  if (f.is_signed && f.padding_bits == 0) {
    const bool named = exmy_bits_valid(f.exponent_bits, f.mantissa_bits);
    bool taken = false;  // a plain eXmY that the catalogue defines otherwise
    for (const FormatInfo& info : catalog()) taken = taken || info.name == stem;
    if (named && f.bias == bias && f.specials == kIeee) return taken ? stem + "ieee" : stem;
    if (named && f.bias == bias && f.specials == kFn) return stem + "fn";
    if (named && f.bias == bias + 1 && f.specials == kFnuz) return stem + "fnuz";
    if (named && f.bias == bias && f.specials == kFiniteOnly) return stem + "finite";
  }
  return "(" + stem + ", bias " + std::to_string(f.bias) + (f.is_signed ? "" : ", unsigned") +
         ", NaN rule " + std::to_string(static_cast<int>(f.specials.nan)) +
         (f.specials.has_infinity ? ", Inf" : "") + (f.specials.has_zero ? "" : ", no zero") + ")";
}

std::vector<std::string> nearest_names(std::string_view word, const std::vector<std::string>& names,
                                       std::size_t most) {
  std::vector<std::string> sorted = names;
  const std::string key = lower(word);
  std::stable_sort(sorted.begin(), sorted.end(), [&](const std::string& a, const std::string& b) {
    return edit_distance(key, a) < edit_distance(key, b);
  });
  if (sorted.size() > most) sorted.resize(most);
  return sorted;
}

}  // namespace binade

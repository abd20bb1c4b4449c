#include "binade/formats/catalog.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <sstream>
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

constexpr int kMostBias = (1 << 15) - 1;

bool exmy_bits_valid(int exponent_bits, int mantissa_bits) {
  return exponent_bits >= 1 && exponent_bits <= 15 && mantissa_bits <= 52 &&
         1 + exponent_bits + mantissa_bits <= 64;
}

int usual_bias(int exponent_bits, Specials specials) {
  return (1 << (exponent_bits - 1)) - (specials == kFnuz ? 0 : 1);
}

struct Suffix {
  std::string_view text;
  Specials specials;
};
constexpr Suffix kSuffixes[] = {
    {"ieee", kIeee}, {"fn", kFn}, {"fnuz", kFnuz}, {"finite", kFiniteOnly}};

/// "stemieee, stemfn, stemfnuz or stemfinite", without the first where there is no mantissa.
std::string with_suffixes(std::string_view stem, bool has_mantissa) {
  std::vector<std::string> names;
  for (const Suffix& suffix : kSuffixes) {
    if (has_mantissa || suffix.specials != kIeee) {
      names.push_back(std::string(stem) + std::string(suffix.text));
    }
  }
  return quoted_list(names);
}

/// e{X}m{Y}[b{bias}][suffix]; nothing if the shape is another.
std::optional<FormatInfo> parse_exmy(std::string_view whole) {
  std::string_view rest = whole;
  if (!take(rest, "e")) return std::nullopt;
  const auto exponent_bits = take_number(rest);
  if (!exponent_bits || !take(rest, "m")) return std::nullopt;
  const auto mantissa_bits = take_number(rest);
  if (!mantissa_bits) return std::nullopt;
  int own_bias = -1;
  if (take(rest, "b")) {
    own_bias = take_number(rest).value_or(-1);
    if (own_bias < 0) return std::nullopt;
  }
  const auto suffix = std::find_if(std::begin(kSuffixes), std::end(kSuffixes),
                                   [&](const Suffix& known) { return known.text == rest; });
  if (suffix == std::end(kSuffixes) && !rest.empty()) return std::nullopt;

  const std::string quoted = "format '" + std::string(whole) + "': ";
  if (!exmy_bits_valid(*exponent_bits, *mantissa_bits)) {
    throw std::invalid_argument(quoted +
                                "eXmY takes X from 1 to 15, Y from 0 to 52 and 1+X+Y up to 64");
  }
  if (own_bias > kMostBias) {
    throw std::invalid_argument(quoted + "a bias is at most " + std::to_string(kMostBias));
  }
  const std::string_view stem = whole.substr(0, whole.size() - rest.size());
  const Specials specials = suffix == std::end(kSuffixes) ? kIeee : suffix->specials;
  if (*mantissa_bits == 0 && specials == kIeee) {
    throw std::invalid_argument(quoted + "one top code cannot be both Inf and NaN; say " +
                                with_suffixes(stem, false));
  }
  if (own_bias >= 0 && rest.empty()) {
    throw std::invalid_argument(quoted + "with a bias of its own it needs to say its specials: " +
                                with_suffixes(stem, true));
  }
  const FloatFormat f{*exponent_bits, *mantissa_bits,
                      own_bias >= 0 ? own_bias : usual_bias(*exponent_bits, specials), true,
                      specials};
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

/// Words that name a family, and what they may have meant.
struct Family {
  std::string_view words;
  std::string_view members;
};
constexpr Family kFamilies[] = {
    {"fp8 float8 f8 mxfp8 8bit", "e4m3 or e5m2"},
    {"fp6 float6 f6 mxfp6", "e3m2 or e2m3"},
    {"mxfp4 nvfp4 f4 float4", "e2m1"},
    {"8p4 p4 float8_e4m3 fp8_e4m3 fp8e4m3",
     "e4m3 (OCP, largest 448), e4m3ieee (largest 240), e4m3fnuz or binary8p4se"},
    {"8p3 p3", "e5m2, e5m2fnuz or binary8p3se"},
    {"e4m3b11 float8_e4m3b11 float8_e4m3b11fnuz", "e4m3b11fnuz"},
};

std::string hint_for(const std::string& word) {
  for (const Family& family : kFamilies) {
    if (lists_word(family.words, word)) return std::string(family.members);
  }
  // Of each format the spelling that is nearest, so that three suggestions are three formats.
  std::vector<std::string> names{"binary8p4se", "binary8p3se", "e4m3ieee"};
  for (const FormatInfo& info : catalog()) {
    std::vector<std::string> spellings{info.name};
    std::istringstream aliases(info.aliases);
    for (std::string alias; aliases >> alias;) spellings.push_back(alias);
    names.push_back(nearest_names(word, spellings, 1).front());
  }
  return quoted_list(nearest_names(word, names));
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
  throw std::invalid_argument("unknown format '" + std::string(name) + "': did you mean " +
                              hint_for(word) + "? (binade formats lists them)");
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
  if (f.is_valid() && width >= 3 && width <= 16) {
    for (const bool extended : {true, false}) {
      if (p3109_format(width, f.precision(), f.is_signed, extended) == f) {
        return p3109_name(width, f.precision(), f.is_signed, extended);
      }
    }
  }
  const std::string stem =
      "e" + std::to_string(f.exponent_bits) + "m" + std::to_string(f.mantissa_bits);
  const auto suffix = std::find_if(std::begin(kSuffixes), std::end(kSuffixes),
                                   [&](const Suffix& s) { return s.specials == f.specials; });
  if (suffix != std::end(kSuffixes) && f.is_signed && f.padding_bits == 0 && f.bias >= 0 &&
      f.bias <= kMostBias && exmy_bits_valid(f.exponent_bits, f.mantissa_bits)) {
    const bool usual = f.bias == usual_bias(f.exponent_bits, f.specials);
    bool taken = false;  // a plain eXmY that the catalogue defines otherwise
    for (const FormatInfo& info : catalog()) taken = taken || info.name == stem;
    if (usual && f.specials == kIeee && !taken) return stem;
    return stem + (usual ? "" : "b" + std::to_string(f.bias)) + std::string(suffix->text);
  }
  return "(" + stem + ", bias " + std::to_string(f.bias) + (f.is_signed ? "" : ", unsigned") +
         ", NaN rule " + std::to_string(static_cast<int>(f.specials.nan)) +
         (f.specials.has_infinity ? ", Inf" : "") + (f.specials.has_zero ? "" : ", no zero") +
         (f.padding_bits == 0 ? "" : ", padding " + std::to_string(f.padding_bits)) + ")";
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

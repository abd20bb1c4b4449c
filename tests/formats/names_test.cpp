// Names of formats and rules: what is read, what is written, and what an error says.
#include <set>
#include <string>

#include "../oracles/format_list.hpp"
#include "bits.hpp"
#include "catch.hpp"

using namespace binade;

namespace {

std::string error_of(const std::string& name) {
  try {
    parse_format(name);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text + " ") {
    if (c == ' ') {
      if (!word.empty()) words.push_back(word);
      word.clear();
    } else {
      word += c;
    }
  }
  return words;
}

}  // namespace

TEST_CASE("every catalogue name and alias is read, in either case, and belongs to one format") {
  std::set<std::string> seen;
  for (const FormatInfo& info : catalog()) {
    for (const std::string& word : words_of(info.name + " " + info.aliases)) {
      CAPTURE(word);
      CHECK(seen.insert(word).second);
      CHECK(parse_format(word).format == info.format);
      CHECK(parse_format(word).name == info.name);
      std::string shouted = word;
      for (char& c : shouted) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      CHECK(parse_format(shouted).format == info.format);
    }
    CHECK(format_name(info.format) == info.name);
  }
}

TEST_CASE("every name is read back as the format it was written for") {
  for (const oracle::Format& textbook :
       oracle::joined(oracle::catalogue(), oracle::all_p3109(3, 16), oracle::all_exmy(15, 4))) {
    const FloatFormat f = parse_format(textbook.name).format;
    const std::string name = format_name(f);
    CAPTURE(textbook.name, name);
    CHECK(f.is_valid());
    CHECK(parse_format(name).format == f);
    CHECK(parse_format(name).name == name);
    CHECK(f.exponent_bits == textbook.exponent_bits);
    CHECK(f.mantissa_bits == textbook.mantissa_bits);
    CHECK(f.bias == textbook.bias);
  }
  for (const char* name : {"e4m3b11fnuz", "e5m2b0fn", "e8m10b1ieee", "e15m48", "e1m52fnuz"}) {
    CHECK(format_name(parse_format(name).format) == name);
  }
  CHECK(parse_format("e4m3b11fnuz").format == FloatFormat{4, 3, 11, true, kFnuz});
  CHECK(parse_format("e4m3b7fn").name == "e4m3");
  CHECK(parse_format("e5m10").name == "fp16");
  CHECK(parse_format("e8m7ieee").name == "bf16");
}

TEST_CASE("formats with the same letters stay apart") {
  CHECK_FALSE(parse_format("binary8p4se").format == parse_format("e4m3").format);
  CHECK_FALSE(parse_format("e4m3ieee").format == parse_format("e4m3").format);
  CHECK_FALSE(parse_format("e2m1ieee").format == parse_format("e2m1").format);
  CHECK_FALSE(parse_format("e8m10").format == parse_format("tf32").format);  // 19 bits, unpadded
  CHECK_FALSE(parse_format("e8m0fn").format == parse_format("e8m0").format);
  CHECK(format_name(parse_format("e4m3ieee").format) == "e4m3ieee");
}

TEST_CASE("an ambiguous or unknown name is answered with names that would do") {
  CHECK(error_of("8p4") ==
        "unknown format '8p4': did you mean e4m3 (OCP, largest 448), e4m3ieee (largest 240), "
        "e4m3fnuz or binary8p4se? (binade formats lists them)");
  CHECK(error_of("float8_e4m3") ==
        "unknown format 'float8_e4m3': did you mean e4m3 (OCP, largest 448), e4m3ieee (largest "
        "240), e4m3fnuz or binary8p4se? (binade formats lists them)");
  CHECK(error_of("binary8p4") ==
        "ambiguous format 'binary8p4': say binary8p4se, binary8p4sf, binary8p4ue or binary8p4uf "
        "(s signed, u unsigned, e with infinities, f finite)");
  CHECK(error_of("fp8") ==
        "unknown format 'fp8': did you mean e4m3 or e5m2? (binade formats lists them)");
  CHECK(error_of("fp6") ==
        "unknown format 'fp6': did you mean e3m2 or e2m3? (binade formats lists them)");
  CHECK(error_of("e4m3b11") ==
        "format 'e4m3b11': with a bias of its own it needs to say its specials: e4m3b11ieee, "
        "e4m3b11fn, e4m3b11fnuz or e4m3b11finite");
  CHECK(
      error_of("float8_e4m3b11fnuz") ==
      "unknown format 'float8_e4m3b11fnuz': did you mean e4m3b11fnuz? (binade formats lists them)");
  CHECK(error_of("e4m3x") ==
        "unknown format 'e4m3x': did you mean e4m3, e2m3 or e5m2? (binade formats lists them)");
  CHECK(
      error_of("e1m0") ==
      "format 'e1m0': one top code cannot be both Inf and NaN; say e1m0fn, e1m0fnuz or e1m0finite");
}

TEST_CASE("every error is one line, and what it suggests is a format") {
  for (const char* word : {"",
                           "e",
                           "e4m",
                           "e4m03",
                           "e4m-1",
                           "e99999999999m2",
                           "e0m3",
                           "e16m3",
                           "e15m52",
                           "e4m3b",
                           "e4m3b40000fn",
                           "e4m3b3",
                           "binary17p3se",
                           "binary2p1se",
                           "binary8p8se",
                           "binary8p9ue",
                           "binary8p0se",
                           "binary8",
                           "posit8",
                           "int8",
                           " e4m3",
                           "e4m3 ",
                           "nvfp4",
                           "mxfp8",
                           "torch.float8_e4m3fn",
                           "f8e4m3"}) {
    const std::string error = error_of(word);
    CAPTURE(word, error);
    CHECK(error != "no error");
    CHECK(error.find('\n') == std::string::npos);
    CHECK(error.find("'" + std::string(word) + "'") != std::string::npos);
    const std::size_t start = error.find("did you mean ");
    if (start == std::string::npos) continue;
    std::string list = error.substr(start + 13, error.find('?') - start - 13);
    for (const std::string& suggestion : words_of(list)) {
      std::string name = suggestion;
      if (name.back() == ',') name.pop_back();
      if (name == "or" || name[0] == '(' || name.back() == ')' || name == "largest") continue;
      CHECK_NOTHROW(parse_format(name));
    }
  }
}

TEST_CASE("a format without a name is written field by field") {
  CHECK(format_name({4, 3, -2, true, kFn}) == "(e4m3, bias -2, NaN rule 2)");
  CHECK(format_name({}) == "(e0m0, bias 0, NaN rule 1, Inf)");
  CHECK(format_name({8, 10, 127, true, kIeee, 12}) ==
        "(e8m10, bias 127, NaN rule 1, Inf, padding 12)");
}

TEST_CASE("arrays of formats that cannot be are refused") {
  const FloatFormat nonsense[] = {{},
                                  {0, 3, 0, true, kFiniteOnly},
                                  {4, 0, 7, true, kIeee},
                                  {4, 3, 8, false, kFnuz},
                                  {11, 53, 1023, true, kFn},
                                  {4, 3, 7, true, kFn, 60},
                                  {17, 3, 7, true, kFn}};
  for (const FloatFormat f : nonsense) {
    std::uint64_t in = 0, out = 0;
    float y = 0;
    CAPTURE(format_name(f));
    CHECK_THROWS_AS(cast(f, &in, kFp32Format, &out, 1), std::invalid_argument);
    CHECK_THROWS_AS(cast(kFp32Format, &in, f, &out, 1), std::invalid_argument);
    CHECK_THROWS_AS(decode(f, &in, {&y, 1}), std::invalid_argument);
  }
}

TEST_CASE("rules are read back by name, and errors list the choices") {
  for (const std::string& name : rounding_names()) CHECK(name_of(parse_rounding(name)) == name);
  for (const std::string& name : nan_rule_names()) CHECK(name_of(parse_nan_rule(name)) == name);
  for (const std::string& name : overflow_names()) {
    CastRules rules;
    CHECK_NOTHROW(parse_overflow(name, rules));
  }
  CHECK_THROWS_WITH(parse_rounding("nearest"),
                    "unknown rounding 'nearest': expected one of nearest_even, nearest_away, "
                    "toward_zero, up, down, to_odd, stochastic_a, stochastic_b, stochastic_c");
  CastRules rules;
  CHECK_THROWS_WITH(parse_overflow("sat", rules),
                    "unknown overflow rule 'sat': expected one of saturate, special, sat_finite, "
                    "sat_propagate, sat_none");
  CHECK_THROWS_WITH(parse_nan_rule("quiet"),
                    "unknown NaN rule 'quiet': expected one of canonical, keep_sign");
}

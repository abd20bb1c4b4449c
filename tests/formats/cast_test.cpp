// Array casts: equal to the scalar core on every ISA, for every pair of formats and every rule.
#include "binade/formats/cast.hpp"

#include <cstring>
#include <random>
#include <vector>

#include "binade/formats/catalog.hpp"
#include "catch.hpp"

using namespace binade;

namespace {

std::vector<std::uint64_t> random_codes(FloatFormat f, std::size_t count, unsigned seed) {
  std::mt19937_64 bits(seed);
  std::vector<std::uint64_t> codes(count);
  for (std::size_t i = 0; i < count; ++i) {
    // Half uniform bit patterns, half around the small numbers where subnormals live.
    const std::uint64_t any = bits();
    codes[i] = (i % 2 == 0 ? any : any % (f.max_finite_code() + 2) / (1 + any % 7)) & f.code_mask();
  }
  return codes;
}

std::vector<std::byte> pack(FloatFormat f, const std::vector<std::uint64_t>& codes) {
  const std::size_t width = static_cast<std::size_t>(f.container_bits()) / 8;
  std::vector<std::byte> bytes(codes.size() * width);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::uint64_t word = container_of_code(f, codes[i]);
    std::memcpy(bytes.data() + i * width, &word, width);  // little-endian, as all supported hosts
  }
  return bytes;
}

std::vector<FloatFormat> some_formats() {
  std::vector<FloatFormat> list;
  for (const FormatInfo& info : catalog()) list.push_back(info.format);
  for (const char* name :
       {"binary8p4se", "binary8p1uf", "binary16p1se", "binary12p5ue", "e7m8", "e11m20"}) {
    list.push_back(parse_format(name).format);
  }
  return list;
}

}  // namespace

TEST_CASE("array casts equal the scalar core on every ISA") {
  const Isa before = isa();
  for (const FloatFormat from : some_formats()) {
    const auto codes = random_codes(from, 4100, 7);
    const auto source = pack(from, codes);
    for (const FloatFormat to : some_formats()) {
      for (const std::string& rounding : rounding_names()) {
        for (const char* overflow : {"saturate", "special", "sat_propagate"}) {
          CastRules rules;
          rules.rounding = parse_rounding(rounding);
          parse_overflow(overflow, rules);
          rules.random_bits = 11;
          rules.nan = overflow[1] == 'a' ? NanRule::kCanonical : NanRule::kKeepSign;
          std::vector<std::uint64_t> expected(codes.size());
          for (std::size_t i = 0; i < codes.size(); ++i) {
            expected[i] = convert(from, codes[i], to, rules, random_at(3, i) & 0x7ff);
          }
          const auto want = pack(to, expected);
          for (const Isa choice : supported_isas()) {
            set_isa(choice);
            std::vector<std::byte> got(want.size());
            cast(from, source.data(), to, got.data(), codes.size(), rules, 3);
            if (got != want) {
              std::size_t i = 0;
              const std::size_t width = want.size() / codes.size();
              while (std::memcmp(&got[i * width], &want[i * width], width) == 0) ++i;
              CAPTURE(format_name(from), format_name(to), rounding, overflow, isa_name(choice), i,
                      codes[i], expected[i]);
              REQUIRE(false);
            }
          }
        }
      }
    }
  }
  set_isa(before);
  SUCCEED("every pair, rule and ISA");
}

TEST_CASE("decode equals the widening cast for every code, and its blocks join") {
  for (const FloatFormat f : some_formats()) {
    if (f.bits() > 16 || !embeds_in(f, kFp32Format)) continue;
    std::vector<std::uint64_t> codes(std::size_t{1} << f.bits());
    for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = i;
    const auto packed = pack(f, codes);
    for (const Isa choice : supported_isas()) {
      const Isa before = isa();
      set_isa(choice);
      std::vector<float> got(codes.size()), want(codes.size());
      decode(f, packed.data(), got);
      cast(f, packed.data(), kFp32Format, want.data(), want.size(), kIeeeRules);
      set_isa(before);
      CAPTURE(format_name(f), isa_name(choice));
      CHECK(std::memcmp(got.data(), want.data(), got.size() * sizeof(float)) == 0);
    }
  }
}

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
        for (const auto& [overflow, random_bits] :
             {std::pair{"saturate", 11}, {"special", 1}, {"sat_propagate", kMaxRandomBits}}) {
          CastRules rules;
          rules.rounding = parse_rounding(rounding);
          parse_overflow(overflow, rules);
          rules.random_bits = random_bits;
          rules.nan = overflow[1] == 'a' ? NanRule::kCanonical : NanRule::kKeepSign;
          const std::uint64_t mask = (std::uint64_t{1} << random_bits) - 1;
          std::vector<std::uint64_t> expected(codes.size());
          for (std::size_t i = 0; i < codes.size(); ++i) {
            expected[i] = convert(from, codes[i], to, rules, random_at(3, i) & mask);
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

TEST_CASE("casts in place, where the containers are of equal width") {
  for (const auto& [from, to] : {std::pair{"fp32", "tf32"}, {"e4m3", "e5m2"}, {"bf16", "fp16"}}) {
    const FloatFormat f = parse_format(from).format, g = parse_format(to).format;
    const auto codes = random_codes(f, 5000, 2);
    auto data = pack(f, codes);
    std::vector<std::byte> want(data.size());
    cast(f, data.data(), g, want.data(), codes.size());
    cast(f, data.data(), g, data.data(), codes.size());
    CAPTURE(from, to);
    CHECK(data == want);
  }
}

TEST_CASE("round_to is decode after encode, in place or not") {
  const auto codes = random_codes(kFp32Format, 5000, 4);
  std::vector<float> x(codes.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = bit_cast<float>(static_cast<std::uint32_t>(codes[i]));
  }
  for (const char* name : {"e4m3", "tf32", "binary8p3se", "e8m0"}) {
    const FloatFormat f = parse_format(name).format;
    std::vector<float> got(x.size()), want(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      want[i] = static_cast<float>(decode(f, encode(f, x[i])));
    }
    round_to(f, x, got);
    CAPTURE(name);
    CHECK(std::memcmp(got.data(), want.data(), got.size() * sizeof(float)) == 0);
    auto in_place = x;
    round_to(f, in_place, in_place);
    CHECK(std::memcmp(in_place.data(), want.data(), got.size() * sizeof(float)) == 0);
  }
  CHECK_THROWS_WITH(round_to(E4M3::format, x, std::span(x).first(3)),
                    "round_to: 5000 inputs for 3 outputs");
  CHECK_THROWS_WITH(round_to(kFp64Format, x, x), "format fp64 does not fit in fp32");
}

TEST_CASE("no elements are no work") {
  cast(kFp32Format, nullptr, E4M3::format, nullptr, 0);
  decode(E4M3::format, nullptr, {});
  round_to(E4M3::format, {}, {});
  SUCCEED("null pointers were not touched");
}

TEST_CASE(
    "TF32 lies in the upper 19 bits: the others are dropped when read and zero when written") {
  const std::uint32_t dirty = 0x3f801fff;  // 1, and padding that a tensor core does not see
  float value = 0;
  decode(Tf32::format, &dirty, {&value, 1});
  CHECK(value == 1);
  const std::uint32_t fp32[] = {0x3f801fff, 0x3f800fff, 0x3f801000, 0x3f803000};
  std::uint32_t tf32[4] = {};
  cast(kFp32Format, fp32, Tf32::format, tf32, 4);
  CHECK(tf32[0] == 0x3f802000);
  CHECK(tf32[1] == 0x3f800000);
  CHECK(tf32[2] == 0x3f800000);  // a tie
  CHECK(tf32[3] == 0x3f804000);
}

TEST_CASE("large arrays, which are written past the caches, hold the bytes of small ones") {
  constexpr std::size_t kCount = (std::size_t{1} << 22) + 77, kPiece = 4096;  // 20 MB and more
  std::vector<float> x(kCount);
  for (std::size_t i = 0; i < kCount; ++i) x[i] = bit_cast<float>(random_at(1, i));
  std::vector<std::uint16_t> whole(kCount + 64), pieces(kCount);
  std::vector<float> values(kCount + 16), want(kCount);
  for (const FloatFormat f : {E4M3::format, Fp16::format}) {
    const std::size_t width = static_cast<std::size_t>(f.container_bits()) / 8;
    for (const Isa choice : supported_isas()) {
      set_isa(choice);
      for (std::size_t at = 0; at < kCount; at += kPiece) {
        const std::size_t n = std::min(kPiece, kCount - at);
        cast(kFp32Format, &x[at], f, reinterpret_cast<std::byte*>(pieces.data()) + at * width, n);
        decode(f, reinterpret_cast<std::byte*>(pieces.data()) + at * width, {&want[at], n});
      }
      for (const std::size_t offset : {0, 1, 6, 32, 63}) {  // of the target's first byte
        if (offset % width != 0) continue;
        std::byte* codes = reinterpret_cast<std::byte*>(whole.data()) + offset;
        std::memset(whole.data(), 0xaa, whole.size() * 2);
        cast(kFp32Format, x.data(), f, codes, kCount);
        REQUIRE(std::memcmp(codes, pieces.data(), kCount * width) == 0);
        REQUIRE(codes[kCount * width] == std::byte{0xaa});
        REQUIRE((offset == 0 || codes[-1] == std::byte{0xaa}));
        const std::span<float> out(values.data() + offset / 8, kCount);
        decode(f, codes, out);
        REQUIRE(std::memcmp(out.data(), want.data(), kCount * sizeof(float)) == 0);
        round_to(f, x, out);
        REQUIRE(std::memcmp(out.data(), want.data(), kCount * sizeof(float)) == 0);
      }
    }
  }
  set_isa(supported_isas().back());
}

TEST_CASE("draws of a large stochastic cast do not depend on where its blocks end") {
  constexpr std::size_t kCount = (std::size_t{1} << 22) + 5;
  CastRules rules;
  rules.rounding = Rounding::kStochasticC;
  const std::vector<float> x(kCount, 1.03f);
  std::vector<std::uint8_t> codes(kCount + 64);
  for (const Isa choice : supported_isas()) {
    set_isa(choice);
    cast(kFp32Format, x.data(), E4M3::format, codes.data() + 3, kCount, rules, 9);
    for (std::size_t i = 0; i < kCount; i += 1 + i % 89) {
      REQUIRE(codes[i + 3] == encode(E4M3::format, x[i], rules, random_at(9, i) & 0xff));
    }
  }
  set_isa(supported_isas().back());
}

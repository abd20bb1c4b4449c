// The hand-written loops against the scalar core where roundings turn: every code's value, every
// tie between two codes, and fp32's neighbours of both, for every shape of format that the loops
// serve or just do not.
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"
#include "bits.hpp"
#include "catch.hpp"

using namespace binade;

namespace {

/// Formats of up to 16 bits with all kinds of specials, and biases that bring both ends of fp32's
/// exponents into play.
std::vector<FloatFormat> narrow_formats() {
  std::vector<FloatFormat> list;
  for (const FormatInfo& info : catalog()) {
    if (info.format.bits() <= 16) list.push_back(info.format);
  }
  for (int exponent = 1; exponent <= 8; ++exponent) {
    for (int mantissa = 0; mantissa <= 8; ++mantissa) {
      if (exponent + mantissa > 11) continue;
      const std::string name = "e" + std::to_string(exponent) + "m" + std::to_string(mantissa);
      for (const char* suffix : {"ieee", "fn", "fnuz", "finite"}) {
        if (mantissa == 0 && std::string(suffix) == "ieee") continue;
        list.push_back(parse_format(name + suffix).format);
      }
    }
  }
  for (const char* name : {"binary8p1se", "binary8p2se", "binary8p3sf", "binary8p4se",
                           "binary8p5sf", "binary8p7se", "binary12p5ue"}) {
    list.push_back(parse_format(name).format);
  }
  for (const int bias : {127, 126, 101, 100, -72, -73, -89, -90, -98, -99, -100}) {
    list.push_back({4, 3, bias, true, kFn});
    list.push_back({5, 2, bias, true, kIeee});
    list.push_back({5, 6, bias, true, kFnuz});
  }
  return list;
}

std::vector<float> turning_points(FloatFormat f) {
  std::vector<float> x;
  const auto add_around = [&](double value) {
    const auto at = static_cast<float>(value);
    for (const float each : {at, std::nextafter(at, kInf), std::nextafter(at, -kInf)}) {
      x.push_back(each);
      x.push_back(-each);
    }
  };
  const std::uint64_t last = f.max_finite_code();
  const std::uint64_t step = last > 0x2000 ? 7 : 1;  // of the widest a part, ends included
  for (std::uint64_t code = 0; code <= last; code += code < 64 || code + 64 > last ? 1 : step) {
    const double value = decode(f, code);
    const double next = code < last ? decode(f, code + 1) : 2 * value - decode(f, code - 1);
    add_around(value);
    add_around((value + next) / 2);
    if (code == last) add_around(next);
  }
  for (const std::uint32_t bits :
       {0x00000000u, 0x00000001u, 0x007fffffu, 0x00800000u, 0x7f7fffffu, 0x7f800000u, 0x7f800001u,
        0x7fbfffffu, 0x7fc00000u, 0x7fffffffu, 0x7f80ffffu, 0x7fc08000u}) {
    x.push_back(bit_cast<float>(bits));
    x.push_back(bit_cast<float>(bits | 0x80000000u));
  }
  return x;
}

std::uint64_t container_at(FloatFormat f, const std::vector<std::byte>& data, std::size_t i) {
  const auto width = static_cast<std::size_t>(f.container_bits()) / 8;
  std::uint64_t word = 0;
  std::memcpy(&word, data.data() + i * width, width);
  return word;
}

std::vector<CastRules> all_rules() {
  std::vector<CastRules> list;
  for (const char* overflow : {"saturate", "special", "sat_propagate"}) {
    for (const char* nan : {"canonical", "keep_sign"}) {
      list.push_back(rules_of("nearest_even", overflow, nan));
    }
  }
  return list;
}

}  // namespace

TEST_CASE("fp32 to narrow codes and values at every turning point") {
  const Isa before = isa();
  for (const FloatFormat f : narrow_formats()) {
    const std::vector<float> x = turning_points(f);
    const auto width = static_cast<std::size_t>(f.container_bits()) / 8;
    for (const CastRules& rules : all_rules()) {
      std::vector<std::uint64_t> want(x.size());
      for (std::size_t i = 0; i < x.size(); ++i) {
        want[i] = container_of_code(f, encode(f, x[i], rules));
      }
      for (const Isa choice : supported_isas()) {
        set_isa(choice);
        std::vector<std::byte> codes(x.size() * width);
        std::vector<float> values(x.size());
        cast(kFp32Format, x.data(), f, codes.data(), x.size(), rules);
        const bool has_values = embeds_in(f, kFp32Format);
        if (has_values) round_to(f, x, values, rules);
        for (std::size_t i = 0; i < x.size(); ++i) {
          const std::uint64_t got = container_at(f, codes, i);
          const auto value = static_cast<float>(decode(f, code_of_container(f, want[i])));
          const bool right =
              got == want[i] &&
              (!has_values || bit_cast<std::uint32_t>(value) == bit_cast<std::uint32_t>(values[i]));
          if (!right) {
            CAPTURE(format_name(f), name_of(rules.nan), static_cast<int>(rules.overflow),
                    static_cast<int>(rules.infinity), isa_name(choice), i, hex(got), hex(want[i]),
                    value, values[i]);
            CAPTURE(hex(bit_cast<std::uint32_t>(x[i])));
            REQUIRE(false);
          }
        }
      }
    }
  }
  set_isa(before);
}

TEST_CASE("decode of every byte, whatever stands above the code, in short and long arrays") {
  const Isa before = isa();
  for (const FloatFormat f : narrow_formats()) {
    if (f.container_bits() != 8 || !embeds_in(f, kFp32Format)) continue;
    for (const std::size_t count : {std::size_t{256}, std::size_t{512}, std::size_t{4099}}) {
      std::vector<std::uint8_t> codes(count + 3);
      for (std::size_t i = 0; i < codes.size(); ++i)
        codes[i] = static_cast<std::uint8_t>(i * 5 + i / 256);
      for (const Isa choice : supported_isas()) {
        set_isa(choice);
        std::vector<float> values(count);
        decode(f, codes.data() + 3, values);
        for (std::size_t i = 0; i < count; ++i) {
          const std::uint64_t code = code_of_container(f, codes[i + 3]);
          const auto want = static_cast<std::uint32_t>(convert(f, code, kFp32Format, kIeeeRules));
          if (bit_cast<std::uint32_t>(values[i]) != want) {
            CAPTURE(format_name(f), isa_name(choice), count, i, hex(codes[i + 3]), hex(want));
            CAPTURE(hex(bit_cast<std::uint32_t>(values[i])));
            REQUIRE(false);
          }
        }
      }
    }
  }
  set_isa(before);
}

TEST_CASE("casts of any length from and to any address touch what is theirs") {
  constexpr std::size_t kMost = 200, kGuard = 64;
  std::vector<float> x(kMost + 16);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = std::ldexp(1.0f + 0.37f * float(i % 7), int(i % 9) - 5);
  for (std::size_t i = 5; i < x.size(); i += 31) x[i] = bit_cast<float>(0xff812345u);
  const Isa before = isa();
  for (const char* name : {"e4m3", "e5m2fnuz", "e2m1", "fp16", "bf16", "e5m6"}) {
    const FloatFormat f = parse_format(name).format;
    const auto width = static_cast<std::size_t>(f.container_bits()) / 8;
    for (const Isa choice : supported_isas()) {
      set_isa(choice);
      for (std::size_t n = 0; n <= kMost; ++n) {
        const std::size_t from = n % 5, to = kGuard + n % 7 * width;
        std::vector<std::byte> codes(to + kMost * width + kGuard, std::byte{0xa5});
        cast(kFp32Format, x.data() + from, f, codes.data() + to, n);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < codes.size(); ++i) {
          if (i >= to && i < to + n * width) continue;
          wrong += codes[i] != std::byte{0xa5};
        }
        for (std::size_t i = 0; i < n; ++i) {
          std::uint64_t got = 0;
          std::memcpy(&got, codes.data() + to + i * width, width);
          wrong += got != encode(f, x[from + i]);
        }
        std::vector<float> values(n + 2, 7.0f);
        decode(f, codes.data() + to, std::span(values).subspan(1, n));
        wrong += values[0] != 7.0f || values[n + 1] != 7.0f;
        for (std::size_t i = 0; i < n; ++i) {
          const auto want = static_cast<float>(decode(f, encode(f, x[from + i])));
          wrong += bit_cast<std::uint32_t>(values[i + 1]) != bit_cast<std::uint32_t>(want);
        }
        CAPTURE(name, isa_name(choice), n);
        REQUIRE(wrong == 0);
      }
    }
  }
  set_isa(before);
}

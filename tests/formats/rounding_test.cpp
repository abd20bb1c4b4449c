// encode against brute force: every gap between two neighbours of a format, at its ends, its middle
// and next to them, under every rounding and saturation mode.
#include <array>
#include <cmath>
#include <random>
#include <vector>

#include "../oracles/format_list.hpp"
#include "bits.hpp"
#include "catch.hpp"

using namespace binade;
using oracle::Mode;
using oracle::Saturation;

namespace {

constexpr std::array kModes{Mode::kEven, Mode::kAway, Mode::kZero, Mode::kUp, Mode::kDown,
                            Mode::kOdd,  Mode::kA,    Mode::kB,    Mode::kC};
constexpr std::array kSaturations{Saturation::kFinite, Saturation::kPropagate, Saturation::kNone};

CastRules rules_for(Mode mode, Saturation saturation, int random_bits) {
  static const std::vector<std::string> names = rounding_names();  // in the order of kModes
  constexpr const char* kNames[] = {"sat_finite", "sat_propagate", "sat_none"};
  CastRules rules =
      rules_of(names[static_cast<std::size_t>(mode)], kNames[static_cast<int>(saturation)]);
  rules.random_bits = random_bits;
  return rules;
}

/// low + t / 2^kGapBits of the gap between two points, exactly.
constexpr int kGapBits = 20;
Unpacked inside_gap(const oracle::Dyadic& low, const oracle::Dyadic& high, std::uint64_t t) {
  const int common = std::min(low.exponent, high.exponent);
  const oracle::cpp_int a = low.integer << static_cast<unsigned>(low.exponent - common);
  const oracle::cpp_int b = high.integer << static_cast<unsigned>(high.exponent - common);
  const oracle::cpp_int x = (a << kGapBits) + t * (b - a);
  return {ValueClass::kFinite, false, common - kGapBits, x.convert_to<std::uint64_t>()};
}

class Judge {
 public:
  explicit Judge(const oracle::Format& textbook)
      : textbook_(textbook),
        format_(parse_format(textbook.name).format),
        axis_(oracle::positive_axis(textbook)) {}

  const oracle::Axis& axis() const { return axis_; }

  /// One number, either sign, every rounding and saturation mode.
  void judge(Unpacked x) {
    const oracle::Place place = oracle::locate(axis_, {oracle::cpp_int(x.significand), x.exponent});
    for (const bool negative : {false, true}) {
      x.negative = negative;
      for (const Mode mode : kModes) {
        const int random_bits = mode < Mode::kA ? 1 : kRandomBits[draws_() % kRandomBits.size()];
        const std::uint64_t random = draws_() & ((std::uint64_t{1} << random_bits) - 1);
        const std::size_t index =
            oracle::round_index(axis_, place, mode, negative, random_bits, random);
        for (const Saturation saturation : kSaturations) {
          const std::uint64_t want =
              oracle::code_of_index(textbook_, axis_, index, negative, saturation, mode);
          const CastRules rules = rules_for(mode, saturation, random_bits);
          const std::uint64_t got = encode(format_, x, rules, random);
          if (got == want) continue;
          CAPTURE(textbook_.name, x.significand, x.exponent, negative, name_of(rules.rounding),
                  static_cast<int>(saturation), random_bits, random);
          REQUIRE(hex(got) == hex(want));
        }
      }
    }
  }

  void judge_gap(const oracle::Dyadic& low, const oracle::Dyadic& high) {
    constexpr std::uint64_t kHalf = 1u << (kGapBits - 1);
    for (const std::uint64_t t :
         {std::uint64_t{0}, std::uint64_t{1}, kHalf / 2, kHalf - 1, kHalf, kHalf + 1,
          kHalf + kHalf / 2, 2 * kHalf - 1, draws_() % (2 * kHalf), draws_() % (2 * kHalf)}) {
      judge(inside_gap(low, high, t));
    }
  }

  void judge_infinities() {
    for (const bool negative : {false, true}) {
      for (const Mode mode : kModes) {
        for (const Saturation saturation : kSaturations) {
          CAPTURE(textbook_.name, negative, static_cast<int>(mode), static_cast<int>(saturation));
          const Unpacked x{ValueClass::kInfinity, negative, 0, 0};
          CHECK(hex(encode(format_, x, rules_for(mode, saturation, 1))) ==
                hex(oracle::code_of_infinity(textbook_, axis_, negative, saturation)));
        }
      }
    }
  }

 private:
  static constexpr std::array<int, 5> kRandomBits{1, 3, 8, 21, 30};
  oracle::Format textbook_;
  FloatFormat format_;
  oracle::Axis axis_;
  std::mt19937_64 draws_{17};
};

/// The gaps of a format, or of a large one those at both ends and a sample of the others.
void judge_format(const oracle::Format& textbook) {
  Judge judge(textbook);
  const oracle::Axis& axis = judge.axis();
  const std::size_t gaps = axis.points.size();
  std::mt19937 pick(3);
  for (std::size_t i = 0; i < gaps; ++i) {
    const bool at_end = i < 20 || i + 20 >= gaps;
    if (gaps > 256 && !at_end && pick() % (gaps / 100) != 0) continue;
    judge.judge_gap(axis.points[i], i + 1 < gaps ? axis.points[i + 1] : axis.next);
  }
  // Far below the first point and far beyond the last.
  const int first = axis.points.size() > 1 ? axis.points[1].exponent : axis.next.exponent;
  for (const int down : {2, 19, 31, 32, 33, 62, 64, 65, 200}) {
    for (const std::uint64_t s :
         {std::uint64_t{1}, std::uint64_t{3}, (std::uint64_t{1} << 53) - 1}) {
      judge.judge({ValueClass::kFinite, false, first - down, s});
    }
  }
  const int last = axis.next.exponent;
  for (const int up : {0, 1, 2, 30, 60, 2000, 40000}) {
    const auto s = axis.next.integer.convert_to<std::uint64_t>();
    judge.judge({ValueClass::kFinite, false, last + up, s});
    judge.judge({ValueClass::kFinite, false, last + up - kGapBits, (s << kGapBits) + 1});
  }
  judge.judge({ValueClass::kFinite, false, 0, 0});
  judge.judge_infinities();
}

}  // namespace

TEST_CASE("encode equals brute force: the catalogue") {
  for (const oracle::Format& f : oracle::catalogue()) judge_format(f);
}

TEST_CASE("encode equals brute force: every P3109 format up to 8 bits") {
  for (const oracle::Format& f : oracle::all_p3109(3, 8)) judge_format(f);
}

TEST_CASE("encode equals brute force: wide P3109 formats, with exponents beyond fp64") {
  for (const oracle::Format& f : oracle::wide_p3109()) judge_format(f);
}

TEST_CASE("encode equals brute force: small eXmY with every kind of specials") {
  for (const oracle::Format& f : oracle::all_exmy(4, 3)) judge_format(f);
}

TEST_CASE("numbers beyond the last binade overflow, however far beyond") {
  // 2^16000 in e15m48 once wrapped around in the 64 bits of an fp64 grid point.
  const FloatFormat wide = parse_format("e15m48").format;
  for (const int exponent : {1024, 3000, 8191, 16000, 16383}) {
    const std::uint64_t code = static_cast<std::uint64_t>(exponent + wide.bias)
                               << wide.mantissa_bits;
    CAPTURE(exponent);
    CHECK(hex(convert(wide, code, kFp64Format, kIeeeRules)) == hex(0x7ff0000000000000u));
    CHECK(hex(convert(wide, code, kFp64Format)) == hex(0x7fefffffffffffffu));
    CHECK(hex(convert(wide, code, E4M3::format)) == hex(0x7e));
  }
}

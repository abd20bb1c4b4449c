// Casts on the device against the CPU's, bit for bit: every pair of formats, rounding and rule.
#include "binade/cuda/cast.hpp"

#include <cstring>
#include <set>

#include "binade/cuda/memory.hpp"
#include "binade/formats/visit.hpp"
#include "catch.hpp"

using namespace binade;

namespace {

std::size_t bytes_of(FloatFormat f) { return static_cast<std::size_t>(f.container_bits()) / 8; }

/// Containers of `f`: all of them where they are few, else random ones with every exponent, and the
/// specials of fp32 and their neighbours.
std::vector<std::byte> inputs_of(FloatFormat f, std::size_t count) {
  std::vector<std::byte> data(count * bytes_of(f));
  constexpr std::uint32_t kCorners[] = {0,          0x80000000, 1,          0x007fffff, 0x00800000,
                                        0x7f7fffff, 0x7f800000, 0xff800000, 0x7f800001, 0xffc00000,
                                        0x7fffffff, 0x43e00000, 0x43e80000, 0x43e80001, 0x3a800000,
                                        0x3a800001, 0x47800000, 0x477fefff, 0x477ff000, 0x33000000};
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t word = std::uint64_t{random_at(7, 2 * i)} << 32 | random_at(7, 2 * i + 1);
    if (f.bits() <= 16) word = i;
    if (f == kFp32Format && i < std::size(kCorners)) word = kCorners[i];
    // Most numbers near one, where the narrow formats live.
    if (f == kFp32Format && i % 4 != 0 && i >= std::size(kCorners)) {
      word = (word & 0x807fffff) | (127 - 20 + (word >> 32) % 40) << 23;
    }
    if (f == kFp64Format && i % 4 != 0) {
      word = (word & 0x800fffffffffffff) | std::uint64_t{1023 - 20 + random_at(8, i) % 40} << 52;
    }
    word = container_of_code(f, word & f.code_mask());
    std::memcpy(data.data() + i * bytes_of(f), &word, bytes_of(f));
  }
  return data;
}

/// How many bytes of two casts differ, and the first.
template <class Twin>
void check_twin(FloatFormat from, FloatFormat to, CastRules rules, std::size_t count, Twin&& twin) {
  const auto in = inputs_of(from, count);
  std::vector<std::byte> want(count * bytes_of(to)), got(want.size(), std::byte{0xa5});
  cast(from, in.data(), to, want.data(), count, rules, 11);
  twin(from, in.data(), to, got.data(), count, rules);
  if (got == want) return;
  std::size_t i = 0;
  while (std::memcmp(&got[i * bytes_of(to)], &want[i * bytes_of(to)], bytes_of(to)) == 0) ++i;
  std::uint64_t words[3] = {};
  std::memcpy(&words[0], &in[i * bytes_of(from)], bytes_of(from));
  std::memcpy(&words[1], &got[i * bytes_of(to)], bytes_of(to));
  std::memcpy(&words[2], &want[i * bytes_of(to)], bytes_of(to));
  CAPTURE(format_name(from), format_name(to), name_of(rules.rounding), i, words[0], words[1],
          words[2]);
  CHECK(got == want);
}

void portable(FloatFormat from, const void* in, FloatFormat to, void* out, std::size_t n,
              CastRules rules) {
  cuda::cast_portable(from, in, to, out, n, rules, 11);
}
void hardware(FloatFormat from, const void* in, FloatFormat to, void* out, std::size_t n,
              CastRules rules) {
  cuda::cast_hw(from, in, to, out, n, rules);
}

std::vector<CastRules> rules_of(Rounding rounding) {
  std::vector<CastRules> all;
  for (const auto overflow : {Overflow::kSaturate, Overflow::kSpecial}) {
    for (const auto infinity : {InfinityRule::kSaturate, InfinityRule::kPropagate}) {
      for (const auto nan : {NanRule::kCanonical, NanRule::kKeepSign}) {
        all.push_back({rounding, overflow, infinity, nan, 5});
      }
    }
  }
  return all;
}

std::size_t count_for(FloatFormat from) {
  return from.bits() <= 16 ? std::size_t{1} << from.bits() : 20011;
}

}  // namespace

TEST_CASE("the portable text: every pair of formats, every rounding", "[cast]") {
  for_each_format([]<class From>() {
    for_each_format([]<class To>() {
      for (const std::string& name : rounding_names()) {
        CastRules rules;
        rules.rounding = parse_rounding(name);
        check_twin(From::format, To::format, rules, count_for(From::format), portable);
      }
    });
  });
}

TEST_CASE("the portable text: formats that have no name", "[cast]") {
  for (const char* name :
       {"binary8p4se", "binary8p3ue", "e4m3b11fnuz", "e3m8", "e11m20", "e15m10"}) {
    const FloatFormat f = parse_format(name).format;
    for (const FloatFormat other : {kFp32Format, kFp64Format, E4M3::format}) {
      check_twin(f, other, {}, count_for(f), portable);
      check_twin(other, f, {}, count_for(other), portable);
    }
  }
}

TEST_CASE("every rule for overflow, infinity and NaN", "[cast]") {
  for (const Rounding rounding : {Rounding::kNearestEven, Rounding::kTowardZero, Rounding::kUp,
                                  Rounding::kToOdd, Rounding::kStochasticB}) {
    for (const CastRules rules : rules_of(rounding)) {
      for (const FloatFormat to : {E4M3::format, E5M2::format, Fp16::format, Tf32::format}) {
        check_twin(kFp32Format, to, rules, 50021, portable);
      }
    }
  }
}

TEST_CASE("the instructions: every pair that has them, every rule", "[cast]") {
  int pairs = 0;
  for_each_format([&]<class From>() {
    for_each_format([&]<class To>() {
      if (!cuda::has_hw_cast(From::format, To::format)) return;
      ++pairs;
      for (const CastRules rules : rules_of(Rounding::kNearestEven)) {
        check_twin(From::format, To::format, rules,
                   From::format.bits() == 32 ? 1000003 : count_for(From::format), hardware);
      }
    });
  });
  CHECK(pairs == 18);
}

TEST_CASE("all lengths up to a few vectors, and arrays off the grid", "[small]") {
  for (std::size_t n = 0; n < 70; ++n) {
    check_twin(kFp32Format, E4M3::format, {}, n, hardware);
    check_twin(Bf16::format, E5M2::format, {}, n, hardware);
    check_twin(E4M3::format, kFp32Format, {}, n, hardware);
    check_twin(kFp32Format, E5M6::format, {}, n, portable);
  }
  const std::size_t count = 4001;
  const auto in = inputs_of(kFp32Format, count + 1);
  std::vector<std::uint8_t> want(count), got(count);
  cast(kFp32Format, in.data() + 4, E4M3::format, want.data(), count);
  const cuda::DeviceArray source(in.data(), in.size());
  cuda::DeviceArray target(count + 3);
  cuda::cast_on_device(kFp32Format, source.as<float>() + 1, E4M3::format,
                       target.as<std::uint8_t>() + 3, count);
  std::vector<std::uint8_t> whole(count + 3);
  target.download(whole.data(), whole.size());
  std::copy(whole.begin() + 3, whole.end(), got.begin());
  CHECK(got == want);
}

TEST_CASE("what cannot be cast is refused", "[cast]") {
  float x = 1;
  std::uint8_t y = 0;
  CastRules rules;
  rules.rounding = Rounding::kTowardZero;
  CHECK_THROWS_WITH(cuda::cast_hw(kFp32Format, &x, E4M3::format, &y, 1, rules),
                    ContainsSubstring("no instruction casts fp32 to e4m3 by toward_zero"));
  rules = {Rounding::kStochasticA};
  rules.random_bits = 31;
  CHECK_THROWS_AS(cuda::cast_portable(kFp32Format, &x, E4M3::format, &y, 1, rules),
                  std::invalid_argument);
}

// The public array cast on every one of the 2^32 fp32 inputs, against NVIDIA's host functions, and
// on a sample of them against a table of values.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "../formats/bits.hpp"
#include "../oracles/enumeration.hpp"
#include "catch.hpp"

#if defined(BINADE_HAVE_CUDA_HEADERS)
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp4.h>
#include <cuda_fp6.h>
#include <cuda_fp8.h>
#endif

using namespace binade;

namespace {

struct Mismatches {
  std::uint64_t count = 0;
  std::uint32_t input = 0xffffffff;  ///< the first of them
  std::uint64_t got = 0, want = 0;

  void add(std::uint32_t bits, std::uint64_t got_code, std::uint64_t want_code) {
    if (count++ == 0) {
      input = bits;
      got = got_code;
      want = want_code;
    }
  }
  void merge(const Mismatches& other) {
    const std::uint64_t both = count + other.count;
    if (other.count != 0 && other.input < input) *this = other;
    count = both;
  }
};

std::string report(const Mismatches& m) {
  if (m.count == 0) return "none";
  return std::to_string(m.count) + ", first " + hex(m.input) + " got " + hex(m.got) + " want " +
         hex(m.want);
}

/// The codes that a reference gives under two sets of rules: references share most of the work.
struct Both {
  std::uint32_t first, second;
};

/// Casts every `step`-th input bit pattern under both sets of rules and compares with want(x).
template <class Code, class Want>
Mismatches sweep(FloatFormat f, CastRules first, CastRules second, std::uint32_t step, Want want) {
  constexpr std::int64_t kBlock = 1 << 14;  // inputs and codes stay in the first-level cache
  const std::int64_t inputs = ((std::int64_t{1} << 32) - 1) / step + 1;
  const std::int64_t blocks = (inputs + kBlock - 1) / kBlock;
  Mismatches all;
#pragma omp parallel
  {
    std::vector<float> x(kBlock);
    std::vector<Code> got_first(kBlock), got_second(kBlock);
    Mismatches mine;
#pragma omp for schedule(dynamic, 64)
    for (std::int64_t block = 0; block < blocks; ++block) {
      const std::int64_t start = block * kBlock;
      const auto n = static_cast<std::size_t>(std::min(kBlock, inputs - start));
      for (std::size_t i = 0; i < n; ++i) {
        x[i] = bit_cast<float>(static_cast<std::uint32_t>(start + static_cast<std::int64_t>(i)) *
                               step);
      }
      cast(kFp32Format, x.data(), f, got_first.data(), n, first);
      cast(kFp32Format, x.data(), f, got_second.data(), n, second);
      for (std::size_t i = 0; i < n; ++i) {
        const Both codes = want(x[i]);
        if (got_first[i] != codes.first || got_second[i] != codes.second) [[unlikely]] {
          const bool at_first = got_first[i] != codes.first;
          mine.add(bit_cast<std::uint32_t>(x[i]), at_first ? got_first[i] : got_second[i],
                   at_first ? codes.first : codes.second);
        }
      }
    }
#pragma omp critical
    all.merge(mine);
  }
  return all;
}

const CastRules kSaturating = rules_of("nearest_even", "saturate");
const CastRules kNonSaturating = rules_of("nearest_even", "special");
constexpr std::uint32_t kSample = 251;  // a prime, so that no field of the input stands still

/// Nearest even by search in the list of exact values, which fp64 holds exactly.
class Table {
 public:
  explicit Table(const oracle::Format& f) : format_(f) {
    const oracle::Axis axis = oracle::positive_axis(f);
    const auto as_double = [](const oracle::Dyadic& d) {
      return std::ldexp(d.integer.convert_to<double>(), d.exponent);
    };
    for (std::size_t i = 0; i < axis.points.size(); ++i) {
      const bool last = i + 1 == axis.points.size();
      const double next = as_double(last ? axis.next : axis.points[i + 1]);
      ties_.push_back((as_double(axis.points[i]) + next) / 2);
    }
  }

  Both codes(float x) const {
    const std::uint32_t sign = std::signbit(x) ? 1u << (format_.bits() - 1) : 0;
    const auto largest = static_cast<std::uint32_t>(ties_.size()) - 1;
    if (std::isnan(x)) {
      const std::uint32_t nan = (1u << (format_.bits() - 1)) - 1;  // canonical: positive, all ones
      return {nan, nan};
    }
    const double magnitude = std::fabs(static_cast<double>(x));
    const auto tie = std::lower_bound(ties_.begin(), ties_.end(), magnitude);
    auto code = static_cast<std::uint32_t>(tie - ties_.begin());
    if (tie != ties_.end() && *tie == magnitude && (code & 1) != 0) ++code;
    if (code <= largest) return {code | sign, code | sign};
    return {largest | sign, (largest + 1) | sign};  // Inf, or the NaN of E4M3, is the next code
  }

 private:
  oracle::Format format_;
  std::vector<double> ties_;  ///< between code i and code i + 1
};

/// Casts all inputs on every ISA under both sets of rules, and compares with the first ISA's bytes.
Mismatches across_isas(FloatFormat f, CastRules first, CastRules second) {
  constexpr std::uint64_t kBlock = 1 << 14;
  const auto width = static_cast<std::size_t>(f.container_bits()) / 8;
  const auto word_at = [&](const std::vector<std::uint8_t>& codes, std::size_t i) {
    return width == 1 ? codes[i] : codes[2 * i] | static_cast<std::uint64_t>(codes[2 * i + 1]) << 8;
  };
  std::vector<float> x(kBlock);
  std::vector<std::uint8_t> want(kBlock * width), got(kBlock * width);
  const Isa before = isa();
  Mismatches wrong;
  for (std::uint64_t start = 0; start < std::uint64_t{1} << 32; start += kBlock) {
    for (std::size_t i = 0; i < kBlock; ++i) {
      x[i] = bit_cast<float>(static_cast<std::uint32_t>(start + i));
    }
    for (const CastRules& rules : {first, second}) {
      for (const Isa choice : supported_isas()) {
        set_isa(choice);
        auto& codes = choice == Isa::kBaseline ? want : got;
        cast(kFp32Format, x.data(), f, codes.data(), kBlock, rules);
        if (choice == Isa::kBaseline || got == want) continue;
        for (std::size_t i = 0; i < kBlock; ++i) {
          if (word_at(got, i) == word_at(want, i)) continue;
          wrong.add(bit_cast<std::uint32_t>(x[i]), word_at(got, i), word_at(want, i));
        }
      }
    }
  }
  set_isa(before);
  return wrong;
}

}  // namespace

TEST_CASE("fp32 to further narrow formats, all inputs, alike on every ISA") {
  for (const char* name : {"e4m3fnuz", "e3m4", "e5m6", "e2m1", "binary8p4se"}) {
    CAPTURE(name);
    const FloatFormat f = parse_format(name).format;
    CHECK(report(across_isas(f, kSaturating, rules_of("nearest_even", "special", "keep_sign"))) ==
          "none");
  }
}

TEST_CASE("fp32 to FP8, BF16 and FP16, a sample of inputs, nearest in a table of values") {
  using oracle::Kind;
  for (const oracle::Format& f : {oracle::Format{"e4m3", 4, 3, 7, true, Kind::kFn},
                                  {"e5m2", 5, 2, 15, true, Kind::kIeee},
                                  {"bf16", 8, 7, 127, true, Kind::kIeee},
                                  {"fp16", 5, 10, 15, true, Kind::kIeee}}) {
    const Table table(f);
    const FloatFormat format = parse_format(f.name).format;
    const auto want = [&](float x) { return table.codes(x); };
    CAPTURE(f.name);
    CHECK(report(f.bits() == 8
                     ? sweep<std::uint8_t>(format, kSaturating, kNonSaturating, kSample, want)
                     : sweep<std::uint16_t>(format, kSaturating, kNonSaturating, kSample, want)) ==
          "none");
  }
}

#if defined(BINADE_HAVE_CUDA_HEADERS)

// g++ leaves the long host functions of cuda_fp8.h out of line, at three times the cost; flatten
// makes it inline them.
#define BINADE_FLAT __attribute__((flatten))

TEST_CASE("fp32 to E4M3, all inputs, as cuda_fp8.h") {
  CHECK(report(sweep<std::uint8_t>(
            E4M3::format, kSaturating, kNonSaturating, 1, [](float x) BINADE_FLAT {
              return Both{__nv_cvt_float_to_fp8(x, __NV_SATFINITE, __NV_E4M3),
                          __nv_cvt_float_to_fp8(x, __NV_NOSAT, __NV_E4M3)};
            })) == "none");
}

TEST_CASE("fp32 to E5M2, all inputs, as cuda_fp8.h") {
  CHECK(report(sweep<std::uint8_t>(
            E5M2::format, kSaturating, kNonSaturating, 1, [](float x) BINADE_FLAT {
              return Both{__nv_cvt_float_to_fp8(x, __NV_SATFINITE, __NV_E5M2),
                          __nv_cvt_float_to_fp8(x, __NV_NOSAT, __NV_E5M2)};
            })) == "none");
}

// CUDA has no saturating conversion of a host float to bf16 or fp16. The rule of cvt.satfinite
// says what one would give: the same code, but the largest number of its sign for an infinity.
TEST_CASE("fp32 to BF16, all inputs, as cuda_bf16.h") {
  CHECK(report(sweep<std::uint16_t>(
            Bf16::format, kSaturating, kNonSaturating, 1, [](float x) BINADE_FLAT {
              const std::uint32_t code = __bfloat16_as_ushort(__float2bfloat16_rn(x));
              return Both{(code & 0x7fff) == 0x7f80 ? code - 1 : code, code};
            })) == "none");
}

TEST_CASE("fp32 to FP16, all inputs, as cuda_fp16.h") {
  CHECK(report(sweep<std::uint16_t>(
            Fp16::format, kSaturating, kNonSaturating, 1, [](float x) BINADE_FLAT {
              const std::uint32_t code = __half_as_ushort(__float2half_rn(x));
              return Both{(code & 0x7fff) == 0x7c00 ? code - 1 : code, code};
            })) == "none");
}

TEST_CASE("directed roundings to BF16 and FP16, a sample of inputs, as the CUDA headers") {
  const auto up = rules_of("up", "special");
  const auto down = rules_of("down", "special");
  const auto toward_zero = rules_of("toward_zero", "special");
  CHECK(report(sweep<std::uint16_t>(Bf16::format, up, down, kSample, [](float x) {
          return Both{__bfloat16_as_ushort(__float2bfloat16_ru(x)),
                      __bfloat16_as_ushort(__float2bfloat16_rd(x))};
        })) == "none");
  CHECK(report(sweep<std::uint16_t>(Fp16::format, up, down, kSample, [](float x) {
          return Both{__half_as_ushort(__float2half_ru(x)), __half_as_ushort(__float2half_rd(x))};
        })) == "none");
  CHECK(report(sweep<std::uint16_t>(Bf16::format, toward_zero, toward_zero, kSample, [](float x) {
          const std::uint32_t code = __bfloat16_as_ushort(__float2bfloat16_rz(x));
          return Both{code, code};
        })) == "none");
  CHECK(report(sweep<std::uint16_t>(Fp16::format, toward_zero, toward_zero, kSample, [](float x) {
          const std::uint32_t code = __half_as_ushort(__float2half_rz(x));
          return Both{code, code};
        })) == "none");
}

// Saturating always; NaN becomes +MAX_NORM.
TEST_CASE("fp32 to FP6 and FP4, a sample of inputs, as cuda_fp6.h and cuda_fp4.h") {
  const auto nearest = rules_of("nearest_even");
  const auto toward_zero = rules_of("toward_zero");
  CHECK(report(sweep<std::uint8_t>(E3M2::format, nearest, toward_zero, kSample, [](float x) {
          return Both{__nv_cvt_float_to_fp6(x, __NV_E3M2, cudaRoundNearest),
                      __nv_cvt_float_to_fp6(x, __NV_E3M2, cudaRoundZero)};
        })) == "none");
  CHECK(report(sweep<std::uint8_t>(E2M3::format, nearest, toward_zero, kSample, [](float x) {
          return Both{__nv_cvt_float_to_fp6(x, __NV_E2M3, cudaRoundNearest),
                      __nv_cvt_float_to_fp6(x, __NV_E2M3, cudaRoundZero)};
        })) == "none");
  CHECK(report(sweep<std::uint8_t>(E2M1::format, nearest, toward_zero, kSample, [](float x) {
          return Both{__nv_cvt_float_to_fp4(x, __NV_E2M1, cudaRoundNearest),
                      __nv_cvt_float_to_fp4(x, __NV_E2M1, cudaRoundZero)};
        })) == "none");
}

// cuda_fp8.h converts |x|; a negative number is ours to refuse, so it is given |x| here. It rounds
// toward zero or up only.
TEST_CASE("fp32 to E8M0, a sample of inputs, as cuda_fp8.h") {
  const auto as_cuda = [](float x, cudaRoundMode rounding, __nv_saturation_t saturation) {
    return std::uint32_t{__nv_cvt_float_to_e8m0(x, saturation, rounding)};
  };
  for (const auto& [name, mode] :
       {std::pair{"toward_zero", cudaRoundZero}, {"up", cudaRoundPosInf}}) {
    CAPTURE(name);
    const CastRules saturating = rules_of(name, "saturate");
    const CastRules special = rules_of(name, "special");
    Mismatches wrong;
    for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 31); bits += kSample) {
      const float x = bit_cast<float>(static_cast<std::uint32_t>(bits));
      const std::uint64_t got_saturating = encode(E8M0::format, x, saturating);
      const std::uint64_t got_special = encode(E8M0::format, x, special);
      const std::uint32_t want_saturating = as_cuda(x, mode, __NV_SATFINITE);
      const std::uint32_t want_special = as_cuda(x, mode, __NV_NOSAT);
      if (got_saturating != want_saturating) {
        wrong.add(static_cast<std::uint32_t>(bits), got_saturating, want_saturating);
      }
      if (got_special != want_special) {
        wrong.add(static_cast<std::uint32_t>(bits), got_special, want_special);
      }
    }
    CHECK(report(wrong) == "none");
  }
}
#else
TEST_CASE("all fp32 inputs as NVIDIA's host functions") {
  WARN("skipped: no CUDA toolkit headers here; the table of values judged a sample");
}
#endif

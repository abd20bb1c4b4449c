#include <utility>

#include "binade/cuda/memory.hpp"
#include "binade/cuda/verify_conversions.hpp"
#include "binade/formats/catalog.hpp"
#include "check.cuh"
#include "ptx/cvt.cuh"

namespace binade::cuda {
namespace {

/// What a pair of inputs becomes; an instruction on single numbers is used twice.
struct Pair {
  std::uint32_t low, high;
};

__device__ Pair halves(std::uint32_t packed, int bits) {
  return {packed & ((1u << bits) - 1), packed >> bits};
}

// An instruction for the kernel below: the formats, whether it works on pairs, and what it does.
template <class From_, class To_, bool pairs>
struct Conversion {
  using From = From_;
  using To = To_;
  static constexpr int kHalves = pairs ? 2 : 1;
};

// Each is struct NAME with operator()(low, high) over containers.
#define BINADE_FROM_FP32_PAIR(name, To)                                       \
  struct name : Conversion<Fp32, To, true> {                                  \
    __device__ Pair operator()(std::uint32_t low, std::uint32_t high) const { \
      return halves(ptx::name(bit_cast<float>(high), bit_cast<float>(low)),   \
                    To::format.container_bits());                             \
    }                                                                         \
  };
#define BINADE_FROM_PACKED(name, From, To, Operand)                                               \
  struct name : Conversion<From, To, true> {                                                      \
    __device__ Pair operator()(std::uint32_t low, std::uint32_t high) const {                     \
      return halves(ptx::name(static_cast<Operand>(high << From::format.container_bits() | low)), \
                    To::format.container_bits());                                                 \
    }                                                                                             \
  };
#define BINADE_FROM_FP32(name, To)                                                \
  struct name : Conversion<Fp32, To, false> {                                     \
    __device__ Pair operator()(std::uint32_t low, std::uint32_t high) const {     \
      return {ptx::name(bit_cast<float>(low)), ptx::name(bit_cast<float>(high))}; \
    }                                                                             \
  };
#define BINADE_FROM_HALF(name, From, To)                                      \
  struct name : Conversion<From, To, false> {                                 \
    __device__ Pair operator()(std::uint32_t low, std::uint32_t high) const { \
      return {bits(ptx::name(static_cast<std::uint16_t>(low))),               \
              bits(ptx::name(static_cast<std::uint16_t>(high)))};             \
    }                                                                         \
  };

__device__ std::uint32_t bits(float x) { return bit_cast<std::uint32_t>(x); }
__device__ std::uint32_t bits(std::uint16_t x) { return x; }

BINADE_FROM_FP32_PAIR(cvt_rn_satfinite_e4m3x2_f32, E4M3)
BINADE_FROM_FP32_PAIR(cvt_rn_satfinite_e5m2x2_f32, E5M2)
BINADE_FROM_FP32_PAIR(cvt_rn_f16x2_f32, Fp16)
BINADE_FROM_FP32_PAIR(cvt_rz_f16x2_f32, Fp16)
BINADE_FROM_FP32_PAIR(cvt_rn_bf16x2_f32, Bf16)
BINADE_FROM_FP32_PAIR(cvt_rz_bf16x2_f32, Bf16)
BINADE_FROM_FP32(cvt_rn_f16_f32, Fp16)
BINADE_FROM_FP32(cvt_rz_f16_f32, Fp16)
BINADE_FROM_FP32(cvt_rm_f16_f32, Fp16)
BINADE_FROM_FP32(cvt_rp_f16_f32, Fp16)
BINADE_FROM_FP32(cvt_rn_bf16_f32, Bf16)
BINADE_FROM_FP32(cvt_rz_bf16_f32, Bf16)
BINADE_FROM_FP32(cvt_rn_tf32_f32, Tf32)
BINADE_FROM_FP32(cvt_rz_tf32_f32, Tf32)
BINADE_FROM_FP32(cvt_rna_tf32_f32, Tf32)
BINADE_FROM_FP32(cvt_rna_satfinite_tf32_f32, Tf32)
BINADE_FROM_PACKED(cvt_rn_satfinite_e4m3x2_f16x2, Fp16, E4M3, std::uint32_t)
BINADE_FROM_PACKED(cvt_rn_satfinite_e5m2x2_f16x2, Fp16, E5M2, std::uint32_t)
BINADE_FROM_PACKED(cvt_rn_f16x2_e4m3x2, E4M3, Fp16, std::uint16_t)
BINADE_FROM_PACKED(cvt_rn_f16x2_e5m2x2, E5M2, Fp16, std::uint16_t)
BINADE_FROM_HALF(cvt_rn_f16_bf16, Bf16, Fp16)
BINADE_FROM_HALF(cvt_rn_bf16_f16, Fp16, Bf16)
BINADE_FROM_HALF(cvt_f32_f16, Fp16, Fp32)
BINADE_FROM_HALF(cvt_f32_bf16, Bf16, Fp32)

/// What becomes of a NaN. Some conversions are shifts and additions of integers, which hand its
/// payload on as if it were a number's mantissa.
enum class NanBits : std::uint8_t {
  kByRules,
  kTruncated,         ///< the container's upper bits; a NaN with none but lower ones gets infinite
  kTruncatedLessOne,  ///< the same less one step, as infinity becomes the largest number
};

/// The model: a plan where the source is fp32, else the text for any two formats.
struct Model {
  CastRules rules;
  NanBits nan;
  detail::EncodePlan<std::uint32_t> plan;
};

template <class From, class To, Rounding rounding>
__device__ std::uint32_t want(const Model& model, std::uint32_t container) {
  constexpr FloatFormat kFrom = From::format, kTo = To::format;  // members of tags have no address
  constexpr std::uint32_t kStep = 1u << kTo.padding_bits;
  if (model.nan != NanBits::kByRules && kFrom.is_nan(container)) {
    constexpr int kShift = kTo.container_bits() - kFrom.container_bits();
    const std::uint32_t truncated = (container << max_of(kShift, 0)) & ~(kStep - 1);
    return model.nan == NanBits::kTruncated ? truncated : truncated - kStep;
  }
  std::uint64_t code = 0;
  if constexpr (From::format.mantissa_bits == 23) {
    code = detail::encode_word<rounding, std::uint32_t>(model.plan, container, 0);
  } else {
    code = convert(From::format, container, To::format, model.rules);
  }
  return static_cast<std::uint32_t>(container_of_code(To::format, code));
}

struct Found {
  unsigned long long differ, first_input;
  unsigned got, want;  ///< of the input asked about
};

template <class Instruction, Rounding rounding>
__global__ void compare(Model model, std::uint64_t begin, std::uint64_t end, std::uint32_t mask,
                        Found* found) {
  using From = typename Instruction::From;
  using To = typename Instruction::To;
  const std::uint64_t stride = std::uint64_t{gridDim.x} * blockDim.x;
  unsigned long long differ = 0, first = ~0ull;
  for (std::uint64_t i = begin + blockIdx.x * std::uint64_t{blockDim.x} + threadIdx.x; i < end;
       i += stride) {
    const auto low = static_cast<std::uint32_t>(i);
    const std::uint32_t high = (low * 0x9e3779b1u + 0x7f4a7c15u) & mask;  // a permutation
    const Pair got = Instruction{}(low, high);
    const std::uint32_t want_low = want<From, To, rounding>(model, low);
    const bool low_differs = got.low != want_low;
    const bool high_differs =
        Instruction::kHalves == 2 && got.high != want<From, To, rounding>(model, high);
    differ += (low_differs ? 1 : 0) + (high_differs ? 1 : 0);
    if (low_differs && low < first) first = low;
    if (high_differs && high < first) first = high;
    if (end - begin == 1) found->got = got.low, found->want = want_low;
  }
  if (differ != 0) {
    atomicAdd(&found->differ, differ);
    atomicMin(&found->first_input, first);
  }
}

/// Rules by what is other than those of the instruction.
struct Rules {
  std::string words;
  CastRules rules;
  NanBits nan = NanBits::kByRules;
};

template <class Instruction>
Found run(const Rules& described, std::uint64_t begin, std::uint64_t end) {
  const CastRules rules = described.rules;
  const Model model{rules, described.nan,
                    detail::make_plan<std::uint32_t>(Instruction::To::format, rules)};
  const auto mask =
      static_cast<std::uint32_t>((std::uint64_t{1} << Instruction::From::format.bits()) - 1);
  Found found{0, ~0ull, 0, 0};
  DeviceArray memory(&found, sizeof found);
  detail::with_rounding(rules.rounding, [&]<Rounding rounding>() {
    compare<Instruction, rounding><<<132 * 16, 256>>>(model, begin, end, mask, memory.as<Found>());
  });
  check_launch("verify_conversions");
  memory.download(&found, sizeof found);
  return found;
}

/// The instruction's rules, then its neighbours'.
struct Described {
  std::string name;
  std::vector<Rules> rules;
};

template <class Instruction>
void add_rows(std::vector<ConversionRow>& rows, const Described& described) {
  const std::uint64_t all = std::uint64_t{1} << Instruction::From::format.bits();
  for (std::size_t i = 0; i < described.rules.size(); ++i) {
    ConversionRow row{described.name, described.rules[i].words, i != 0};
    row.inputs = all * Instruction::kHalves;
    const Found found = run<Instruction>(described.rules[i], 0, all);
    row.differ = found.differ;
    if (row.differ != 0) {
      const Found one =
          run<Instruction>(described.rules[i], found.first_input, found.first_input + 1);
      row.first_input = found.first_input;
      row.got = one.got;
      row.want = one.want;
    }
    rows.push_back(std::move(row));
  }
}

CastRules with(CastRules r, Rounding rounding) { return r.rounding = rounding, r; }
CastRules with(CastRules r, Overflow overflow) { return r.overflow = overflow, r; }
CastRules with(CastRules r, InfinityRule infinity) { return r.infinity = infinity, r; }
CastRules with(CastRules r, NanRule nan) { return r.nan = nan, r; }

/// IEEE overflow, canonical NaN: what conversions to the wider formats do.
CastRules ieee(Rounding rounding) {
  return {rounding, Overflow::kSpecial, InfinityRule::kPropagate, NanRule::kCanonical, 8};
}

Described to_fp8(std::string name, bool has_infinity) {
  const CastRules r{};
  Described d{std::move(name),
              {{"", r},
               {"overflow to infinity or NaN", with(r, Overflow::kSpecial)},
               {"NaN keeps its sign", with(r, NanRule::kKeepSign)},
               {"ties away from zero", with(r, Rounding::kNearestAway)},
               {"toward zero", with(r, Rounding::kTowardZero)}}};
  if (has_infinity) {
    d.rules.push_back({"infinity stays infinite", with(r, InfinityRule::kPropagate)});
  }
  return d;
}

Described narrowing(std::string name, Rounding rounding) {
  const CastRules r = ieee(rounding);
  const bool nearest = rounding == Rounding::kNearestEven;
  return {std::move(name),
          {{"", r},
           {"infinity saturates", with(r, InfinityRule::kSaturate)},
           {"NaN keeps its sign", with(r, NanRule::kKeepSign)},
           {nearest ? "ties away from zero" : "to nearest even",
            with(r, nearest ? Rounding::kNearestAway : Rounding::kNearestEven)}}};
}

Described widening(std::string name, bool has_infinity) {
  const CastRules r = ieee(Rounding::kNearestEven);
  Described d{std::move(name), {{"", r}, {"NaN keeps its sign", with(r, NanRule::kKeepSign)}}};
  if (has_infinity) {
    d.rules.push_back({"infinity saturates", with(r, InfinityRule::kSaturate)});
  }
  return d;
}

}  // namespace

std::vector<ConversionRow> verify_conversions() {
  require_device(90, "cvt to FP8 and TF32");
  std::vector<ConversionRow> rows;
  constexpr auto kRn = Rounding::kNearestEven, kRz = Rounding::kTowardZero;
  add_rows<cvt_rn_satfinite_e4m3x2_f32>(rows, to_fp8("cvt.rn.satfinite.e4m3x2.f32", false));
  add_rows<cvt_rn_satfinite_e5m2x2_f32>(rows, to_fp8("cvt.rn.satfinite.e5m2x2.f32", true));
  add_rows<cvt_rn_satfinite_e4m3x2_f16x2>(rows, to_fp8("cvt.rn.satfinite.e4m3x2.f16x2", false));
  add_rows<cvt_rn_satfinite_e5m2x2_f16x2>(rows, to_fp8("cvt.rn.satfinite.e5m2x2.f16x2", true));
  add_rows<cvt_rn_f16x2_e4m3x2>(rows, widening("cvt.rn.f16x2.e4m3x2", false));
  add_rows<cvt_rn_f16x2_e5m2x2>(rows, widening("cvt.rn.f16x2.e5m2x2", true));
  add_rows<cvt_rn_f16_f32>(rows, narrowing("cvt.rn.f16.f32", kRn));
  add_rows<cvt_rz_f16_f32>(rows, narrowing("cvt.rz.f16.f32", kRz));
  add_rows<cvt_rm_f16_f32>(rows, narrowing("cvt.rm.f16.f32", Rounding::kDown));
  add_rows<cvt_rp_f16_f32>(rows, narrowing("cvt.rp.f16.f32", Rounding::kUp));
  add_rows<cvt_rn_f16x2_f32>(rows, narrowing("cvt.rn.f16x2.f32", kRn));
  add_rows<cvt_rz_f16x2_f32>(rows, narrowing("cvt.rz.f16x2.f32", kRz));
  add_rows<cvt_rn_bf16_f32>(rows, narrowing("cvt.rn.bf16.f32", kRn));
  add_rows<cvt_rz_bf16_f32>(rows, narrowing("cvt.rz.bf16.f32", kRz));
  add_rows<cvt_rn_bf16x2_f32>(rows, narrowing("cvt.rn.bf16x2.f32", kRn));
  add_rows<cvt_rz_bf16x2_f32>(rows, narrowing("cvt.rz.bf16x2.f32", kRz));
  add_rows<cvt_rn_tf32_f32>(rows, narrowing("cvt.rn.tf32.f32", kRn));
  add_rows<cvt_rz_tf32_f32>(rows, narrowing("cvt.rz.tf32.f32", kRz));
  // On sm_90 the two that round ties away are additions of integers, and handing a bf16 on is a
  // shift: what they make of NaN is no rule of casts.
  const CastRules away = ieee(Rounding::kNearestAway);
  add_rows<cvt_rna_tf32_f32>(
      rows, {"cvt.rna.tf32.f32",
             {{"NaN truncated", away, NanBits::kTruncated},
              {"NaN canonical", away},
              {"infinity saturates", with(away, InfinityRule::kSaturate), NanBits::kTruncated},
              {"to nearest even", with(away, Rounding::kNearestEven), NanBits::kTruncated}}});
  const CastRules saturating = with(CastRules{}, Rounding::kNearestAway);
  add_rows<cvt_rna_satfinite_tf32_f32>(
      rows, {"cvt.rna.satfinite.tf32.f32",
             {{"NaN truncated, less a step", saturating, NanBits::kTruncatedLessOne},
              {"NaN truncated", saturating, NanBits::kTruncated},
              {"overflow to infinity", away, NanBits::kTruncatedLessOne},
              {"to nearest even", CastRules{}, NanBits::kTruncatedLessOne}}});
  add_rows<cvt_rn_f16_bf16>(rows, narrowing("cvt.rn.f16.bf16", kRn));
  add_rows<cvt_rn_bf16_f16>(rows, narrowing("cvt.rn.bf16.f16", kRn));
  add_rows<cvt_f32_f16>(rows, widening("cvt.f32.f16", true));
  const CastRules exact = ieee(Rounding::kNearestEven);
  add_rows<cvt_f32_bf16>(
      rows, {"cvt.f32.bf16",
             {{"NaN handed on", exact, NanBits::kTruncated},
              {"NaN canonical", exact},
              {"infinity saturates", with(exact, InfinityRule::kSaturate), NanBits::kTruncated}}});
  return rows;
}

}  // namespace binade::cuda

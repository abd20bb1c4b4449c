// The array loops: the plain scalar text of codec.hpp, compiled once per instruction set and left
// to the compiler's vectoriser. Everything lives in the namespace BINADE_ISA or is forced inline,
// so that no copy made for one instruction set can be linked into another (tests/layout checks).
#include "binade/formats/cast.hpp"

#include "binade/formats/visit.hpp"
#include "cast_kernels.hpp"

namespace binade::detail::BINADE_ISA {
namespace {

template <Rounding rounding, class Word, class Container>
void encode_loop(const Word* __restrict source, void* __restrict target, std::size_t count,
                 const EncodePlan<Word>& shared_plan, int padding, RandomStream random) {
  const EncodePlan<Word> plan = shared_plan;  // a local, so that stores cannot change it
  auto* out = static_cast<Container*>(target);
  for (std::size_t i = 0; i < count; ++i) {
    Word draw = 0;
    if constexpr (is_stochastic(rounding)) {
      draw = random_at(random.seed, random.first + i) & ((Word{1} << plan.random_bits) - 1);
    }
    out[i] = static_cast<Container>(encode_word<rounding, Word>(plan, source[i], draw) << padding);
  }
}

template <class Tag, class Container>
void encode_named_loop(const std::uint32_t* __restrict source, void* __restrict target,
                       std::size_t count, const EncodePlan<std::uint32_t>& shared_plan, int,
                       RandomStream) {
  EncodePlan<std::uint32_t> plan = shared_plan;
  // What the rules cannot change is a constant here.
  plan.mantissa_bits = Tag::format.mantissa_bits;
  plan.emin = Tag::format.emin();
  plan.zero_offset = 0;
  plan.signed_zero = Tag::format.has_negative_zero() ? 1 : 0;
  auto* out = static_cast<Container*>(target);
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = static_cast<Container>(
        encode_word<Rounding::kNearestEven, std::uint32_t>(plan, source[i], 0));
  }
}

template <class Word, class Container>
void decode_loop(const void* __restrict source, Word* __restrict target, std::size_t count,
                 FloatFormat f) {
  constexpr bool kSingle = sizeof(Word) == 4;
  using Float = std::conditional_t<kSingle, float, double>;
  using Signed = std::conditional_t<kSingle, std::int32_t, std::int64_t>;
  constexpr int kTop = kSingle ? 23 : 52;
  constexpr int kBias = kSingle ? 127 : 1023;
  constexpr int kSignShift = kSingle ? 31 : 63;
  constexpr Word kInfinity = Word{2 * kBias + 1} << kTop;
  constexpr Word kQuiet = Word{1} << (kTop - 1);
  const Word magnitude_mask = static_cast<Word>(f.magnitude_mask());
  const Word sign_bit = static_cast<Word>(f.sign_bit());
  const Word first_normal = f.specials.has_zero ? Word{1} << f.mantissa_bits : Word{0};
  const int lift = kTop - f.mantissa_bits;
  const int rebias = kBias - f.bias;
  const Word last_finite = static_cast<Word>(f.max_finite_code());
  const bool infinity = f.has_infinity();
  const bool nan_at_negative_zero = f.specials.nan == NanCodes::kNegativeZero;
  // 2^min_ulp_exponent, which for fp32 targets may itself be subnormal.
  const Word ulp_bits = static_cast<Word>(
      kSingle ? encode(kFp32Format, Unpacked{ValueClass::kFinite, false, f.min_ulp_exponent(), 1})
              : encode(kFp64Format, Unpacked{ValueClass::kFinite, false, f.min_ulp_exponent(), 1}));
  const Float ulp = bit_cast<Float>(ulp_bits);
  const auto* in = static_cast<const Container*>(source);
  for (std::size_t i = 0; i < count; ++i) {
    const Word code = static_cast<Word>(in[i] >> f.padding_bits);
    const Word magnitude = code & magnitude_mask;
    const bool negative = (code & sign_bit) != 0;
    const Word direct =
        static_cast<Word>((magnitude << lift) + (static_cast<Word>(rebias) << kTop));
    // Subnormals: an integer times the last place, exact because the format embeds in the target.
    const Float integer = static_cast<Float>(static_cast<Signed>(min_of(magnitude, first_normal)));
    const Word small = bit_cast<Word>(integer * ulp);
    Word bits = magnitude >= first_normal ? direct : small;
    const bool at_infinity = infinity && magnitude == last_finite + 1;
    const bool is_nan =
        (magnitude > last_finite && !at_infinity) || (nan_at_negative_zero && code == sign_bit);
    bits = at_infinity ? kInfinity : bits;
    bits = is_nan ? kInfinity | kQuiet : bits;
    target[i] = bits | (static_cast<Word>(negative) << kSignShift);
  }
}

template <Rounding rounding>
constexpr void fill_rounding(CastKernels& k) {
  constexpr int r = static_cast<int>(rounding);
  k.encode32[r][0] = encode_loop<rounding, std::uint32_t, std::uint8_t>;
  k.encode32[r][1] = encode_loop<rounding, std::uint32_t, std::uint16_t>;
  k.encode32[r][2] = encode_loop<rounding, std::uint32_t, std::uint32_t>;
  k.encode64[r][0] = encode_loop<rounding, std::uint64_t, std::uint8_t>;
  k.encode64[r][1] = encode_loop<rounding, std::uint64_t, std::uint16_t>;
  k.encode64[r][2] = encode_loop<rounding, std::uint64_t, std::uint32_t>;
  k.encode64[r][3] = encode_loop<rounding, std::uint64_t, std::uint64_t>;
}

EncodeLoop<std::uint32_t> encode32_named(FloatFormat f) {
  EncodeLoop<std::uint32_t> loop = nullptr;
  visit_format(f, [&]<class Tag>() {
    constexpr FloatFormat format = Tag::format;
    if constexpr (source_word_suffices<std::uint32_t>(format) && format.padding_bits == 0 &&
                  format.bits() <= 16) {
      loop = encode_named_loop<
          Tag, std::conditional_t<format.container_bits() == 8, std::uint8_t, std::uint16_t>>;
    }
  });
  return loop;
}

constexpr CastKernels make_kernels() {
  CastKernels k{};
  fill_rounding<Rounding::kNearestEven>(k);
  fill_rounding<Rounding::kNearestAway>(k);
  fill_rounding<Rounding::kTowardZero>(k);
  fill_rounding<Rounding::kUp>(k);
  fill_rounding<Rounding::kDown>(k);
  fill_rounding<Rounding::kToOdd>(k);
  fill_rounding<Rounding::kStochasticA>(k);
  fill_rounding<Rounding::kStochasticB>(k);
  fill_rounding<Rounding::kStochasticC>(k);
  k.decode32[0] = decode_loop<std::uint32_t, std::uint8_t>;
  k.decode32[1] = decode_loop<std::uint32_t, std::uint16_t>;
  k.decode32[2] = decode_loop<std::uint32_t, std::uint32_t>;
  k.decode64[0] = decode_loop<std::uint64_t, std::uint8_t>;
  k.decode64[1] = decode_loop<std::uint64_t, std::uint16_t>;
  k.decode64[2] = decode_loop<std::uint64_t, std::uint32_t>;
  k.decode64[3] = decode_loop<std::uint64_t, std::uint64_t>;
  k.encode32_named = encode32_named;
  return k;
}

constexpr CastKernels kKernels = make_kernels();

}  // namespace

const CastKernels& cast_kernels() { return kKernels; }

}  // namespace binade::detail::BINADE_ISA

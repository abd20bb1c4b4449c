// The array loops: the lanes of encode_lanes.hpp and, for the formats that they do not serve, the
// scalar text of codec.hpp, compiled once per instruction set and left to the compiler's
// vectoriser. Everything lives in the namespace BINADE_ISA or is forced inline,
// so that no copy made for one instruction set can be linked into another (tests/layout checks).
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
// In gcc's own AVX-512 header, bug 105593.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include "binade/formats/cast.hpp"

#include "cast_kernels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__AVX512BW__) && defined(__AVX512DQ__)
#define BINADE_AVX512_LOOPS 1
#include "narrow_avx512.hpp"
#include "scaled_avx512.hpp"
#include "widen_avx512.hpp"
#endif

namespace binade::detail::BINADE_ISA {
namespace {

constexpr std::size_t kLine = 64;  ///< bytes of a cache line

/// Copies past the caches: the lines of the target are not read before they are written.
[[gnu::always_inline]] inline void stream(const void* source, void* target, std::size_t bytes) {
  const auto* from = static_cast<const char*>(source);
  auto* to = static_cast<char*>(target);
  std::size_t at = 0;
#if defined(__AVX512F__)
  for (; at + 64 <= bytes; at += 64) {
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to + at), _mm512_loadu_si512(from + at));
  }
#elif defined(__AVX2__)
  for (; at + 32 <= bytes; at += 32) {
    const auto* word = reinterpret_cast<const __m256i*>(from + at);
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to + at), _mm256_loadu_si256(word));
  }
#elif defined(__x86_64__)
  for (; at + 16 <= bytes; at += 16) {
    const auto* word = reinterpret_cast<const __m128i*>(from + at);
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + at), _mm_loadu_si128(word));
  }
#endif
  __builtin_memcpy(to + at, from + at, bytes - at);
}

/// target[i] = value(i) for every i, in order. The source is read in order, and apart from the target
/// or the same. The lines two pages on are asked for meanwhile: the hardware's own prefetching ends
/// with each page, and without this a large array costs the time of its transfer and that of the
/// arithmetic one after the other.
/// past_caches: the target lies on a line, and each run goes to memory from a buffer of its own size:
/// from one of many runs the arithmetic waited for the memory, and then the memory for the arithmetic.
template <bool past_caches, class Source, class Target, class Value>
[[gnu::always_inline]] inline void fill_ahead(const Source* source, Target* __restrict target,
                                              std::size_t count, Value value) {
  constexpr std::size_t kRun = 64, kAhead = 8192;
  alignas(kLine) Target buffer[kRun];
  std::size_t i = 0;
  for (; i + kRun <= count; i += kRun) {
    const char* ahead = reinterpret_cast<const char*>(source + i) + kAhead;
    for (std::size_t at = 0; at < kRun * sizeof(Source); at += kLine) __builtin_prefetch(ahead + at);
    Target* run = past_caches ? buffer : target + i;
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC ivdep
#endif
    for (std::size_t j = 0; j < kRun; ++j) run[j] = value(i + j);
    if (past_caches) stream(buffer, target + i, sizeof buffer);
  }
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC ivdep
#endif
  for (std::size_t j = i; j < count; ++j) target[j] = value(j);
}

template <class Source, class Target, class Value>
[[gnu::always_inline]] inline void fill(const Source* source, Target* target, std::size_t count,
                                        bool past_caches, Value value) {
  if (past_caches) {
    fill_ahead<true>(source, target, count, value);
  } else {
    fill_ahead<false>(source, target, count, value);
  }
}

template <Rounding rounding, class Float, class Container>
void encode_loop(const Float* __restrict source, void* __restrict target, std::size_t count,
                 const EncodePlan<WordOf<Float>>& shared_plan, int padding, RandomStream random,
                 bool past_caches) {
  using Word = WordOf<Float>;
  const EncodePlan<Word> plan = shared_plan;  // a local, so that stores cannot change it
  const auto code_at = [&](std::size_t i) __attribute__((always_inline)) {
    Word draw = 0;
    if constexpr (is_stochastic(rounding)) {
      draw = random.next() & ((Word{1} << plan.random_bits) - 1);
    }
    return static_cast<Container>(
        encode_word<rounding, Word>(plan, bit_cast<Word>(source[i]), draw) << padding);
  };
  fill(source, static_cast<Container*>(target), count, past_caches, code_at);
}

template <Rounding rounding, class Container, LaneKind kind>
void encode_lanes_loop(const float* __restrict source, void* __restrict target, std::size_t count,
                       const LanePlan& shared_plan, int padding, RandomStream random,
                       bool past_caches) {
  const LanePlan plan = shared_plan;  // a local, so that stores cannot change it
  const auto code_at = [&](std::size_t i) __attribute__((always_inline)) {
    std::uint32_t draw = 0;
    if constexpr (is_stochastic(rounding)) draw = random.next() & ((1u << plan.random_bits) - 1);
    const auto bits = bit_cast<std::uint32_t>(source[i]);
    return static_cast<Container>(lane_encode<rounding, kind>(plan, bits, draw) << padding);
  };
  fill(source, static_cast<Container*>(target), count, past_caches, code_at);
}

template <bool has_minus_zero>
void round_loop(const float* source, float* target, std::size_t count,
                const RoundPlan& shared_plan, bool past_caches) {
  const RoundPlan plan = shared_plan;
  fill(source, target, count, past_caches, [&](std::size_t i) __attribute__((always_inline)) {
    const auto bits = bit_cast<std::uint32_t>(source[i]);
    return bit_cast<float>(lane_round_value<has_minus_zero>(plan, bits));
  });
}

template <class Float, class Container>
void decode_loop(const void* __restrict source, Float* __restrict target, std::size_t count,
                 FloatFormat f, bool past_caches) {
  constexpr bool kSingle = sizeof(Float) == 4;
  using Word = WordOf<Float>;
  using Signed = std::conditional_t<kSingle, std::int32_t, std::int64_t>;  // compares in one step
  constexpr int kTop = kSingle ? 23 : 52;
  constexpr int kBias = kSingle ? 127 : 1023;
  constexpr int kSignShift = kSingle ? 31 : 63;
  constexpr Word kInfinity = Word{2 * kBias + 1} << kTop;
  constexpr Word kQuiet = kInfinity | Word{1} << (kTop - 1);
  const Word magnitude_mask = static_cast<Word>(f.magnitude_mask());
  const Word code_mask = static_cast<Word>(f.code_mask());
  const int sign_shift = f.magnitude_bits();
  const Word signed_mask = f.is_signed ? 1 : 0;
  // Under the target's own bias subnormals are patterns of the target as they stand.
  const bool has_subnormals = f.specials.has_zero && f.bias != kBias;
  const auto first_normal =
      static_cast<Signed>(has_subnormals ? Word{1} << f.mantissa_bits : Word{0});
  const int lift = kTop - f.mantissa_bits;
  const Word rebias = static_cast<Word>(kBias - f.bias) << kTop;
  const auto last_finite = static_cast<Signed>(f.max_finite_code());
  const Signed at_infinity = f.has_infinity() ? last_finite + 1 : -1;
  const Signed nan_above = f.has_infinity() ? last_finite + 1 : last_finite;
  // A code that no array holds, where -0 is a number.
  const Word nan_code =
      f.specials.nan == NanCodes::kNegativeZero ? static_cast<Word>(f.sign_bit()) : ~Word{0};
  // 2^min_ulp_exponent, which for fp32 targets may itself be subnormal.
  const Word ulp_bits = static_cast<Word>(
      kSingle ? encode(kFp32Format, Unpacked{ValueClass::kFinite, false, f.min_ulp_exponent(), 1})
              : encode(kFp64Format, Unpacked{ValueClass::kFinite, false, f.min_ulp_exponent(), 1}));
  const Float ulp = has_subnormals ? bit_cast<Float>(ulp_bits) : Float{0};
  const auto* in = static_cast<const Container*>(source);
  // Past the caches only in wide lanes: elsewhere the arithmetic costs more than the lines not read.
#if defined(BINADE_AVX512_LOOPS)
  const bool streams = past_caches;
#else
  const bool streams = false;
  static_cast<void>(past_caches);
#endif
  fill(in, target, count, streams, [&](std::size_t i) __attribute__((always_inline)) {
    const Word code = static_cast<Word>(in[i] >> f.padding_bits) & code_mask;
    const Word magnitude = code & magnitude_mask;
    const auto position = static_cast<Signed>(magnitude);
    // Subnormals: an integer times the last place, exact because the format embeds in the target.
    const Word small = bit_cast<Word>(static_cast<Float>(min_of(position, first_normal)) * ulp);
    Word bits = first_normal > position ? small : (magnitude << lift) + rebias;
    bits = position == at_infinity ? kInfinity : bits;
    bits = position > nan_above ? kQuiet : bits;
    bits = code == nan_code ? kQuiet : bits;
    bits |= ((code >> sign_shift) & signed_mask) << kSignShift;
    return bit_cast<Float>(bits);
  });
}

/// Decode of formats whose codes are the upper bits of fp32's: bf16 and its like.
template <class Container>
void widen_loop(const void* __restrict source, float* __restrict target, std::size_t count,
                FloatFormat f, bool past_caches) {
  constexpr std::uint32_t kInfinity = 0x7f800000, kQuiet = 0x7fc00000;
  const int padding = f.padding_bits, lift = 23 - f.mantissa_bits;
  const auto* in = static_cast<const Container*>(source);
  fill(in, target, count, past_caches, [&](std::size_t i) __attribute__((always_inline)) {
    const std::uint32_t bits = static_cast<std::uint32_t>(in[i] >> padding) << lift;
    const std::uint32_t quiet = (bits & 0x80000000) | kQuiet;
    return bit_cast<float>(select(above(bits & 0x7fffffff, kInfinity), quiet, bits));
  });
}

void end_stream() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

template <Rounding rounding, class Container>
constexpr void fill_lanes(LanesLoop (&loops)[kLaneKinds]) {
  using enum LaneKind;
  loops[static_cast<int>(kAny)] = encode_lanes_loop<rounding, Container, kAny>;
  loops[static_cast<int>(kPlain)] = encode_lanes_loop<rounding, Container, kPlain>;
  loops[static_cast<int>(kPlainNoMinusZero)] =
      encode_lanes_loop<rounding, Container, kPlainNoMinusZero>;
}

template <Rounding rounding>
constexpr void fill_rounding(CastKernels& k) {
  constexpr int r = static_cast<int>(rounding);
  k.encode32[r][0] = encode_loop<rounding, float, std::uint8_t>;
  k.encode32[r][1] = encode_loop<rounding, float, std::uint16_t>;
  k.encode32[r][2] = encode_loop<rounding, float, std::uint32_t>;
  fill_lanes<rounding, std::uint8_t>(k.lanes[r][0]);
  fill_lanes<rounding, std::uint16_t>(k.lanes[r][1]);
  fill_lanes<rounding, std::uint32_t>(k.lanes[r][2]);
  k.encode64[r][0] = encode_loop<rounding, double, std::uint8_t>;
  k.encode64[r][1] = encode_loop<rounding, double, std::uint16_t>;
  k.encode64[r][2] = encode_loop<rounding, double, std::uint32_t>;
  k.encode64[r][3] = encode_loop<rounding, double, std::uint64_t>;
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
#if defined(BINADE_AVX512_LOOPS)
  k.narrow[static_cast<int>(NarrowKind::kBytes)] = narrow_bytes;
  k.narrow[static_cast<int>(NarrowKind::kWords)] = narrow_loop<ToWords<NarrowWords>>;
  k.narrow[static_cast<int>(NarrowKind::kFp16)] = narrow_loop<ToWords<NarrowFp16>>;
  k.narrow[static_cast<int>(NarrowKind::kBf16)] = narrow_loop<ToWords<NarrowBf16>>;
  k.table32 = widen_bytes;
  k.scaled[0] = {amax_blocks<float>, cast_blocks<float>};
  k.scaled[1] = {amax_blocks<std::uint16_t>, cast_blocks<std::uint16_t>};
#endif
  k.round[0] = round_loop<false>;
  k.round[1] = round_loop<true>;
  k.end_stream = end_stream;
  k.decode32[0] = decode_loop<float, std::uint8_t>;
  k.decode32[1] = decode_loop<float, std::uint16_t>;
  k.decode32[2] = decode_loop<float, std::uint32_t>;
  k.widen32[0] = widen_loop<std::uint8_t>;
  k.widen32[1] = widen_loop<std::uint16_t>;
  k.widen32[2] = widen_loop<std::uint32_t>;
  k.decode64[0] = decode_loop<double, std::uint8_t>;
  k.decode64[1] = decode_loop<double, std::uint16_t>;
  k.decode64[2] = decode_loop<double, std::uint32_t>;
  k.decode64[3] = decode_loop<double, std::uint64_t>;
  return k;
}

constexpr CastKernels kKernels = make_kernels();

}  // namespace

const CastKernels& cast_kernels() { return kKernels; }

}  // namespace binade::detail::BINADE_ISA

// Lanes of numbers for the GEMM loops: the compilers' own vector types, as wide as the instruction
// set's registers, so that one text serves every width. To be included by *.isa.cpp alone; all of
// it is forced inline into the namespace of one instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gemm_kernels.hpp"

#if defined(__FMA__)
#include <immintrin.h>
#endif

namespace binade::detail::BINADE_ISA {
namespace {

#define BINADE_INLINE inline __attribute__((always_inline))

#if defined(__AVX512BW__)
constexpr std::size_t kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr std::size_t kVectorBytes = 32;
#else
constexpr std::size_t kVectorBytes = 16;
#endif

template <class T, std::size_t bytes>
struct VectorOf {
  typedef T type __attribute__((vector_size(bytes)));
};
template <class T, std::size_t bytes = kVectorBytes>
using Vector = typename VectorOf<T, bytes>::type;

template <class V>
BINADE_INLINE V load(const void* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof(V));
  return v;
}
template <class V>
BINADE_INLINE void store(void* p, const V& v) {
  __builtin_memcpy(p, &v, sizeof(V));
}
/// Keeps a vector that was loaded in a register, where the compiler would load it at each use.
template <class V>
BINADE_INLINE void keep(V& v) {
#if defined(__AVX512F__)
  __asm__("" : "+v"(v));
#elif defined(__x86_64__)
  __asm__("" : "+x"(v));
#else
  static_cast<void>(v);
#endif
}
template <class V>
BINADE_INLINE V max_of_lanes(V a, V b) {
  return a > b ? a : b;
}
template <class V, class T>
BINADE_INLINE V broadcast(T x) {
  return x - V{};  // x itself, -0 too, where V{} + x would be an addition
}
template <class V, class T>
BINADE_INLINE V at_least(V a, T floor) {
  return max_of_lanes(a, V{} + floor);
}

template <class V>
BINADE_INLINE bool any_lane(const V& v) {
  std::uint32_t words[sizeof(V) / 4];  // a loop over an array: single lanes are slow to get at
  store(words, v);
  std::uint32_t seen = 0;
  for (std::size_t i = 0; i < sizeof(V) / 4; ++i) seen |= words[i];
  return seen != 0;
}

/// a * b + c. Where there is no such instruction the product is rounded as well, which changes
/// nothing: the layouts admit operands alone whose product is exact.
#if defined(__AVX512F__)
BINADE_INLINE Vector<float> fused(Vector<float> a, Vector<float> b, Vector<float> c) {
  return (Vector<float>)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
BINADE_INLINE Vector<double> fused(Vector<double> a, Vector<double> b, Vector<double> c) {
  return (Vector<double>)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}
#elif defined(__FMA__)
BINADE_INLINE Vector<float> fused(Vector<float> a, Vector<float> b, Vector<float> c) {
  return (Vector<float>)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
BINADE_INLINE Vector<double> fused(Vector<double> a, Vector<double> b, Vector<double> c) {
  return (Vector<double>)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}
#else
template <class V>
BINADE_INLINE V fused(V a, V b, V c) {
  return a * b + c;
}
#endif

/// What depends on the kind of lane. truncate and nearest give integers as numbers, the same under
/// every rounding mode of the FPU.
template <class Real_>
struct Lane;

template <>
struct Lane<float> {
  using Real = float;
  using Int = std::int32_t;
  using R = Vector<float>;
  using I = Vector<std::int32_t>;
  static constexpr int kMantissa = 23, kBias = 127;
  static constexpr Int kExponentMask = 255;

  static BINADE_INLINE R truncate(R x) {
    return __builtin_convertvector(__builtin_convertvector(x, I), R);
  }
};

template <>
struct Lane<double> {
  using Real = double;
  using Int = std::int64_t;
  using R = Vector<double>;
  using I = Vector<std::int64_t>;
  static constexpr int kMantissa = 52, kBias = 1023;
  static constexpr Int kExponentMask = 2047;

#if defined(__x86_64__) && !defined(__SSE4_1__)
  // No instruction rounds towards zero: round the magnitude somehow, step back where that went up,
  // and give the sign back.
  static BINADE_INLINE R truncate(R x) {
    const I sign = I(x) & (std::int64_t{1} << 63);
    const R magnitude = R(I(x) ^ sign);
    R y = (magnitude + 0x1p52) - 0x1p52;
    y -= R(I(R{} + 1.0) & (y > magnitude));
    return R(I(y) | sign);
  }
#else
  static BINADE_INLINE R truncate(R x) {
    R t;
    for (std::size_t i = 0; i < sizeof(R) / sizeof(double); ++i) t[i] = __builtin_trunc(x[i]);
    return t;
  }
#endif
};

template <class L>
BINADE_INLINE typename L::R magnitude(typename L::R x) {
  constexpr auto kAbs = static_cast<typename L::Int>(~typename L::Int{0} ^
                                                     (typename L::Int{1} << (8 * sizeof(typename L::Int) - 1)));
  return (typename L::R)((typename L::I)x & kAbs);
}
template <class L>
BINADE_INLINE typename L::R positive_part(typename L::R x) {
  return (typename L::R)max_of_lanes((typename L::I)x, typename L::I{});
}
/// All ones for negative numbers, -0 among them.
BINADE_INLINE std::ptrdiff_t sign_mask(float x) {
  return __builtin_bit_cast(std::int32_t, x) >> 31;
}
BINADE_INLINE std::ptrdiff_t sign_mask(double x) {
  return __builtin_bit_cast(std::int64_t, x) >> 63;
}

/// x to the nearest integer, ties to even, whatever the mode.
#if defined(__AVX512F__)
template <class L>
BINADE_INLINE Vector<float> nearest(Vector<float> x) {
  return (Vector<float>)_mm512_maskz_roundscale_ps(0xffff, (__m512)x, _MM_FROUND_TO_NEAREST_INT);
}
template <class L>
BINADE_INLINE Vector<double> nearest(Vector<double> x) {
  return (Vector<double>)_mm512_maskz_roundscale_pd(0xff, (__m512d)x, _MM_FROUND_TO_NEAREST_INT);
}
#elif defined(__AVX2__)
template <class L>
BINADE_INLINE Vector<float> nearest(Vector<float> x) {
  return (Vector<float>)_mm256_round_ps((__m256)x, _MM_FROUND_TO_NEAREST_INT);
}
template <class L>
BINADE_INLINE Vector<double> nearest(Vector<double> x) {
  return (Vector<double>)_mm256_round_pd((__m256d)x, _MM_FROUND_TO_NEAREST_INT);
}
#else
template <class L>
BINADE_INLINE typename L::R nearest(typename L::R x) {
  using R = typename L::R;
  using I = typename L::I;
  using Real = typename L::Real;
  const R whole = L::truncate(x), rest = x - whole, half = whole * Real{0.5};
  const I odd = L::truncate(half) != half;
  const R one = R{} + Real{1};
  const I up = (rest > Real{0.5}) | ((rest == Real{0.5}) & odd);
  const I down = (rest < Real{-0.5}) | ((rest == Real{-0.5}) & odd);
  return whole + R(I(one) & up) - R(I(one) & down);
}
#endif

/// 2^e for exponents that are normal in Real.
template <class L>
BINADE_INLINE typename L::R power_of_two(typename L::I e) {
  return (typename L::R)((e + L::kBias) << L::kMantissa);
}
/// Exponent of the leading bit; far below everything for zeros.
template <class L>
BINADE_INLINE typename L::I exponent_of(typename L::R x) {
  return (((typename L::I)x >> L::kMantissa) & L::kExponentMask) - L::kBias;
}

/// x rounded once to the result format; x holds the sum exactly.
template <class L>
BINADE_INLINE typename L::R round_result(const ChainPlan& p, typename L::R x, bool to_nearest) {
  using R = typename L::R;
  using Int = typename L::Int;
  constexpr Int kOne = Int{1} << L::kMantissa;  // an exponent, where it stands in a pattern
  const auto exponent = at_least((typename L::I)x & (L::kExponentMask * kOne),
                                 static_cast<Int>((p.result_emin + L::kBias) * kOne));
  const auto ulp = exponent - static_cast<Int>(p.result_mantissa_bits * kOne);
  const auto units = x * (R)(2 * L::kBias * kOne - ulp);
  const auto whole = to_nearest ? nearest<L>(units) : L::truncate(units);
  return whole * (R)ulp + typename L::Real{0};  // -0 becomes +0
}

/// A step's result: infinite beyond the range, and where C was no number before.
template <class L>
BINADE_INLINE typename L::R bound_result(const ChainPlan& p, typename L::R c, typename L::R d) {
  using R = typename L::R;
  const auto largest = R{} + static_cast<typename L::Real>(p.result_max);
  const R infinity = R{} + static_cast<typename L::Real>(__builtin_inff());
  const R bounded = d > largest ? infinity : d < -largest ? -infinity : d;
  return magnitude<L>(c) < infinity ? bounded : c;
}
/// AddendRule::kAddedLast: the chain of an instruction and its C, to nearest even.
template <class L>
BINADE_INLINE typename L::R join_result(const ChainPlan& p, typename L::R c,
                                        typename L::R chain) {
  const auto sum = c + chain, d = round_result<L>(p, sum, true);
  return p.bounded ? d : bound_result<L>(p, sum, d);
}

}  // namespace
}  // namespace binade::detail::BINADE_ISA

// The loops of narrow_plan.hpp in AVX-512, by hand: g++ 12 narrows words to bytes in ten operations
// where two or three do. Part of cast.isa.cpp, and of no other instance than x86-64-v4.
//
// A step takes whole lines of codes from registers to memory, past the caches where the array is
// large, so that nothing lies in a buffer between. For 64 bytes of codes it is 30 operations, 2
// cycles for 16 elements on four pipes; the loop that only narrows takes 1.7 from the second-level
// cache.
#pragma once

#include <immintrin.h>

#include "narrow_plan.hpp"

namespace binade::detail::BINADE_ISA {
namespace {

/// Four vectors of numbers.
struct Numbers64 {
  __m512 a, b, c, d;
};

[[gnu::always_inline]] inline __m512i bits_of(__m512 x) { return _mm512_castps_si512(x); }
[[gnu::always_inline]] inline __m512i bytes_of(std::uint32_t x) {
  return _mm512_set1_epi8(static_cast<char>(x));
}
[[gnu::always_inline]] inline __m512i words_of(std::uint32_t x) {
  return _mm512_set1_epi16(static_cast<short>(x));
}

/// A constant that stays in its register: g++ would make it again wherever it is used.
[[gnu::always_inline]] inline __m512i kept(__m512i constant) {
  asm("" : "+v"(constant));
  return constant;
}

/// Whether there is a NaN in either: one operation for two vectors.
[[gnu::always_inline]] inline __mmask16 unordered(__m512 a, __m512 b) {
  return _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q);
}
[[gnu::always_inline]] inline bool has_nan(const Numbers64& x) {
  return _kortestz_mask16_u8(unordered(x.a, x.b), unordered(x.c, x.d)) == 0;
}
/// A bit for each of two vectors' elements.
[[gnu::always_inline]] inline std::uint32_t nans(__m512 a, __m512 b) {
  return unordered(a, a) | static_cast<std::uint32_t>(unordered(b, b)) << 16;
}
[[gnu::always_inline]] inline std::uint32_t signs(__m512 a, __m512 b) {
  return _mm512_movepi32_mask(bits_of(a)) |
         static_cast<std::uint32_t>(_mm512_movepi32_mask(bits_of(b))) << 16;
}

/// Sign and rounded magnitude, not yet cut at the format's end, in 16 bits.
class SignedWords {
 public:
  explicit SignedWords(const NarrowPlan& p)
      : smallest_(_mm512_set1_ps(p.smallest)),
        multiplier_(_mm512_set1_ps(p.multiplier)),
        power_(kept(_mm512_set1_epi32(static_cast<int>(0xff800000u)))),
        pair_(_mm512_set1_epi32(static_cast<int>(p.pair))) {}

  /// Of two vectors, four words of the one and four of the other in turn.
  [[gnu::always_inline]] __m512i operator()(__m512 a, __m512 b) const {
    return _mm512_packs_epi32(one(a), one(b));  // no word saturates
  }

 private:
  [[gnu::always_inline]] __m512i one(__m512 x) const {
    constexpr int kLargerMagnitudeUnderSignOfFirst = 3;
    const __m512 power = _mm512_castsi512_ps(_mm512_and_si512(bits_of(x), power_));
    const __m512 scale = _mm512_range_ps(power, smallest_, kLargerMagnitudeUnderSignOfFirst);
    return _mm512_madd_epi16(bits_of(_mm512_fmadd_ps(scale, multiplier_, x)), pair_);
  }
  __m512 smallest_, multiplier_;
  __m512i power_, pair_;
};

/// How 64 numbers lie in four vectors: 16 and 16, or, as words fall apart into doublewords, the
/// even and the odd ones of 32, twice.
enum class Lie : std::uint8_t { kInOrder, kEvenOdd };

/// 64 numbers to 64 bytes. whole: the sign is the byte's last bit, and there is -0.
template <bool whole, Lie lie = Lie::kInOrder>
class ToBytes {
 public:
  static constexpr std::size_t kStep = 64;  ///< numbers to a line of codes

  explicit ToBytes(const NarrowPlan& p)
      : words_(p),
        magnitude_(kept(words_of(0x7fff))),
        overflow_(bytes_of(p.overflow)),
        sign_(bytes_of(p.sign_bit)),
        minus_zero_(bytes_of(p.signed_zero ? 1 : 0)),
        order_(lie == Lie::kInOrder
                   ? _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)
                   : _mm512_setr_epi32(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15)),
        in_turn_(kept(_mm512_broadcast_i32x4(
            _mm_setr_epi8(0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15)))),
        fraction_(_mm_cvtsi32_si128(p.fraction)),
        nan_(p.nan),
        nan_flip_(p.nan_flip) {}

  [[gnu::always_inline]] __m512i operator()(const float* x) const {
    return (*this)(Numbers64{_mm512_loadu_ps(x), _mm512_loadu_ps(x + 16), _mm512_loadu_ps(x + 32),
                             _mm512_loadu_ps(x + 48)});
  }
  [[gnu::always_inline]] __m512i operator()(const Numbers64& x) const {
    const __m512i codes = codes_of(x);
    if (has_nan(x)) [[unlikely]]
      return with_nan(codes, x);
    return in_order(codes);
  }
  /// Where there is no NaN.
  [[gnu::always_inline]] __m512i of_numbers(const Numbers64& x) const {
    return in_order(codes_of(x));
  }

 private:
  /// As the packs leave them: in each quarter four of each vector.
  [[gnu::always_inline]] __m512i codes_of(const Numbers64& x) const {
    const __m512i first = words_(x.a, x.b), second = words_(x.c, x.d);
    const __m512i magnitudes =
        _mm512_min_epu8(_mm512_packus_epi16(magnitude_of(first), magnitude_of(second)), overflow_);
    const __m512i signs_last = _mm512_packs_epi16(first, second);  // keeps signs, whatever else
    __m512i codes;
    if constexpr (whole) {
      constexpr int kFirstOrBothOthers = 0xf8;
      codes = _mm512_ternarylogic_epi32(magnitudes, signs_last, sign_, kFirstOrBothOthers);
    } else {
      const __m512i kept = _mm512_or_si512(magnitudes, minus_zero_);
      const __mmask64 negative =
          _mm512_mask_test_epi8_mask(_mm512_movepi8_mask(signs_last), kept, kept);
      codes = _mm512_mask_add_epi8(magnitudes, negative, magnitudes, sign_);
    }
    return codes;
  }
  [[gnu::always_inline]] __m512i in_order(__m512i codes) const {
    if constexpr (lie == Lie::kEvenOdd) codes = _mm512_shuffle_epi8(codes, in_turn_);
    return _mm512_permutexvar_epi32(order_, codes);
  }
  [[gnu::always_inline]] __m512i magnitude_of(__m512i words) const {
    return _mm512_srl_epi16(_mm512_and_si512(words, magnitude_), fraction_);
  }
  [[gnu::always_inline]] __m512i with_nan(__m512i codes, const Numbers64& x) const {
    const auto all_ones = [](__m512 v) __attribute__((always_inline)) {
      return _mm512_movm_epi32(unordered(v, v));
    };
    const __mmask64 nan =
        _mm512_movepi8_mask(_mm512_packs_epi16(_mm512_packs_epi32(all_ones(x.a), all_ones(x.b)),
                                               _mm512_packs_epi32(all_ones(x.c), all_ones(x.d))));
    const __mmask64 negative =
        _mm512_movepi8_mask(_mm512_packs_epi16(_mm512_packs_epi32(bits_of(x.a), bits_of(x.b)),
                                               _mm512_packs_epi32(bits_of(x.c), bits_of(x.d))));
    codes = _mm512_mask_mov_epi8(codes, nan, bytes_of(nan_));
    return in_order(_mm512_mask_mov_epi8(codes, nan & negative, bytes_of(nan_ ^ nan_flip_)));
  }

  SignedWords words_;
  __m512i magnitude_, overflow_, sign_, minus_zero_, order_;
  __m512i in_turn_;  ///< four bytes of even numbers and four of odd ones become eight in order
  __m128i fraction_;
  std::uint32_t nan_, nan_flip_;
};

/// What the three ways to 16 bits share: 32 numbers a line, and NaN.
template <class Way>
class ToWords {
 public:
  static constexpr std::size_t kStep = 32;

  explicit ToWords(const NarrowPlan& p) : way_(p), nan_(p.nan), nan_flip_(p.nan_flip) {}

  [[gnu::always_inline]] __m512i operator()(const float* x) const {
    const __m512 a = _mm512_loadu_ps(x), b = _mm512_loadu_ps(x + 16);
    __m512i codes = way_(a, b);
    if (unordered(a, b) != 0) [[unlikely]]
      codes = with_nan(codes, a, b);
    return codes;
  }

 private:
  [[gnu::always_inline]] __m512i with_nan(__m512i codes, __m512 a, __m512 b) const {
    const __mmask32 nan = nans(a, b);
    codes = _mm512_mask_mov_epi16(codes, nan, words_of(nan_));
    return _mm512_mask_mov_epi16(codes, nan & signs(a, b), words_of(nan_ ^ nan_flip_));
  }
  Way way_;
  std::uint32_t nan_, nan_flip_;
};

class NarrowWords {
 public:
  explicit NarrowWords(const NarrowPlan& p)
      : words_(p),
        magnitude_(kept(words_of(0x7fff))),
        overflow_(words_of(p.overflow)),
        sign_(words_of(p.sign_bit)),
        minus_zero_(words_of(p.signed_zero ? 1 : 0)),
        order_(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7)),
        fraction_(_mm_cvtsi32_si128(p.fraction)) {}

  [[gnu::always_inline]] __m512i operator()(__m512 a, __m512 b) const {
    const __m512i words = words_(a, b);
    const __m512i magnitudes = _mm512_min_epu16(
        _mm512_srl_epi16(_mm512_and_si512(words, magnitude_), fraction_), overflow_);
    const __m512i kept = _mm512_or_si512(magnitudes, minus_zero_);
    const __mmask32 negative = _mm512_mask_test_epi16_mask(_mm512_movepi16_mask(words), kept, kept);
    return _mm512_permutexvar_epi64(order_,
                                    _mm512_mask_add_epi16(magnitudes, negative, magnitudes, sign_));
  }

 private:
  SignedWords words_;
  __m512i magnitude_, overflow_, sign_, minus_zero_, order_;
  __m128i fraction_;
};

/// x, or the format's end under its sign.
constexpr int kSmallerMagnitudeUnderSignOfFirst = 2;

class NarrowFp16 {
 public:
  explicit NarrowFp16(const NarrowPlan& p) : end_(_mm512_set1_ps(p.end)) {}

  [[gnu::always_inline]] __m512i operator()(__m512 a, __m512 b) const {
    return _mm512_inserti64x4(_mm512_castsi256_si512(half(a)), half(b), 1);
  }

 private:
  [[gnu::always_inline]] __m256i half(__m512 x) const {
    return _mm512_cvtps_ph(_mm512_range_ps(x, end_, kSmallerMagnitudeUnderSignOfFirst),
                           _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  __m512 end_;
};

/// The upper words, and one more where the lower ones round up: above a half, or at it under an odd
/// upper word.
class NarrowBf16 {
 public:
  explicit NarrowBf16(const NarrowPlan& p) : end_(_mm512_set1_ps(p.end)) {
    alignas(64) std::uint16_t even[32];
    for (std::uint16_t i = 0; i < 32; ++i) even[i] = static_cast<std::uint16_t>(2 * i);
    lower_ = _mm512_load_si512(even);
    upper_ = _mm512_add_epi16(lower_, words_of(1));
  }

  [[gnu::always_inline]] __m512i operator()(__m512 a, __m512 b) const {
    const __m512i x = bits_of(_mm512_range_ps(a, end_, kSmallerMagnitudeUnderSignOfFirst));
    const __m512i y = bits_of(_mm512_range_ps(b, end_, kSmallerMagnitudeUnderSignOfFirst));
    const __m512i upper = _mm512_permutex2var_epi16(x, upper_, y);
    const __m512i lower = _mm512_permutex2var_epi16(x, lower_, y);
    const __m512i beyond = _mm512_adds_epu16(lower, _mm512_and_si512(upper, words_of(1)));
    const __mmask32 up = _mm512_cmpgt_epu16_mask(beyond, words_of(0x8000));
    return _mm512_mask_add_epi16(upper, up, upper, words_of(1));
  }

 private:
  __m512 end_;
  __m512i lower_, upper_;
};

/// Whole lines straight to memory, and the rest through a buffer. past_caches: the target lies on a
/// line.
template <class Narrow, bool past_caches>
void narrow_lines(const float* source, std::byte* target, std::size_t count, const Narrow& narrow) {
  constexpr std::size_t kStep = Narrow::kStep, kAhead = 8192;  // two pages, as fill_ahead
  constexpr std::size_t kWidth = 64 / kStep;
  std::size_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    const char* ahead = reinterpret_cast<const char*>(source + i) + kAhead;
    for (std::size_t at = 0; at < kStep * sizeof(float); at += 64) __builtin_prefetch(ahead + at);
    const __m512i codes = narrow(source + i);
    auto* line = reinterpret_cast<__m512i*>(target + i * kWidth);
    if constexpr (past_caches) {
      _mm512_stream_si512(line, codes);
    } else {
      _mm512_storeu_si512(line, codes);
    }
  }
  if (i == count) return;
  alignas(64) float rest[kStep] = {};
  alignas(64) std::byte codes[64];
  __builtin_memcpy(rest, source + i, (count - i) * sizeof(float));
  _mm512_store_si512(codes, narrow(rest));
  __builtin_memcpy(target + i * kWidth, codes, (count - i) * kWidth);
}

template <class Narrow>
void narrow_loop(const float* source, void* target, std::size_t count, const NarrowPlan& plan,
                 bool past_caches) {
  const Narrow narrow(plan);
  auto* out = static_cast<std::byte*>(target);
  if (past_caches) {
    narrow_lines<Narrow, true>(source, out, count, narrow);
  } else {
    narrow_lines<Narrow, false>(source, out, count, narrow);
  }
}

void narrow_bytes(const float* source, void* target, std::size_t count, const NarrowPlan& plan,
                  bool past_caches) {
  if (plan.sign_bit == 0x80 && plan.signed_zero) {
    narrow_loop<ToBytes<true>>(source, target, count, plan, past_caches);
  } else {
    narrow_loop<ToBytes<false>>(source, target, count, plan, past_caches);
  }
}

}  // namespace
}  // namespace binade::detail::BINADE_ISA

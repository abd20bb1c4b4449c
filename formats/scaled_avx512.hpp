// A quantiser's loops over rows of blocks in AVX-512: amax, and product and cast in one pass from
// registers. Part of cast.isa.cpp, and of no other instance than x86-64-v4.
//
// BF16 is widened in registers: the even numbers of 32 are a shift away and the odd ones a mask,
// and the cast's last permutation puts them in turn. Blocks are whole lines of codes, so that each
// line has one factor.
//
// Division. A power of two's reciprocal is exact, so that its product is the quotient. Otherwise
// with r = fl(1 / s) and q0 = fl(x r), the element is
//     q1 = fl(q0 - r fl(q0 s - x)),
// in three operations that take less than half of a division's time. It is cast as fl(x / s) would
// be. Let x and s lie in [1, 2) and u be the place of the quotient's last bit. q0 is within 1.5 u
// of x / s, and r within 2^-25 of 1 / s, so q1 before its rounding is within 1.5 u * s * 2^-25 of x
// / s: q1 is fl(x / s), or its neighbour where x / s is that near a midpoint of two fp32 numbers.
// The code hangs on that only where the midpoint is next to one of the format's ties, which have at
// most 8 significant bits: 2^23 scales, 128 ties and the numbers x beside scale times midpoint are
// few enough to try, and q1 is cast as fl(x / s) in all of them
// (tests/exhaustive/quotient_test.cpp). A bf16 x takes two operations: with the upper 16 bits h of
// 1 / s, cut, and the rest l, x h is exact and
//     fl(x l + x h)
// is cast as the quotient is for all 2^7 x and 2^23 s, by the same test. Scales of 2^-60 to
// 2^60 keep all this from underflow: where |x| < 2^-100 may break it the quotient is below 2^-40,
// zero in any format that is served here, by whichever way. Where q0 overflows q1 is NaN, as it is
// for infinite x, and such lines are divided.
#pragma once

#include <immintrin.h>

#include "binade/formats/scaled_cast.hpp"
#include "narrow_avx512.hpp"

namespace binade::detail::BINADE_ISA {
namespace {

// Magnitudes as integers, infinity and NaN on top (block_scale_kernels.hpp).

[[gnu::always_inline]] inline std::uint32_t amax_of(const float* x, std::size_t width) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  __m512i even = _mm512_setzero_si512(), odd = even;
  for (std::size_t i = 0; i < width; i += 32) {
    even = _mm512_max_epi32(even, _mm512_and_si512(_mm512_loadu_si512(x + i), magnitude));
    odd = _mm512_max_epi32(odd, _mm512_and_si512(_mm512_loadu_si512(x + i + 16), magnitude));
  }
  return static_cast<std::uint32_t>(_mm512_reduce_max_epi32(_mm512_max_epi32(even, odd)));
}

[[gnu::always_inline]] inline std::uint32_t amax_of(const std::uint16_t* x, std::size_t width) {
  const __m512i magnitude = words_of(0x7fff);
  __m512i even = _mm512_setzero_si512(), odd = even;
  for (std::size_t i = 0; i < width; i += 64) {
    even = _mm512_max_epu16(even, _mm512_and_si512(_mm512_loadu_si512(x + i), magnitude));
    odd = _mm512_max_epu16(odd, _mm512_and_si512(_mm512_loadu_si512(x + i + 32), magnitude));
  }
  const __m512i all = _mm512_max_epu16(even, odd);
  const __m256i half =
      _mm256_max_epu16(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
  const __m128i least = _mm_minpos_epu16(
      _mm_xor_si128(_mm_max_epu16(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1)),
                    _mm_set1_epi16(-1)));
  return (~static_cast<std::uint32_t>(_mm_cvtsi128_si32(least)) & 0xffffu) << 16;
}

template <class Source>
void amax_blocks(const void* x, std::size_t blocks, std::size_t width, std::size_t ahead,
                 std::uint32_t* amax) {
  const auto* in = static_cast<const Source*>(x);
  for (std::size_t b = 0; b < blocks; ++b, in += width) {
    const char* next = reinterpret_cast<const char*>(in) + ahead;
    for (std::size_t at = 0; ahead != 0 && at < width * sizeof(Source); at += 64) {
      __builtin_prefetch(next + at);
    }
    const std::uint32_t found = amax_of(in, width);
    amax[b] = amax[b] < found ? found : amax[b];
  }
}

/// 64 elements, widened.
template <class Source>
class Load64;

template <>
class Load64<float> {
 public:
  [[gnu::always_inline]] Numbers64 operator()(const float* x) const {
    return {_mm512_loadu_ps(x), _mm512_loadu_ps(x + 16), _mm512_loadu_ps(x + 32),
            _mm512_loadu_ps(x + 48)};
  }
};

template <>
class Load64<std::uint16_t> {
 public:
  [[gnu::always_inline]] Numbers64 operator()(const std::uint16_t* x) const {
    const __m512i first = _mm512_loadu_si512(x), second = _mm512_loadu_si512(x + 32);
    return {_mm512_castsi512_ps(_mm512_slli_epi32(first, 16)),
            _mm512_castsi512_ps(_mm512_and_si512(first, odd_)),
            _mm512_castsi512_ps(_mm512_slli_epi32(second, 16)),
            _mm512_castsi512_ps(_mm512_and_si512(second, odd_))};
  }

 private:
  __m512i odd_ = kept(_mm512_set1_epi32(static_cast<int>(0xffff0000u)));
};

/// f of each of the four.
template <class F>
[[gnu::always_inline]] inline Numbers64 each(const Numbers64& x, F f) {
  return {f(x.a), f(x.b), f(x.c), f(x.d)};
}

/// What a block's elements go through on their way to the cast.
enum class Scaling : std::uint8_t { kMultiply, kRefine, kDivide, kReplace };

/// What becomes of an element under a factor. (Negative factors are divided by.)
[[gnu::always_inline]] inline Scaling scaling_of(float factor, bool divides) {
  const std::uint32_t bits = bit_cast<std::uint32_t>(factor), field = bits >> 23;
  if (factor != factor) return Scaling::kReplace;
  if (!divides) return Scaling::kMultiply;
  if (field < 127 - 60 || field > 127 + 60) return Scaling::kDivide;
  return (bits & 0x7fffff) == 0 ? Scaling::kMultiply : Scaling::kRefine;
}

/// What 16 blocks are multiplied by, made at once: block by block each would wait for a division.
class Multipliers {
 public:
  static constexpr std::size_t kBlocks = 16;

  Multipliers(const float* factors, std::size_t blocks, bool divides) {
    const auto mask = static_cast<__mmask16>((1u << blocks) - 1);
    const __m512 one = _mm512_set1_ps(1.0f), s = _mm512_mask_loadu_ps(one, mask, factors);
    _mm512_store_ps(product, s);
    if (!divides) return;
    const __m512 r = _mm512_div_ps(one, s);
    const __m512 upper =
        _mm512_castsi512_ps(_mm512_and_si512(_mm512_sub_epi32(bits_of(r), _mm512_set1_epi32(1)),
                                             _mm512_set1_epi32(static_cast<int>(0xffffff00u))));
    _mm512_store_ps(product, r);  // of powers of two
    _mm512_store_ps(reciprocal, r);
    _mm512_store_ps(reciprocal_upper, upper);
    _mm512_store_ps(reciprocal_rest, _mm512_mul_ps(_mm512_fnmadd_ps(s, upper, one), r));
  }

  alignas(64) float product[kBlocks], reciprocal[kBlocks], reciprocal_upper[kBlocks],
      reciprocal_rest[kBlocks];
};

/// The quotients by a scale, NaN where one is infinite or NaN, or infinite where it is.
template <class Source>
class Refined;

template <>
class Refined<float> {
 public:
  Refined(const Multipliers& m, std::size_t block, float factor)
      : s_(_mm512_set1_ps(factor)), r_(_mm512_set1_ps(m.reciprocal[block])) {}
  [[gnu::always_inline]] __m512 operator()(__m512 x) const {
    const __m512 q0 = _mm512_mul_ps(x, r_);
    return _mm512_fnmadd_ps(_mm512_fmsub_ps(q0, s_, x), r_, q0);  // so spelt, -0 keeps its sign
  }

 private:
  __m512 s_, r_;
};

template <>
class Refined<std::uint16_t> {
 public:
  Refined(const Multipliers& m, std::size_t block, float)
      : upper_(_mm512_set1_ps(m.reciprocal_upper[block])),
        rest_(_mm512_set1_ps(m.reciprocal_rest[block])) {}
  [[gnu::always_inline]] __m512 operator()(__m512 x) const {
    return _mm512_fmadd_ps(x, rest_, _mm512_mul_ps(x, upper_));
  }

 private:
  __m512 upper_, rest_;  ///< rest > 0, so that -0 keeps its sign
};

/// Where lines of codes go: to any address.
class Lines {
 public:
  Lines(void* codes, CodeStream*) : to_(static_cast<std::byte*>(codes)) {}
  [[gnu::always_inline]] void put(__m512i codes) {
    _mm512_storeu_si512(to_, codes);
    to_ += 64;
  }
  void finish() {}

 private:
  std::byte* to_;
};

/// Past the caches, to an address on 4 bytes: each line of memory is put together from two of
/// codes. The first, of which others may have a part, is written in part; the last waits in the
/// stream for what comes next, because a line that is written in two parts has to be read, and
/// every store behind it waits.
class LinesPastCaches {
 public:
  LinesPastCaches(void* codes, CodeStream* stream)
      : stream_(stream),
        shift_(static_cast<int>(reinterpret_cast<std::uintptr_t>(codes) % 64 / 4)),
        line_(static_cast<std::byte*>(codes) - 4 * shift_),
        is_first_(stream->next != codes) {
    if (is_first_) stream->flush();
    before_ = _mm512_load_si512(stream->last);
    const __m512i place = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    turn_ = _mm512_sub_epi32(place, _mm512_set1_epi32(shift_ - 16));
  }
  [[gnu::always_inline]] void put(__m512i codes) {
    const __m512i line = _mm512_permutex2var_epi32(before_, turn_, codes);
    if (is_first_) [[unlikely]] {
      _mm512_mask_storeu_epi32(line_, static_cast<__mmask16>(0xffffu << shift_), line);
      is_first_ = false;
    } else {
      _mm512_stream_si512(reinterpret_cast<__m512i*>(line_), line);
    }
    before_ = codes;
    line_ += 64;
  }
  void finish() {
    _mm512_store_si512(stream_->last, before_);
    stream_->next = line_ + 4 * shift_;
  }

 private:
  CodeStream* stream_;
  int shift_;
  std::byte* line_;
  __m512i before_, turn_;
  bool is_first_;
};

template <class Source, class Narrow, class Target>
void cast_lines(const Source* x, std::size_t blocks, std::size_t width, std::size_t ahead,
                const float* factors, bool divides, void* codes, const NarrowPlan& plan,
                CodeStream* stream) {
  const Narrow narrow(plan);
  const Load64<Source> load;
  Target target(codes, stream);
  const auto block = [&](auto codes_of) __attribute__((always_inline)) {
    for (std::size_t i = 0; i < width; i += 64, x += 64) {
      const char* next = reinterpret_cast<const char*>(x) + ahead;
      for (std::size_t at = 0; ahead != 0 && at < 64 * sizeof(Source); at += 64) {
        __builtin_prefetch(next + at);
      }
      target.put(codes_of(load(x)));
    }
  };
  const auto scale_block = [&](float factor, const Multipliers& multipliers, std::size_t b)
      __attribute__((always_inline)) {
    const __m512 s = _mm512_set1_ps(factor);
    const auto quotient = [s](__m512 v) __attribute__((always_inline)) {
      return _mm512_div_ps(v, s);
    };
    const Scaling scaling = scaling_of(factor, divides);
    if (scaling == Scaling::kMultiply) {
      const __m512 by = _mm512_set1_ps(multipliers.product[b]);
      block([&](const Numbers64& v) __attribute__((always_inline)) {
        return narrow(each(
            v, [by](__m512 e) __attribute__((always_inline)) { return _mm512_mul_ps(e, by); }));
      });
    } else if (scaling == Scaling::kRefine) {
      const Refined<Source> refined(multipliers, b, factor);
      block([&](const Numbers64& v) __attribute__((always_inline)) {
        const Numbers64 q = each(v, refined);
        if (has_nan(q)) [[unlikely]]
          return narrow(each(v, quotient));
        return narrow.of_numbers(q);
      });
    } else if (scaling == Scaling::kDivide) {
      block([&](const Numbers64& v)
                __attribute__((always_inline)) { return narrow(each(v, quotient)); });
    } else {  // of two NaN the element's own counts, as in block_scale.isa.cpp
      block([&](const Numbers64& v) __attribute__((always_inline)) {
        return narrow(each(
            v, [s](__m512 e) __attribute__((always_inline)) {
              return _mm512_mask_mov_ps(s, unordered(e, e), e);
            }));
      });
    }
  };
  for (std::size_t first = 0; first < blocks; first += Multipliers::kBlocks) {
    const std::size_t left = blocks - first;
    const std::size_t some = left < Multipliers::kBlocks ? left : Multipliers::kBlocks;
    const Multipliers multipliers(factors + first, some, divides);
    for (std::size_t b = 0; b < some; ++b) scale_block(factors[first + b], multipliers, b);
  }
  target.finish();
}

template <class Source>
void cast_blocks(const void* x, std::size_t blocks, std::size_t width, std::size_t ahead,
                 const float* factors, bool divides, void* codes, const NarrowPlan& plan,
                 CodeStream* stream) {
  constexpr Lie kLie = sizeof(Source) == 2 ? Lie::kEvenOdd : Lie::kInOrder;
  using Whole = ToBytes<true, kLie>;
  using Other = ToBytes<false, kLie>;
  const bool whole = plan.sign_bit == 0x80 && plan.signed_zero;
  const bool streams = stream != nullptr && reinterpret_cast<std::uintptr_t>(codes) % 4 == 0;
  const auto loop = whole ? (streams ? cast_lines<Source, Whole, LinesPastCaches>
                                     : cast_lines<Source, Whole, Lines>)
                          : (streams ? cast_lines<Source, Other, LinesPastCaches>
                                     : cast_lines<Source, Other, Lines>);
  loop(static_cast<const Source*>(x), blocks, width, ahead, factors, divides, codes, plan, stream);
}

}  // namespace
}  // namespace binade::detail::BINADE_ISA

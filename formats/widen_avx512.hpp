// Decode of codes of at most 8 bits by a table in registers, in AVX-512. Part of cast.isa.cpp, and
// of no other instance than x86-64-v4.
//
// The values of such a format have at most 8 significant bits, so where none lies below 2^-133 they
// are the upper words of fp32 patterns, and 256 words are eight registers. NaN, infinity and
// subnormals are entries like the others. Where a code with its upper bit set is the same number
// under a sign, as in most signed formats, half of the table does, in 9 operations for 32 codes;
// the values go to memory in whole lines, past the caches where the array is large.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace binade::detail::BINADE_ISA {
namespace {

class ByteTable {
 public:
  /// values: of the 256 codes.
  explicit ByteTable(const float* values) {
    alignas(64) std::uint16_t upper[32], to_first[32];
    for (int i = 0; i < 32; ++i) {
      upper[i] = static_cast<std::uint16_t>(2 * i + 1);
      to_first[i] = static_cast<std::uint16_t>(i / 2);
    }
    const __m512i uppers = _mm512_load_si512(upper);
    const __m512i sign = _mm512_set1_epi16(static_cast<short>(0x8000));
    __mmask32 lower = 0, apart = 0;
    for (int i = 0; i < 8; ++i) {
      const __m512i a = _mm512_loadu_si512(values + 32 * i);
      const __m512i b = _mm512_loadu_si512(values + 32 * i + 16);
      words_[i] = _mm512_permutex2var_epi16(a, uppers, b);
      lower |= _mm512_test_epi32_mask(_mm512_or_si512(a, b), _mm512_set1_epi32(0xffff));
      if (i < 4) continue;
      apart |= _mm512_cmpneq_epu16_mask(_mm512_xor_si512(words_[i], sign), words_[i - 4]);
    }
    serves_ = lower == 0;
    mirrored_ = apart == 0;
    first_ = _mm512_load_si512(to_first);
    second_ = _mm512_add_epi16(first_, _mm512_set1_epi16(16));
  }
  /// Whether the values are upper words at all.
  bool serves() const { return serves_; }
  bool mirrored() const { return mirrored_; }

  template <bool mirrored>
  [[gnu::always_inline]] __m512i look_up(__m256i codes) const {
    const __m512i at = _mm512_cvtepu8_epi16(codes);
    const __mmask32 bit6 = _mm512_test_epi16_mask(at, _mm512_set1_epi16(0x40));
    const __m512i low = of_128<0>(at, bit6);
    if constexpr (mirrored) {
      constexpr int kFirstOrBothOthers = 0xf8;
      return _mm512_ternarylogic_epi32(low, _mm512_slli_epi16(at, 8),
                                       _mm512_set1_epi16(static_cast<short>(0x8000)),
                                       kFirstOrBothOthers);
    }
    const __mmask32 bit7 = _mm512_test_epi16_mask(at, _mm512_set1_epi16(0x80));
    return _mm512_mask_blend_epi16(bit7, low, of_128<4>(at, bit6));
  }
  /// The values of 16 of 32 words.
  [[gnu::always_inline]] __m512 first(__m512i words) const { return widened(first_, words); }
  [[gnu::always_inline]] __m512 second(__m512i words) const { return widened(second_, words); }

 private:
  template <int from>
  [[gnu::always_inline]] __m512i of_128(__m512i at, __mmask32 bit6) const {
    return _mm512_mask_blend_epi16(
        bit6, _mm512_permutex2var_epi16(words_[from], at, words_[from + 1]),
        _mm512_permutex2var_epi16(words_[from + 2], at, words_[from + 3]));
  }
  [[gnu::always_inline]] static __m512 widened(__m512i places, __m512i words) {
    return _mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(0xaaaaaaaau, places, words));
  }

  __m512i words_[8];
  __m512i first_, second_;
  bool serves_, mirrored_;
};

template <bool mirrored, bool past_caches>
void widen_lines(const std::uint8_t* source, float* target, std::size_t count,
                 const ByteTable& shared_table) {
  constexpr std::size_t kStep = 64, kAhead = 8192;  // two pages, as fill_ahead
  const ByteTable table = shared_table;  // a local, so that stores cannot change it
  const auto put = [](float* to, __m512 x) __attribute__((always_inline)) {
    if constexpr (past_caches) {
      _mm512_stream_ps(to, x);
    } else {
      _mm512_storeu_ps(to, x);
    }
  };
  const auto load = [](const std::uint8_t* codes) __attribute__((always_inline)) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes));
  };
  std::size_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    __builtin_prefetch(source + i + kAhead);
    for (std::size_t j = i; j < i + kStep; j += 32) {
      const __m512i words = table.look_up<mirrored>(load(source + j));
      put(target + j, table.first(words));
      put(target + j + 16, table.second(words));
    }
  }
  if (i == count) return;
  alignas(64) std::uint8_t codes[kStep] = {};
  alignas(64) float rest[kStep];
  __builtin_memcpy(codes, source + i, count - i);
  for (std::size_t j = 0; j < kStep; j += 32) {
    const __m512i words = table.look_up<mirrored>(load(codes + j));
    _mm512_store_ps(rest + j, table.first(words));
    _mm512_store_ps(rest + j + 16, table.second(words));
  }
  __builtin_memcpy(target + i, rest, (count - i) * sizeof(float));
}

/// False, and nothing done, where the values are no upper words.
bool widen_bytes(const float* values, const void* source, float* target, std::size_t count,
                 bool past_caches) {
  const ByteTable table(values);
  if (!table.serves()) return false;
  const auto loop = table.mirrored()
                        ? (past_caches ? widen_lines<true, true> : widen_lines<true, false>)
                        : (past_caches ? widen_lines<false, true> : widen_lines<false, false>);
  loop(static_cast<const std::uint8_t*>(source), target, count, table);
  return true;
}

}  // namespace
}  // namespace binade::detail::BINADE_ISA

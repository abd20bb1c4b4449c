// Eigen is templates throughout, whose copies for different instruction sets must not share
// symbols: its namespace lies within one that is named after the instruction set.
#define Eigen BINADE_ISA::Eigen

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // in gcc's own AVX-512 header, bug 105593
#endif
#include "limits.hpp"

#include <Eigen/Core>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace binade::experiments::BINADE_ISA {
namespace {

void sgemm(const float* a, const float* b, float* d, std::size_t rows, std::size_t n,
           std::size_t k) {
  using Matrix = ::Eigen::Matrix<float, ::Eigen::Dynamic, ::Eigen::Dynamic, ::Eigen::RowMajor>;
  const auto index = [](std::size_t i) { return static_cast<::Eigen::Index>(i); };
  const ::Eigen::Map<const Matrix> x(a, index(rows), index(k)), y(b, index(n), index(k));
  ::Eigen::Map<Matrix>(d, index(rows), index(n)).noalias() = x * y.transpose();
}

/// Keeps the upper bits, as a truncating cast would, so that no read can be left out.
template <typename From, typename To>
void convert_words(const void* from, void* to, std::size_t count) {
  const From* source = static_cast<const From*>(from);
  To* target = static_cast<To*>(to);
  constexpr int kDropped = sizeof(From) > sizeof(To) ? 8 * (sizeof(From) - sizeof(To)) : 0;
  for (std::size_t i = 0; i < count; ++i) target[i] = static_cast<To>(source[i] >> kDropped);
}

void copy_past_caches(const char* from, char* to, std::size_t bytes) {
  std::size_t at = 0;
#if defined(__AVX512F__)
  for (; at + 64 <= bytes; at += 64) {
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to + at), _mm512_loadu_si512(from + at));
  }
#elif defined(__AVX2__)
  for (; at + 32 <= bytes; at += 32) {
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to + at),
                        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + at)));
  }
#elif defined(__x86_64__)
  for (; at + 16 <= bytes; at += 16) {
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + at),
                     _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + at)));
  }
#endif
  __builtin_memcpy(to + at, from + at, bytes - at);
}

template <typename From, typename To>
void convert_words_large(const void* from, void* to, std::size_t count) {
  constexpr std::size_t kBlock = 2048, kAhead = 8192;
  alignas(64) To buffer[kBlock];
  for (std::size_t at = 0; at < count; at += kBlock) {
    const std::size_t n = count - at < kBlock ? count - at : kBlock;
    const From* source = static_cast<const From*>(from) + at;
    for (std::size_t i = 0; i + 64 <= n; i += 64) {
      const char* ahead = reinterpret_cast<const char*>(source + i) + kAhead;
      for (std::size_t b = 0; b < 64 * sizeof(From); b += 64) __builtin_prefetch(ahead + b);
      convert_words<From, To>(source + i, buffer + i, 64);
    }
    convert_words<From, To>(source + n / 64 * 64, buffer + n / 64 * 64, n % 64);
    copy_past_caches(reinterpret_cast<const char*>(buffer),
                     reinterpret_cast<char*>(static_cast<To*>(to) + at), n * sizeof(To));
  }
}

/// Calls body.operator()<From, To>() for the words' widths.
template <typename Body>
void with_words(int from_bytes, int to_bytes, Body body) {
  const auto to = [&]<typename From>() {
    if (to_bytes == 1) body.template operator()<From, std::uint8_t>();
    if (to_bytes == 2) body.template operator()<From, std::uint16_t>();
    if (to_bytes == 4) body.template operator()<From, std::uint32_t>();
  };
  if (from_bytes == 1) to.template operator()<std::uint8_t>();
  if (from_bytes == 2) to.template operator()<std::uint16_t>();
  if (from_bytes == 4) to.template operator()<std::uint32_t>();
}

void convert(const void* from, int from_bytes, void* to, int to_bytes, std::size_t count) {
  with_words(from_bytes, to_bytes,
             [&]<typename From, typename To>() { convert_words<From, To>(from, to, count); });
}

void convert_large(const void* from, int from_bytes, void* to, int to_bytes, std::size_t count) {
  with_words(from_bytes, to_bytes,
             [&]<typename From, typename To>() { convert_words_large<From, To>(from, to, count); });
}

}  // namespace

const Limits& limits() {
  static constexpr Limits kLimits{sgemm, convert, convert_large};
  return kLimits;
}

}  // namespace binade::experiments::BINADE_ISA

// Eigen is templates throughout, whose copies for different instruction sets must not share
// symbols: its namespace lies within one that is named after the instruction set.
#define Eigen BINADE_ISA::Eigen

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // in gcc's own AVX-512 header, bug 105593
#endif
#include "limits.hpp"

#include <Eigen/Core>
#include <cstdint>

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

template <typename From>
void convert_from(const void* from, void* to, int to_bytes, std::size_t count) {
  if (to_bytes == 1) convert_words<From, std::uint8_t>(from, to, count);
  if (to_bytes == 2) convert_words<From, std::uint16_t>(from, to, count);
  if (to_bytes == 4) convert_words<From, std::uint32_t>(from, to, count);
}

void convert(const void* from, int from_bytes, void* to, int to_bytes, std::size_t count) {
  if (from_bytes == 1) convert_from<std::uint8_t>(from, to, to_bytes, count);
  if (from_bytes == 2) convert_from<std::uint16_t>(from, to, to_bytes, count);
  if (from_bytes == 4) convert_from<std::uint32_t>(from, to, to_bytes, count);
}

}  // namespace

const Limits& limits() {
  static constexpr Limits kLimits{sgemm, convert};
  return kLimits;
}

}  // namespace binade::experiments::BINADE_ISA

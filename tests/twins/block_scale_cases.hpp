// Matrices with every kind of block, and how results are compared: for the tests of block scaling.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "binade/cuda/matrix_layout.hpp"
#include "binade/emulation/block_scale.hpp"
#include "binade/formats/catalog.hpp"
#include "transposed.hpp"

namespace block_scale_cases {

using namespace binade;

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kInf = std::numeric_limits<float>::infinity();

struct Matrix {
  std::size_t rows, cols;
  std::vector<float> x;
};

/// Segments of 128 of one kind each: near one, wide, zero, subnormal, tiny, huge, single outliers,
/// at the edge of the target's range and, where asked for, with infinities and NaN.
///
/// No negative NaN: where the factor is NaN too, the CPU's instruction sets differ in whose sign
/// the product has.
inline Matrix sample(std::size_t rows, std::size_t cols, std::uint64_t seed, bool specials) {
  Matrix m{rows, cols, std::vector<float>(rows * cols)};
  for (std::size_t i = 0; i < m.x.size(); ++i) {
    const std::size_t segment = i / cols * 1009 + i % cols / 128;
    const std::uint32_t kind = random_at(seed, segment) % 16;
    const std::uint32_t r = random_at(seed + 1, i);
    float x = (static_cast<float>(r & 0xffffff) - 0x800000) * 0x1p-22f;
    if (kind == 1) x = std::ldexp(x, static_cast<int>(r >> 24) % 60 - 30);
    if (kind == 2) x = r % 3 == 0 ? -0.0f : 0.0f;
    if (kind == 3) x *= 0x1p-140f;
    if (kind == 4) x *= 0x1p-120f;
    if (kind == 5) x *= 0x1p126f;
    if (kind == 6 && r % 50 == 0) x *= 3e4f;
    if (kind == 7) x = 448.0f + static_cast<float>(r % 64) - 32.0f;
    if (kind == 8) x = static_cast<float>(r % 8) * 0x1p-10f;
    if (specials && kind == 9 && r % 40 == 0) x = r % 80 == 0 ? kInf : -kInf;
    if (specials && kind == 10 && r % 40 == 0) x = kNan;
    if (specials && kind == 11 && r % 20 == 0) x = r % 60 == 0 ? kNan : -kInf;
    if (specials && kind == 12) x = kInf;
    m.x[i] = x;
  }
  return m;
}

inline std::vector<std::byte> as_format(const Matrix& m, FloatFormat f) {
  std::vector<std::byte> data(m.x.size() * static_cast<std::size_t>(f.container_bits()) / 8);
  cast(kFp32Format, m.x.data(), f, data.data(), m.x.size(), kIeeeRules);
  return data;
}

template <class T>
std::string first_difference(const char* what, const std::vector<T>& got,
                             const std::vector<T>& want) {
  if (got.size() != want.size()) return std::string(what) + ": sizes differ; ";
  std::size_t differ = 0, first = 0;
  for (std::size_t i = got.size(); i-- > 0;) {
    if (std::memcmp(&got[i], &want[i], sizeof(T)) != 0) ++differ, first = i;
  }
  if (differ == 0) return "";
  char text[160];
  std::uint32_t g = 0, w = 0;
  std::memcpy(&g, &got[first], sizeof(T));
  std::memcpy(&w, &want[first], sizeof(T));
  std::snprintf(text, sizeof text, "%s: %zu differ, the first at %zu: got %x, want %x; ", what,
                differ, first, g, w);
  return text;
}

/// q with its scales, and their codes, in this layout.
inline Quantized laid_out(Quantized q, cuda::MatrixLayout layout) {
  if (layout == cuda::MatrixLayout::kRowMajor) return q;
  q.scales = transposed(q.scales, q.scale_rows, q.scale_cols);
  q.scale_codes = transposed(q.scale_codes, q.scale_rows, q.scale_cols);
  return q;
}

/// Empty where every bit is the same.
inline std::string differences(const Quantized& got, const Quantized& want) {
  std::string text = first_difference("scales", got.scales, want.scales) +
                     first_difference("scale codes", got.scale_codes, want.scale_codes) +
                     first_difference("codes", got.codes, want.codes) +
                     first_difference("tensor scale", std::vector{got.tensor_scale},
                                      std::vector{want.tensor_scale});
  if (got.scale_rows != want.scale_rows || got.scale_cols != want.scale_cols) text += "shape";
  return text;
}

}  // namespace block_scale_cases

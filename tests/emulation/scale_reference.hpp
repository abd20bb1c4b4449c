// A second way to quantise, for tests: plain loops, tables of values, frexp and ldexp. It shares no
// code with the library beyond the description of a format.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "binade/emulation/block_scale.hpp"

namespace reference {

/// The values of the non-negative finite codes of a format, by the definition of a float.
inline std::vector<double> values_of(const binade::FloatFormat& f) {
  std::vector<double> values;
  const std::uint32_t count = 1u << (f.exponent_bits + f.mantissa_bits);
  for (std::uint32_t code = 0; code < count; ++code) {
    const int exponent = static_cast<int>(code >> f.mantissa_bits);
    const double fraction = std::ldexp(code & ((1u << f.mantissa_bits) - 1), -f.mantissa_bits);
    values.push_back(exponent == 0 ? std::ldexp(fraction, 1 - f.bias)
                                   : std::ldexp(1 + fraction, exponent - f.bias));
  }
  using binade::NanCodes;
  std::size_t specials = f.specials.has_infinity ? 1 : 0;
  if (f.specials.nan == NanCodes::kTopCode) specials += 1;
  if (f.specials.nan == NanCodes::kTopRow) specials = std::size_t{1} << f.mantissa_bits;
  values.resize(values.size() - specials);
  return values;
}

/// Round to the nearest value, ties to the even code, too large to the largest; returns the value.
inline double nearest(const std::vector<double>& values, double y) {
  const double a = std::fabs(y);
  const auto above = std::lower_bound(values.begin(), values.end(), a);
  std::size_t code = 0;
  if (above == values.end()) {
    code = values.size() - 1;
  } else {
    const auto up = static_cast<std::size_t>(above - values.begin());
    const std::size_t down = up == 0 ? 0 : up - 1;
    const double over = values[up] - a, under = a - values[down];
    code = over < under || (over == under && up % 2 == 0) ? up : down;
  }
  return std::copysign(values[code], y);
}

/// ceil(log2 s) by frexp.
inline int ceil_log2(float s) {
  int e = 0;
  const float m = std::frexp(s, &e);  // m in [0.5, 1)
  return m == 0.5f ? e - 1 : e;
}
inline int floor_log2(float s) {
  int e = 0;
  std::frexp(s, &e);
  return e - 1;
}

struct Scale {
  float s;       ///< dequantisation factor
  float factor;  ///< the operand of the division or product
  bool divides;
};

/// The published formulas, each written out as its source has it; amax finite.
inline Scale scale_of(const std::string& recipe, bool pow2, float amax, float max, int emax) {
  const float c = std::max(amax, recipe == "tilekernels-fp4" ? 6.0f * 0x1p-126f : 1e-4f);
  const auto power = [](int e) { return std::ldexp(1.0f, e); };
  if (recipe == "deepseek-v3") {
    const float s = pow2 ? power(ceil_log2(c / max)) : c / max;
    return {s, s, true};
  }
  if (recipe == "deepseek-v3.2") {
    const float s = pow2 ? power(ceil_log2(c * (1.0f / max))) : c * (1.0f / max);
    return {s, s, true};
  }
  if (recipe == "deepgemm" || recipe == "deepgemm-cuda") {
    float s = recipe == "deepgemm" ? c / max : c * (1.0f / max);
    if (pow2) s = power(std::clamp(ceil_log2(s), -126, 127));
    return {s, 1.0f / s, false};
  }
  if (recipe == "tilekernels" || recipe == "tilekernels-fp4") {
    if (pow2) return {power(ceil_log2(c / max)), power(-ceil_log2(c / max)), false};
    return {c / max, max / c, false};
  }
  if (recipe == "transformer-engine") {
    if (amax == 0.0f) return {1.0f, 1.0f, false};
    float up = max / amax;
    if (std::isinf(up)) up = std::numeric_limits<float>::max();
    if (pow2) up = power(floor_log2(up));
    return {1.0f / up, up, false};
  }
  if (recipe == "flashmla") {
    const float s = power(ceil_log2(std::max(amax / max, 1e-4f)));
    return {s, s, true};
  }
  if (recipe == "nvidia-mx") {
    const float s = power(std::max(-127, amax == 0.0f ? -127 : ceil_log2(amax * (1.0f / max))));
    return {s, s, true};
  }
  // ocp-mx
  const float a = amax == 0.0f ? 0x1p-126f : amax;
  const float s = power(std::max(-127, floor_log2(a) - emax));
  return {s, s, true};
}

struct Result {
  std::vector<float> scales;
  std::vector<double> values;  ///< of the codes, before the scale
};

/// Finite data, one-level scales.
inline Result quantize(const float* x, std::size_t rows, std::size_t cols,
                       const std::string& recipe, std::size_t block_rows, std::size_t block_cols,
                       bool pow2, const binade::FloatFormat& element) {
  const std::vector<double> table = values_of(element);
  const auto max = static_cast<float>(table.back());
  int emax = 0;
  std::frexp(max, &emax);
  emax -= 1;
  std::map<std::pair<std::size_t, std::size_t>, float> amax;
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < cols; ++j) {
      float& a = amax[{i / block_rows, j / block_cols}];
      a = std::max(a, std::fabs(x[i * cols + j]));
    }
  }
  Result r;
  std::map<std::pair<std::size_t, std::size_t>, Scale> scales;
  for (const auto& [block, a] : amax) {
    scales[block] = scale_of(recipe, pow2, a, max, emax);
    r.scales.push_back(scales[block].s);
  }
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < cols; ++j) {
      const Scale& s = scales[{i / block_rows, j / block_cols}];
      const float y = s.divides ? x[i * cols + j] / s.factor : x[i * cols + j] * s.factor;
      const double value = nearest(table, static_cast<double>(y));
      const bool one_zero = element.specials.nan == binade::NanCodes::kNegativeZero;
      r.values.push_back(one_zero && value == 0 ? 0.0 : value);
    }
  }
  return r;
}

/// Normal numbers times a power of two that wanders from block to block, with exact zeros, so that
/// scales differ and subnormal codes occur.
inline std::vector<float> test_matrix(std::size_t rows, std::size_t cols, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(rows * cols);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < cols; ++j) {
      const int e = static_cast<int>((i / 5 * 7 + j / 11 * 3) % 23) - 11;
      x[i * cols + j] = random() % 17 == 0 ? -0.0f : std::ldexp(normal(random), e);
    }
  }
  return x;
}

inline std::uint32_t bits(float x) {
  std::uint32_t b = 0;
  std::memcpy(&b, &x, 4);
  return b;
}
inline std::uint64_t bits(double x) {
  std::uint64_t b = 0;
  std::memcpy(&b, &x, 8);
  return b;
}

}  // namespace reference

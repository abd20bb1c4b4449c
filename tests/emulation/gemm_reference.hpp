// The naive GEMM of the tests: the scalar dot for each chain, std::fma for each promotion, one
// output at a time. It shares no code with the tiled one.
#pragma once

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "binade/emulation/gemm.hpp"
#include "binade/formats/catalog.hpp"

namespace reference {

using namespace binade;

struct Matrix {
  FloatFormat format;
  std::size_t rows = 0, k = 0;
  std::vector<std::uint8_t> bytes;
  Granularity granularity{};
  std::size_t scale_rows = 0, scale_cols = 0;
  std::vector<float> scales;

  std::size_t width() const { return static_cast<std::size_t>(format.container_bits()) / 8; }
  const void* at(std::size_t row, std::size_t i) const {
    return bytes.data() + (row * k + i) * width();
  }
  GemmOperand operand() const {
    return {format, bytes.data(), rows, scales, scale_rows, scale_cols};
  }
  float scale(std::size_t row, std::size_t i) const {
    if (scales.empty()) return 1.0f;
    const std::size_t br = granularity.rows == 0 ? rows : granularity.rows;
    const std::size_t bc = granularity.cols == 0 ? k : granularity.cols;
    return scales[row / br * scale_cols + i / bc];
  }
};

enum class Stratum { kUniform, kNormal, kSparse, kSpecial, kWide };

inline std::uint64_t random_code(FloatFormat f, Stratum stratum, std::mt19937_64& g) {
  const std::uint64_t any = g() & f.code_mask();
  const auto finite = [&](std::uint64_t code) { return f.is_finite(code) ? code : code & 1; };
  switch (stratum) {
    case Stratum::kNormal: {
      std::normal_distribution<float> normal;
      return encode(f, normal(g));
    }
    case Stratum::kSparse:  // zeros of both signs, subnormals, and a few large ones
      return g() % 3 == 0   ? (any & f.sign_bit())
             : g() % 8 == 0 ? f.max_finite_code() - g() % 3
                            : (any & f.sign_bit()) | (any & f.mantissa_mask());
    case Stratum::kSpecial:  // about one code in 300 is NaN or infinite, and one in 300 the largest
      return g() % 300 == 0   ? any | (f.magnitude_mask() & ~f.mantissa_mask())
             : g() % 300 == 0 ? f.max_finite_code() | (any & f.sign_bit())
                              : finite(any);
    case Stratum::kWide:  // same-sign rows of large numbers: results near the end of the range
      return finite(any) % 4 + f.max_finite_code() - 16;
    default:
      return finite(any);
  }
}

inline Matrix random_matrix(FloatFormat f, std::size_t rows, std::size_t k, Stratum stratum,
                            std::mt19937_64& g) {
  Matrix m{f, rows, k, {}, {}, 0, 0, {}};
  m.bytes.resize(rows * k * m.width());
  for (std::size_t i = 0; i < rows * k; ++i) {
    const std::uint64_t word = container_of_code(f, random_code(f, stratum, g));
    std::memcpy(m.bytes.data() + i * m.width(), &word, m.width());
  }
  return m;
}

inline void add_scales(Matrix& m, Granularity granularity, int spread, std::mt19937_64& g) {
  const BlockGrid grid = block_grid(m.rows, m.k, granularity);
  m.granularity = granularity;
  m.scale_rows = grid.grid_rows;
  m.scale_cols = grid.grid_cols;
  m.scales.resize(m.scale_rows * m.scale_cols);
  std::uniform_real_distribution<float> mantissa(1.0f, 2.0f);
  for (float& s : m.scales) {
    s = std::ldexp(mantissa(g), static_cast<int>(g() % (2 * spread + 1)) - spread);
  }
}

inline float decode32(FloatFormat f, const void* container) {
  std::uint64_t word = 0;
  std::memcpy(&word, container, static_cast<std::size_t>(f.container_bits()) / 8);
  return static_cast<float>(decode(f, code_of_container(f, word)));
}

/// The chains over [k0, k1) from zero, of all outputs.
inline std::vector<float> chains(const Instruction& i, const Matrix& a, const Matrix& b,
                                 std::size_t k0, std::size_t k1) {
  const std::size_t count = a.rows * b.rows, row_a = (k1 - k0) * a.width(),
                    row_b = (k1 - k0) * b.width();
  std::vector<std::uint8_t> x(count * row_a), y(count * row_b);
  std::vector<std::uint32_t> d32(count);
  std::vector<std::uint16_t> d16(count);
  void* d = i.c.container_bits() == 32 ? static_cast<void*>(d32.data()) : d16.data();
  for (std::size_t at = 0; at < count; ++at) {
    std::memcpy(&x[at * row_a], a.at(at / b.rows, k0), row_a);
    std::memcpy(&y[at * row_b], b.at(at % b.rows, k0), row_b);
  }
  dot(i, x.data(), y.data(), d, d, count, k1 - k0, 1);
  std::vector<float> chain(count);
  for (std::size_t at = 0; at < count; ++at) {
    chain[at] = i.c.container_bits() == 32 ? decode32(i.c, &d32[at]) : decode32(i.c, &d16[at]);
  }
  return chain;
}

inline float promote(ScaleOrder order, float s, float chain, float sa, float sb) {
  switch (order) {
    case ScaleOrder::kPromoteFmaProduct:
      return std::fma(sa * sb, chain, s);
    case ScaleOrder::kPromoteFmaAThenB:
      return std::fma(chain * sa, sb, s);
    case ScaleOrder::kPromoteFmaBThenA:
      return std::fma(chain * sb, sa, s);
    default:
      return s + chain;
  }
}

/// All outputs in fp32, before they are rounded to the output format.
inline std::vector<float> outputs(const GemmProfile& p, const Instruction& i, int interval,
                                  const Matrix& a, const Matrix& b) {
  const std::size_t step = interval == 0 ? a.k : static_cast<std::size_t>(interval);
  std::vector<float> s(a.rows * b.rows);
  for (std::size_t k0 = 0; k0 < a.k; k0 += step) {
    const std::vector<float> chain = chains(i, a, b, k0, std::min(a.k, k0 + step));
    for (std::size_t at = 0; at < s.size(); ++at) {
      s[at] = promote(p.scale_order, s[at], chain[at], a.scale(at / b.rows, k0),
                      b.scale(at % b.rows, k0));
    }
  }
  if (a.scales.empty() && b.scales.empty()) return s;
  for (std::size_t at = 0; at < s.size(); ++at) {
    const float sa = a.scale(at / b.rows, 0), sb = b.scale(at % b.rows, 0);
    if (p.scale_order == ScaleOrder::kEpilogueProduct) s[at] = s[at] * (sa * sb);
    if (p.scale_order == ScaleOrder::kEpilogueBThenA) s[at] = (s[at] * sb) * sa;
  }
  return s;
}

/// The code that an fp32 result becomes, as the documentation states it.
inline std::uint64_t output_code(FloatFormat f, float x) {
  if (std::isnan(x)) return f.canonical_nan_code();
  CastRules rules;
  rules.overflow = f.has_infinity() ? Overflow::kSpecial : Overflow::kSaturate;
  rules.infinity = f.has_infinity() ? InfinityRule::kPropagate : InfinityRule::kSaturate;
  return encode(f, x, rules);
}

}  // namespace reference

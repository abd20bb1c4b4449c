// A GEMM with its output, made by gemm() from random operands, for the tests of diagnose().
#pragma once

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "binade/emulation/diagnose.hpp"
#include "binade/formats/catalog.hpp"

namespace problem {

using namespace binade;

inline std::size_t bytes(FloatFormat f) { return static_cast<std::size_t>(f.container_bits()) / 8; }

/// Codes of N(0, 1) numbers times 2^(0 to spread).
inline std::vector<unsigned char> normal_codes(FloatFormat f, std::size_t count, unsigned seed,
                                               int spread = 2) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> normal;
  std::vector<unsigned char> codes(count * bytes(f));
  for (std::size_t i = 0; i < count; ++i) {
    const float x = std::ldexp(normal(bits), static_cast<int>(bits() % unsigned(spread + 1)));
    const std::uint64_t word = container_of_code(f, encode(f, x));
    std::memcpy(&codes[i * bytes(f)], &word, bytes(f));
  }
  return codes;
}

struct Problem {
  std::size_t m = 40, n = 48, k = 512;
  FloatFormat a_format = E4M3::format, b_format = E4M3::format, output = Bf16::format;
  Granularity a_scales{}, b_scales{};
  bool scaled = false;
  std::vector<unsigned char> a, b, d;
  std::vector<float> sa, sb;

  void fill(unsigned seed) {
    a = normal_codes(a_format, m * k, seed);
    b = normal_codes(b_format, n * k, seed + 1);
    if (!scaled) return;
    std::mt19937 bits(seed + 2);
    std::uniform_real_distribution<float> factor(0.5f, 1.5f);
    const BlockGrid ga = block_grid(m, k, a_scales), gb = block_grid(n, k, b_scales);
    sa.resize(ga.grid_rows * ga.grid_cols);
    sb.resize(gb.grid_rows * gb.grid_cols);
    for (float& s : sa) s = factor(bits);
    for (float& s : sb) s = factor(bits);
  }
  GemmOperand operand_a() const { return operand(a_format, a, m, sa, a_scales); }
  GemmOperand operand_b() const { return operand(b_format, b, n, sb, b_scales); }

  void run(const GemmProfile& profile, const GemmOptions& options = {}) {
    d.assign(m * n * bytes(output), 0);
    gemm(profile, operand_a(), operand_b(), k, output, d.data(), options);
  }
  void run(const std::string& profile, const GemmOptions& options = {}) {
    run(find_gemm_profile(profile), options);
  }
  GemmDiagnosis diagnose(const DiagnoseOptions& options = {}) const {
    return binade::diagnose(operand_a(), operand_b(), k, output, d.data(), options);
  }

 private:
  GemmOperand operand(FloatFormat f, const std::vector<unsigned char>& codes, std::size_t rows,
                      const std::vector<float>& scales, Granularity g) const {
    GemmOperand x{f, codes.data(), rows};
    if (scales.empty()) return x;
    const BlockGrid grid = block_grid(rows, k, g);
    x.scales = scales;
    x.scale_rows = grid.grid_rows;
    x.scale_cols = grid.grid_cols;
    return x;
  }
};

inline Problem plain(unsigned seed, std::size_t k = 512, FloatFormat output = Bf16::format) {
  Problem p;
  p.k = k;
  p.output = output;
  p.fill(seed);
  return p;
}
inline Problem blocks(unsigned seed, std::size_t k = 512, FloatFormat output = Bf16::format) {
  Problem p;
  p.k = k;
  p.n = 160;  // two blocks of rows of B
  p.output = output;
  p.scaled = true;
  p.a_scales = {1, 128};
  p.b_scales = {128, 128};
  p.fill(seed);
  return p;
}

inline bool lists(const std::vector<std::string>& all, const std::string& word) {
  for (const std::string& w : all) {
    if (w == word) return true;
  }
  return false;
}

}  // namespace problem

// Instructions, known and hypothetical, as black boxes, and rows to judge what comes back.
#pragma once

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "binade/emulation/probe.hpp"
#include "binade/formats/catalog.hpp"

namespace black_box {

using namespace binade;

inline ProbeTarget in_black_box(const Instruction& i, int interval = 0, bool takes_c = true) {
  ProbeTarget t;
  t.name = "black box";
  t.a = i.a;
  t.b = i.b;
  t.c = i.c;
  t.takes_c = takes_c;
  t.evaluate = [i, interval](const void* a, const void* b, const void* c, void* d, std::size_t rows,
                             std::size_t k) { promoted_dot(i, interval, a, b, c, d, rows, k); };
  return t;
}

inline std::size_t bytes(FloatFormat f) { return static_cast<std::size_t>(f.container_bits()) / 8; }

/// Rows of this test's own making: bits, with exponents squeezed in every other row.
struct FreshRows {
  std::vector<unsigned char> a, b, c;
  std::size_t rows, k;

  FreshRows(const Instruction& i, std::size_t rows_, std::size_t k_, bool takes_c, unsigned seed)
      : rows(rows_), k(k_) {
    std::mt19937 bits(seed);
    fill(a, i.a, rows * k, bits);
    fill(b, i.b, rows * k, bits);
    fill(c, i.c, rows, bits);
    if (!takes_c) std::fill(c.begin(), c.end(), static_cast<unsigned char>(0));
  }

 private:
  void fill(std::vector<unsigned char>& to, FloatFormat f, std::size_t count, std::mt19937& bits) {
    to.resize(count * bytes(f));
    for (std::size_t n = 0; n < count; ++n) {
      const std::size_t row = n * rows / count;
      std::uint64_t code = bits() % (f.max_finite_code() + 1);
      if (row % 2 == 0) {  // near 1
        const std::uint64_t field = static_cast<std::uint64_t>(f.bias) - bits() % 2;
        code = field << f.mantissa_bits | (code & f.mantissa_mask());
      }
      if (row % 8 == 7 && bits() % 4 != 0) code = 0;
      code = container_of_code(f, code | (bits() % 2 != 0 ? f.sign_bit() : 0));
      std::memcpy(&to[n * bytes(f)], &code, bytes(f));
    }
  }
};

inline std::size_t differing(const Instruction& x, int x_interval, const Instruction& y,
                             int y_interval, bool takes_c, unsigned seed, std::size_t rows = 720) {
  std::size_t differ = 0;
  for (const std::size_t k : {std::size_t{8}, std::size_t{50}, std::size_t{150}}) {
    const FreshRows r(x, rows / 3, k, takes_c, seed + static_cast<unsigned>(k));
    std::vector<unsigned char> dx(r.rows * bytes(x.c)), dy(dx.size());
    promoted_dot(x, x_interval, r.a.data(), r.b.data(), r.c.data(), dx.data(), r.rows, k);
    promoted_dot(y, y_interval, r.a.data(), r.b.data(), r.c.data(), dy.data(), r.rows, k);
    for (std::size_t i = 0; i < r.rows; ++i) {
      differ += std::memcmp(&dx[i * bytes(x.c)], &dy[i * bytes(x.c)], bytes(x.c)) != 0 ? 1 : 0;
    }
  }
  return differ;
}

inline Instruction hypothetical(unsigned seed) {
  std::mt19937 bits(seed);
  const auto pick = [&](auto... values) {
    const std::vector<std::common_type_t<decltype(values)...>> all{values...};
    return all[bits() % all.size()];
  };
  Instruction i;
  i.name = "hypothetical" + std::to_string(seed);
  i.a = pick(E4M3::format, E5M2::format, E4M3::format, Bf16::format, Fp16::format);
  i.b = i.a.bits() == 16 ? i.a : pick(E4M3::format, E5M2::format);
  i.c = pick(Fp32::format, Fp32::format, Fp16::format);
  DotModel& m = i.model;
  m.step_k = pick(4, 8, 12, 16, 32, 64);
  m.alignment_fraction_bits = 8 + static_cast<int>(bits() % 23);
  m.alignment = static_cast<AlignmentRounding>(bits() % 3);
  m.zeros_join_maximum = bits() % 4 == 0;
  m.normalize_products = bits() % 4 == 0;
  m.multiplier_emin = pick(kStoredExponents, kStoredExponents, kStoredExponents, -14, -126);
  m.min_exponent = pick(kNoExponentClamp, kNoExponentClamp, -133, -20, -4);
  m.addend = bits() % 3 == 0 ? AddendRule::kAddedLast : AddendRule::kAligned;
  m.result = i.c;
  if (i.c == Fp32::format) m.result.mantissa_bits = pick(23, 23, 13, 10);
  m.result_rounding = pick(Rounding::kTowardZero, Rounding::kNearestEven);
  i.k = m.step_k * pick(1, 1, 2, 4);
  if (bits() % 5 == 0) {
    m.step_k = 16;
    m.order = StepOrder::kInterleavedPairs;
    i.k = 32;
  }
  return i;
}

}  // namespace black_box

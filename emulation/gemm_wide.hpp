// Wide lanes: GEMM panels of every model, whatever its parameters. Private to this folder.
//
// The lanes of gemm_kernels.hpp hold products as numbers and sums as numbers, which bounds both.
// Here an operand is a significand in (-2, 2), an fp64 number, and an exponent beside it, a 64-bit
// integer; a lane's sum is a 64-bit integer. Each term is aligned by a power of two of its own, and
// rounded to an integer by itself, so that one text serves every alignment, maximum and range.
//
// Bounds. A significand has at most 24 bits, a product at most 48, so that it is exact, and so is
// its multiplication by a power of two: powers below 2^-200 units are taken for that, where a term
// is less than half a unit and not zero, and none lies above 2^(F + 48). An aligned product lies
// below 4 * 2^F <= 2^50 units, C below half of that; added to 1.5 * 2^52 it is an integer in the
// low bits of the number's pattern, and such patterns are added as integers, the patterns of 1.5 *
// 2^52 taken off modulo 2^64. The sum of a step lies below 2^62 (validate demands it). What fp64
// could not hold of it is rounded to odd in its 52 upper bits, which the result's rounding, to at
// most 24 bits, does not see. The unit 2^(E - F) of sums and of C is held within 2^-600 and 2^400:
// below, C is zero, as E is never below its exponent, and either way every result is zero or
// infinite.
//
// An infinity that a step makes stays, as it does in the model while all operands are finite.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "binade/emulation/dot_model.hpp"

namespace binade::detail {

/// Exponent of what does not count in the maximum.
inline constexpr std::int64_t kNoExponent = -(1 << 20);

/// As PanelTask.
struct WideTask {
  const double* a;                 ///< [rows, a_stride] significands
  const std::int64_t* a_exponent;  ///< [rows, a_stride]
  std::size_t a_stride;
  const double* b;                 ///< [depth, lanes]
  const std::int64_t* b_exponent;  ///< [depth, lanes]
  double* chain;                   ///< [rows, lanes]; C in, D out
  std::size_t rows, depth;
};

/// Codes of one operand as wide lanes take them.
class WideDecoder {
 public:
  WideDecoder(const DotModel& model, FloatFormat format);

  /// `count` codes to every stride-th place; null codes give zeros. Returns whether a NaN or an
  /// infinity was among them (which becomes a zero).
  bool run(const std::byte* codes, std::size_t count, std::size_t stride, double* significands,
           std::int64_t* exponents) const;

 private:
  struct Operand {
    double significand;
    std::int64_t exponent;
    bool special;
  };
  static Operand decode(const DotModel& model, FloatFormat format, std::uint64_t word);

  DotModel model_;
  FloatFormat format_;
  std::vector<Operand> table_;  ///< of 8-bit containers
};

}  // namespace binade::detail

// Rows of 8-bit operands against rows, one by one, in 16-bit lanes along k. Private to this folder.
//
// Layout. In batched dots nothing is used twice, so nothing is turned and nothing is stored
// decoded: a vector is one step of two rows, 32 codes of each as they lie in memory. Its even and
// odd bytes are two vectors of 16-bit lanes. What a step needs of its row is the largest exponent
// and one sum; sixteen rows find theirs together, by a tree of shuffles that ends with a row a lane
// of 32 bits.
//
// Decoding is a table of 128 entries, which four registers hold: the significand of a code and, in
// the byte above, its exponent code (ExponentCode in gemm_kernels.hpp). Bytes of the entries of A
// and B are added with saturation: the upper byte is the product's exponent code, or kSpecialCode
// if one of them is NaN or infinite, which the maximum over k then shows.
//
// Bounds. Significands are stored shifted up by up_a and up_b, that of A as an unsigned and that of
// B as a signed byte: their product has F fraction bits and lies below 4 * 2^F <= 2^15 units, if
// both fit, up_a <= 7 - mantissa_bits and up_b <= 6 - mantissa_bits, so for every F <= 13 that is
// no less than the fraction bits of a product. Shifted down by E - e it is the aligned term, cut
// toward zero; with its sign, 32 of them are summed in 32 bits. Exponent codes of finite products
// stay below kSpecialCode - kFarBelow, so that a shift of at least 16, which leaves nothing, can
// stand for every larger one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace binade::detail {

inline constexpr std::size_t kRowGroup = 16;  ///< rows that are worked on together
inline constexpr int kRowStep = 32;           ///< products that a vector holds of a row's step
inline constexpr int kSpecialCode = 255;      ///< exponent code of NaN and infinities
inline constexpr int kFarBelow = 16;

struct RowPlan {
  /// By the seven low bits of a code: exponent code * 256 + significand * 2^up.
  alignas(64) std::uint16_t a[128];
  alignas(64) std::uint16_t b[128];
  int step_k;           ///< at most kRowStep
  int unit;             ///< products of an instruction: rows are padded with zeros to whole ones
  int fraction_bits;    ///< F
  int code_offset;      ///< sum of codes -> exponent
  int nonzero_code;     ///< the smallest sum of codes of a product that is not zero
  int largest_code;     ///< the largest one
  int lowest_exponent;  ///< E is never below this
  int result_mantissa_bits;
};

/// A group of rows; those past `rows` are not read.
struct RowTask {
  const std::uint8_t *a, *b;  ///< [rows, k] codes
  std::size_t rows, k;
  float* chain;           ///< [kRowGroup]: C in, zero or well within fp32; D out
  std::uint8_t* special;  ///< [kRowGroup]: set where D is none, because of a NaN or an infinity
};

}  // namespace binade::detail

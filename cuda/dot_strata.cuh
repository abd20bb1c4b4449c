// Operands that tell dot models apart, made on the device: random bit patterns alone would seldom
// meet a clamp, a subnormal or a cancellation. Private to this folder.
//
// An element is a function of the seed and its place, so that any tile can be made again. Within a
// tile all rows of A meet all rows of B: what has to fall together (a zero beside the largest
// number, terms that cancel) is decided by the tile and k, and each row varies it.
#pragma once

#include <cstdint>

#include "binade/emulation/dot_step.hpp"
#include "binade/formats/cast.hpp"

namespace binade::cuda {

enum class Operands : std::uint8_t {
  kUniform,    ///< any bit pattern
  kNearUnit,   ///< exponents around 2^0
  kSparse,     ///< mostly zeros, the largest against the smallest
  kSubnormal,  ///< exponents at the bottom
  kSpecials,   ///< near unit, with a NaN or an infinity now and then
  kCancel,     ///< wide exponents, terms that cancel in pairs
  kLow,        ///< products around 2^-126, or as low as the types go
  kMixed,      ///< tile by tile one of those above
};
enum class Addend : std::uint8_t {
  kZero,   ///< of either sign
  kNear,   ///< within 2^16 of a product
  kTiny,   ///< subnormal
  kAny,    ///< any bit pattern
  kMixed,  ///< tile by tile one of those above
  kNan,    ///< NaN, for instructions that must ignore it
};
inline constexpr int kOperandKinds = 7, kAddendKinds = 4;

/// Where an element stands; the generator's random numbers depend on nothing else.
struct Place {
  std::uint32_t tile, step, row, k;
};

/// Successive random numbers of one place.
class Draw {
 public:
  BINADE_HD constexpr Draw(std::uint64_t seed, std::uint32_t stream, Place p)
      : seed_(seed ^ (std::uint64_t{p.step} * 0x9e3779b97f4a7c15u) ^ (std::uint64_t{stream} << 56)),
        index_((std::uint64_t{p.tile} << 32) ^ (std::uint64_t{p.row} << 16) ^ p.k) {}
  BINADE_HD constexpr std::uint32_t bits() { return random_at(seed_++, index_); }
  BINADE_HD constexpr std::uint32_t below(std::uint32_t n) {
    return static_cast<std::uint32_t>((std::uint64_t{bits()} * n) >> 32);
  }
  BINADE_HD constexpr bool flip() { return (bits() & 1) != 0; }

 private:
  std::uint64_t seed_, index_;
};

/// A finite code of this exponent field, held inside the format, under a random sign.
BINADE_HD constexpr std::uint32_t code_with_field(FloatFormat f, int field, Draw& draw) {
  const int top = (1 << f.exponent_bits) - 1;
  const auto held = static_cast<std::uint64_t>(min_of(max_of(field, 0), top));
  const std::uint64_t magnitude = (held << f.mantissa_bits) | (draw.bits() & f.mantissa_mask());
  const std::uint64_t sign = draw.flip() ? f.sign_bit() : 0;
  return static_cast<std::uint32_t>(min_of(magnitude, f.max_finite_code()) | sign);
}
BINADE_HD constexpr std::uint32_t code_around(FloatFormat f, int exponent, int spread, Draw& draw) {
  const int jitter = static_cast<int>(draw.below(2 * spread + 1)) - spread;
  return code_with_field(f, exponent + f.bias + jitter, draw);
}
/// +-2^exponent, or zero where the format has no such number.
BINADE_HD constexpr std::uint32_t code_of_power(FloatFormat f, int exponent, bool negative) {
  const int field = exponent + f.bias;
  if (field <= -f.mantissa_bits || field >= (1 << f.exponent_bits) - 1) return 0;
  const std::uint64_t magnitude = field > 0 ? static_cast<std::uint64_t>(field) << f.mantissa_bits
                                            : std::uint64_t{1} << (f.mantissa_bits + field - 1);
  return static_cast<std::uint32_t>(magnitude | (negative ? f.sign_bit() : 0));
}
BINADE_HD constexpr std::uint32_t special_code(FloatFormat f, Draw& draw) {
  std::uint64_t code = f.canonical_nan_code();
  if (f.has_infinity()) {
    code = f.infinity_code() | (draw.flip() ? draw.bits() & f.mantissa_mask() : 0);
  }
  return static_cast<std::uint32_t>(code | (draw.flip() ? f.sign_bit() : 0));
}

/// What the tile and k decide for both operands.
enum class Pairing : std::uint8_t { kFree, kZeroA, kZeroB, kRepeat };

BINADE_HD constexpr Pairing pairing_of(Operands kind, std::uint64_t seed, Place p) {
  Draw shared(seed, 1, {p.tile, p.step, 0xffff, p.k});
  if (kind == Operands::kSparse) {
    const std::uint32_t draw = shared.below(16);
    return draw < 7 ? Pairing::kZeroA : draw < 14 ? Pairing::kZeroB : Pairing::kFree;
  }
  if (kind == Operands::kCancel && p.k % 2 == 1 && shared.below(4) != 0) return Pairing::kRepeat;
  return Pairing::kFree;
}

/// One power of two near the bottom and a little dust of either sign: what a clamp of E takes away,
/// a result shows that is truncated, or rounded from next to a tie. Half of the tiles of kLow.
BINADE_HD constexpr std::uint32_t edge_code(FloatFormat f, bool is_a, int count, std::uint64_t seed,
                                            Place p) {
  Draw shared(seed, 2, {p.tile, p.step, 0xffff, 0xffff});
  Draw own(seed, is_a ? 3 : 4, p);
  const int total = max_of(-126 - static_cast<int>(shared.below(14)), 2 * (2 - f.bias));
  const int half = is_a ? total / 2 : total - total / 2;
  const auto n = static_cast<std::uint32_t>(count);
  const std::uint32_t power = shared.below(n), dust = 1 + shared.below(3);
  if (p.k == power) return code_of_power(f, half + static_cast<int>(own.below(2)), false);
  for (std::uint32_t i = 0; i < dust; ++i) {
    if (p.k == shared.below(n)) {
      return code_of_power(f, half - 9 - static_cast<int>(own.below(5)), is_a && own.flip());
    }
  }
  return 0;
}

/// The code of an operand of `count` elements a step. Stream 3 and 4: A and B.
BINADE_HD constexpr std::uint32_t operand_code(Operands kind, FloatFormat f, bool is_a, int count,
                                               std::uint64_t seed, Place p) {
  if (kind == Operands::kMixed) kind = static_cast<Operands>(p.tile % kOperandKinds);
  const Pairing pairing = pairing_of(kind, seed, p);
  const std::uint32_t flip =
      pairing == Pairing::kRepeat && is_a ? static_cast<std::uint32_t>(f.sign_bit()) : 0;
  if (pairing == Pairing::kRepeat) --p.k;
  Draw draw(seed, is_a ? 3 : 4, p);
  const auto top = static_cast<std::uint32_t>((1 << f.exponent_bits) - 1);
  switch (kind) {
    case Operands::kUniform:
      return draw.bits() & static_cast<std::uint32_t>(f.code_mask());
    case Operands::kSparse:
      if (pairing == (is_a ? Pairing::kZeroA : Pairing::kZeroB)) {
        return draw.flip() ? static_cast<std::uint32_t>(f.sign_bit()) : 0;
      }
      return code_with_field(f,
                             pairing != Pairing::kFree || draw.flip()
                                 ? static_cast<int>(top)
                                 : static_cast<int>(draw.below(3)),
                             draw);
    case Operands::kSubnormal:
      if (!is_a) return code_with_field(f, static_cast<int>(draw.below(top)), draw);
      return code_with_field(f, draw.below(3) == 0 ? static_cast<int>(draw.below(6)) : 0, draw);
    case Operands::kSpecials:
      if (draw.below(is_a ? 80 : 160) == 0) return special_code(f, draw);
      return !is_a && draw.below(30) == 0 ? 0 : code_around(f, 0, 2, draw);
    case Operands::kCancel:
      return code_with_field(f, static_cast<int>(draw.below(top)), draw) ^ flip;
    case Operands::kLow:
      if (Draw(seed, 5, {p.tile, p.step, 0, 0}).flip()) return edge_code(f, is_a, count, seed, p);
      return is_a && draw.below(3) == 0 ? 0 : code_around(f, -63, 12, draw);
    default:
      return code_around(f, 0, 3, draw);
  }
}

/// The container: padding bits, which the hardware discards, are random.
BINADE_HD constexpr std::uint32_t operand_container(Operands kind, FloatFormat f, bool is_a,
                                                    int count, std::uint64_t seed, Place p) {
  const std::uint32_t padding = (1u << f.padding_bits) - 1;
  return operand_code(kind, f, is_a, count, seed, p) << f.padding_bits |
         (padding == 0 ? 0 : Draw(seed, 6, p).bits() & padding);
}

/// The addend of output [p.row, p.k]; `near_exponent`: the stored exponent of one of its products.
BINADE_HD constexpr std::uint32_t addend_code(Addend kind, FloatFormat f, int near_exponent,
                                              std::uint64_t seed, Place p) {
  if (kind == Addend::kMixed) kind = static_cast<Addend>(p.tile / kOperandKinds % kAddendKinds);
  Draw draw(seed, 7, p);
  switch (kind) {
    case Addend::kZero:
      return draw.flip() ? static_cast<std::uint32_t>(f.sign_bit()) : 0;
    case Addend::kNear:
      return code_around(f, near_exponent, 16, draw);
    case Addend::kTiny:
      return code_with_field(f, 0, draw);
    case Addend::kNan:
      return static_cast<std::uint32_t>(f.quiet_nan_code() | (draw.bits() & f.mantissa_mask()));
    default:
      return draw.bits() & static_cast<std::uint32_t>(f.code_mask());
  }
}

}  // namespace binade::cuda

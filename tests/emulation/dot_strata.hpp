// Rows that tell dot models apart: random bit patterns alone would seldom meet a clamp, a
// subnormal or a cancellation.
#pragma once

#include <random>
#include <vector>

#include "dot_oracle.hpp"

namespace strata {

using oracle::Format;
using oracle::Spec;

enum Operands {
  kUniform,    ///< any bit pattern
  kNearUnit,   ///< exponents around 2^0
  kSparse,     ///< mostly zeros, the largest against the smallest
  kSubnormal,  ///< exponents at the bottom
  kSpecials,   ///< near unit with a NaN or an infinity now and then
  kCancel,     ///< wide exponents, terms that cancel in pairs
  kLow,        ///< products around 2^-126, or as low as the types go
  kOperands
};
enum Addend { kZero, kNear, kTiny, kAny, kAddends };

struct Row {
  std::vector<std::uint32_t> a, b;  ///< containers
  std::uint32_t c = 0;
};

class Generator {
 public:
  Generator(const Spec& s, unsigned seed) : s_(s), bits_(seed) {}

  Row row(Operands kind, Addend addend, std::size_t k) {
    Row r;
    r.a.resize(k);
    r.b.resize(k);
    for (std::size_t i = 0; i < k; ++i) fill(kind, r, i);
    if (kind == kLow && flip()) edge(r);
    r.c = make_c(addend, r);
    return r;
  }

 private:
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(bits_() % n); }
  bool flip() { return (bits_() & 1) != 0; }

  /// A finite code with the given exponent field, held inside the format; random elsewhere.
  std::uint32_t with_field(const Format& f, int field) {
    const int last = static_cast<int>(f.top_field()) - (f.ieee ? 1 : 0);
    const auto held = static_cast<std::uint32_t>(std::min(std::max(field, 0), last));
    std::uint32_t mantissa = below(1u << f.mantissa_bits);
    const std::uint32_t ones = (1u << f.mantissa_bits) - 1;
    if (!f.ieee && held == f.top_field() && mantissa == ones) mantissa = 0;
    const std::uint32_t sign = flip() ? 1u << (f.exponent_bits + f.mantissa_bits) : 0;
    const std::uint32_t code = held << f.mantissa_bits | mantissa | sign;
    return code << f.padding | (f.padding != 0 ? below(1u << f.padding) : 0);
  }
  std::uint32_t around(const Format& f, int exponent, int spread) {
    return with_field(
        f, exponent + f.bias + static_cast<int>(below(2 * unsigned(spread) + 1)) - spread);
  }
  std::uint32_t special(const Format& f) {
    std::uint32_t code = f.top_field() << f.mantissa_bits;
    if (!f.ieee)
      code |= (1u << f.mantissa_bits) - 1;
    else if (flip())
      code |= below(1u << f.mantissa_bits);
    if (flip()) code |= 1u << (f.exponent_bits + f.mantissa_bits);
    return code << f.padding;
  }
  static std::uint32_t sign_of(const Format& f) {
    return 1u << (f.exponent_bits + f.mantissa_bits + f.padding);
  }
  static std::uint32_t any_mask(const Format& f) {
    return f.bytes() == 4 ? ~0u : (1u << (8 * f.bytes())) - 1;
  }

  void fill(Operands kind, Row& r, std::size_t i) {
    const Format &fa = s_.a, &fb = s_.b;
    const int range = static_cast<int>(fa.top_field());
    switch (kind) {
      case kUniform:
        r.a[i] = static_cast<std::uint32_t>(bits_()) & any_mask(fa);
        r.b[i] = static_cast<std::uint32_t>(bits_()) & any_mask(fb);
        return;
      case kSparse: {
        if (below(8) != 0) {  // zeros of both signs beside large partners
          r.a[i] = flip() ? 0 : sign_of(fa);
          r.b[i] = with_field(fb, flip() ? 1 << 10 : 0);
          if (flip()) std::swap(r.a[i], r.b[i]), r.a[i] &= any_mask(fa), r.b[i] &= any_mask(fb);
          return;
        }
        const bool large = flip();
        r.a[i] = with_field(fa, large ? 1 << 10 : static_cast<int>(below(3)));
        r.b[i] = with_field(fb, flip() ? 1 << 10 : static_cast<int>(below(3)));
        return;
      }
      case kSubnormal:
        r.a[i] = with_field(fa, below(3) == 0 ? static_cast<int>(below(6)) : 0);
        r.b[i] = with_field(fb, static_cast<int>(below(unsigned(range))));
        return;
      case kSpecials:
        r.a[i] = below(20) == 0 ? special(fa) : around(fa, 0, 2);
        r.b[i] = below(60) == 0 ? special(fb) : below(30) == 0 ? 0 : around(fb, 0, 2);
        return;
      case kCancel:
        if (i % 2 == 1 && below(4) != 0) {
          r.a[i] = r.a[i - 1] ^ sign_of(fa);
          r.b[i] = r.b[i - 1];
          return;
        }
        r.a[i] = with_field(fa, static_cast<int>(below(unsigned(range))));
        r.b[i] = with_field(fb, static_cast<int>(below(fb.top_field())));
        return;
      case kLow:
        r.a[i] = below(3) == 0 ? 0 : around(fa, -63, 12);
        r.b[i] = around(fb, -63, 12);
        return;
      default:
        r.a[i] = around(fa, 0, 3);
        r.b[i] = around(fb, 0, 3);
    }
  }

  /// One power of two near the bottom, less a little dust: what a clamp of E takes away, a
  /// truncated result shows.
  void edge(Row& r) {
    std::fill(r.a.begin(), r.a.end(), 0u);
    const int total = std::max(-126 - static_cast<int>(below(14)), 2 * (2 - s_.a.bias));
    power(r, below(unsigned(r.a.size())), total, false);
    const std::size_t dust = 1 + below(3);
    for (std::size_t i = 0; i < dust; ++i) {
      power(r, below(unsigned(r.a.size())), total - 22 - static_cast<int>(below(6)), true);
    }
  }
  void power(Row& r, std::size_t i, int exponent, bool negative) {
    const int half = exponent / 2, other = exponent - half;
    const auto mask_a = ~(((1u << s_.a.mantissa_bits) - 1) << s_.a.padding | sign_of(s_.a));
    const auto mask_b = ~(((1u << s_.b.mantissa_bits) - 1) << s_.b.padding | sign_of(s_.b));
    r.a[i] = with_field(s_.a, half + s_.a.bias) & mask_a;
    r.b[i] = with_field(s_.b, other + s_.b.bias) & mask_b;
    if (negative) r.a[i] |= sign_of(s_.a);
  }

  std::uint32_t make_c(Addend addend, const Row& r) {
    const Format& f = s_.c;
    if (addend == kZero) return flip() ? 0 : sign_of(f);
    if (addend == kTiny) return with_field(f, 0);
    if (addend == kAny) return static_cast<std::uint32_t>(bits_()) & any_mask(f);
    const std::size_t i = below(unsigned(r.a.size()));
    const oracle::Number x = oracle::decode(s_.a, r.a[i]), y = oracle::decode(s_.b, r.b[i]);
    return around(f, x.exponent + y.exponent, 16);
  }

  Spec s_;
  std::mt19937_64 bits_;
};

}  // namespace strata

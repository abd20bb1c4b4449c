// Quotients x / s on which a rounding in between might tell. A code hangs on the last place of
// fl(x / s) only where x / s is next to a midpoint of two fp32 numbers one of which is a tie of the
// format. So: the ties of a binade of normal numbers and of all below it, the midpoint on either
// side of each, and, for a scale, the two numbers x beside scale times midpoint.
#pragma once

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "binade/formats/float_format.hpp"
#include "binade/formats/host_device.hpp"

namespace hard_quotients {

/// The binades of the ties, by exponent: of half the smallest number to the first normal one.
inline std::pair<int, int> binades(binade::FloatFormat f) {
  return {f.min_ulp_exponent() - 1, f.emin()};
}

inline std::vector<double> midpoints(binade::FloatFormat f) {
  std::vector<double> found;
  const double step = std::ldexp(1.0, f.min_ulp_exponent());
  const double end = std::ldexp(2.0, f.emin());
  for (double tie = step / 2; tie < end; tie += step) {
    const auto t = static_cast<float>(tie);
    for (const float neighbour : {std::nextafter(t, 0.0f), std::nextafter(t, INFINITY)}) {
      found.push_back((tie + double(neighbour)) / 2);
    }
  }
  return found;
}

/// The fp32 numbers around scale * midpoint, of which a double holds all bits.
inline std::pair<float, float> around(float scale, double midpoint) {
  const double exact = midpoint * double(scale);
  const auto near = static_cast<float>(exact);
  return {near, std::nextafter(near, double(near) > exact ? 0.0f : INFINITY)};
}

/// bf16 numbers of all significands, such that quotients by scales in [1, 2) lie in `binades`.
inline std::vector<std::uint16_t> bf16_numbers(binade::FloatFormat f) {
  const auto [first, last] = binades(f);
  std::vector<std::uint16_t> found;
  for (int i = 0; i < (last - first + 2) * 128; ++i) {
    found.push_back(static_cast<std::uint16_t>(((127 + first) << 7) + i));
  }
  return found;
}

/// A scale of every significand: the `bits`-th of 2^23.
inline float scale(std::int64_t bits) {
  return binade::bit_cast<float>(0x3f800000u | static_cast<std::uint32_t>(bits));
}

}  // namespace hard_quotients

// Whole division by a number that is known before a kernel is launched. Private to this folder.
#pragma once

#include <bit>
#include <cstdint>

#include "binade/formats/host_device.hpp"

namespace binade::cuda {

/// Divides n = 0 .. 2^31 - 1 by what only the host knows: a multiplication and a shift.
class Divider {
 public:
  Divider() = default;
  /// divisor: 1 .. 2^31 - 1. Where 2^b is the least power of two that is not below it, rounding
  /// 2^(31 + b) / divisor up adds less than n 2^-(31 + b) < 1 / divisor to n / divisor: too little
  /// to reach the next whole number.
  constexpr explicit Divider(std::uint32_t divisor)
      : divisor_(divisor),
        shift_(std::bit_width(divisor - 1)),
        factor_(static_cast<std::uint32_t>(((std::uint64_t{1} << (31 + shift_)) + divisor - 1) /
                                           divisor)) {}

  BINADE_HD constexpr int quotient(int n) const {
    return static_cast<int>(std::uint64_t{static_cast<std::uint32_t>(n)} * factor_ >>
                            (31 + shift_));
  }
  BINADE_HD constexpr int divisor() const { return static_cast<int>(divisor_); }

 private:
  std::uint32_t divisor_, shift_, factor_;
};

}  // namespace binade::cuda

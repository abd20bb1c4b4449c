// Containers of formats that are known at run time, one at a time. Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>

#include "binade/formats/cast.hpp"
#include "binade/formats/codec.hpp"

namespace binade::cuda {

/// The draws of the stochastic roundings; 0 for the others.
struct Draws {
  std::uint64_t seed;
  std::uint32_t mask;

  Draws(CastRules rules, std::uint64_t s)
      : seed(s), mask(is_stochastic(rules.rounding) ? (1u << rules.random_bits) - 1 : 0) {}
  __device__ std::uint32_t at(std::size_t i) const {
    return mask == 0 ? 0 : random_at(seed, i) & mask;
  }
};

/// The bits of an fp32 number with the value of a container; NaN keep their sign and are quiet.
__device__ inline std::uint32_t widened_bits(FloatFormat from, std::uint64_t container) {
  constexpr FloatFormat kFp32 = kFp32Format;  // here, because the comparison takes an address
  if (from == kFp32) return static_cast<std::uint32_t>(container);
  return static_cast<std::uint32_t>(
      convert(from, code_of_container(from, container), kFp32Format, kIeeeRules));
}

__device__ inline std::uint64_t load_container(const void* data, int bytes, std::size_t i) {
  switch (bytes) {
    case 1:
      return static_cast<const std::uint8_t*>(data)[i];
    case 2:
      return static_cast<const std::uint16_t*>(data)[i];
    case 4:
      return static_cast<const std::uint32_t*>(data)[i];
    default:
      return static_cast<const std::uint64_t*>(data)[i];
  }
}

__device__ inline void store_container(void* data, int bytes, std::size_t i, std::uint64_t word) {
  switch (bytes) {
    case 1:
      static_cast<std::uint8_t*>(data)[i] = static_cast<std::uint8_t>(word);
      break;
    case 2:
      static_cast<std::uint16_t*>(data)[i] = static_cast<std::uint16_t>(word);
      break;
    case 4:
      static_cast<std::uint32_t*>(data)[i] = static_cast<std::uint32_t>(word);
      break;
    default:
      static_cast<std::uint64_t*>(data)[i] = word;
  }
}

}  // namespace binade::cuda

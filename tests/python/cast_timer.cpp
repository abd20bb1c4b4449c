// The C++ side of cast_speed.py: one cast, timed where no Python is.
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"

extern "C" double cast_seconds(const float* x, std::uint8_t* codes, std::size_t count) {
  const auto begin = std::chrono::steady_clock::now();
  binade::cast(binade::Fp32::format, x, binade::E4M3::format, codes, count);
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
  return passed.count();
}

// What several experiments need to read their arguments and to fill their rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>

#include "binade/experiments/experiment.hpp"
#include "binade/formats/host_device.hpp"

namespace binade::experiments {

inline Cell count_cell(std::size_t n) { return static_cast<std::int64_t>(n); }

/// `value` as a size of at least `least`. Errors: std::invalid_argument naming the parameter.
inline std::size_t checked_size(const std::string& name, std::int64_t value,
                                std::int64_t least = 1) {
  if (value < least) {
    throw std::invalid_argument("parameter " + name + ": found " + std::to_string(value) +
                                ", expected at least " + std::to_string(least));
  }
  return static_cast<std::size_t>(value);
}

inline std::size_t size_argument(const Arguments& arguments, const std::string& name,
                                 std::int64_t least = 1) {
  return checked_size(name, arguments.integer(name), least);
}

inline std::uint64_t seed_argument(const Arguments& arguments) {
  return static_cast<std::uint64_t>(arguments.integer("seed"));
}

inline Parameter seed_parameter() { return {"seed", "1234", "", "seed of the random numbers", {}}; }

/// How many numbers are not the same in every bit; arrays of equal size.
inline std::size_t differing_bits(std::span<const float> x, std::span<const float> y) {
  std::size_t differ = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    differ += bit_cast<std::uint32_t>(x[i]) != bit_cast<std::uint32_t>(y[i]) ? 1 : 0;
  }
  return differ;
}

/// Tells the caller how far a run has come; `done` counts up to `total`.
struct Progress {
  const Arguments& arguments;
  std::size_t total = 0;
  std::size_t done = 0;
  void step() {
    ++done;
    if (arguments.progress) arguments.progress(done, total);
  }
};

}  // namespace binade::experiments

// Small helpers on shapes and sizes. Private to this folder.
#pragma once

#include <cstddef>
#include <string>

#include "binade/formats/float_format.hpp"

namespace binade::detail {

constexpr std::size_t ceil_div(std::size_t a, std::size_t b) { return a / b + (a % b != 0); }

constexpr std::size_t round_up(std::size_t x, std::size_t unit) { return ceil_div(x, unit) * unit; }

/// Of a container.
constexpr std::size_t bytes_of(FloatFormat f) {
  return static_cast<std::size_t>(f.container_bits()) / 8;
}

inline std::string shape_text(std::size_t rows, std::size_t cols) {
  return "[" + std::to_string(rows) + ", " + std::to_string(cols) + "]";
}

}  // namespace binade::detail

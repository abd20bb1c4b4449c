// Small helpers on shapes. Private to this folder.
#pragma once

#include <cstddef>
#include <string>

namespace binade::detail {

constexpr std::size_t ceil_div(std::size_t a, std::size_t b) { return a / b + (a % b != 0); }

inline std::string shape_text(std::size_t rows, std::size_t cols) {
  return "[" + std::to_string(rows) + ", " + std::to_string(cols) + "]";
}

}  // namespace binade::detail

// How a matrix lies in device memory. Dense either way.
#pragma once

#include <cstdint>
#include <string_view>

namespace binade::cuda {

enum class MatrixLayout : std::uint8_t {
  kRowMajor,     ///< "row-major": a row's elements side by side
  kColumnMajor,  ///< "column-major": a column's, as products read the scales of 1x128
};

/// Errors: std::invalid_argument, naming what was found.
MatrixLayout parse_layout(std::string_view name);
std::string_view name_of(MatrixLayout layout);

}  // namespace binade::cuda

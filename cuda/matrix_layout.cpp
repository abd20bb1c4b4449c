#include "binade/cuda/matrix_layout.hpp"

#include <stdexcept>
#include <string>

namespace binade::cuda {

MatrixLayout parse_layout(std::string_view name) {
  for (const MatrixLayout layout : {MatrixLayout::kRowMajor, MatrixLayout::kColumnMajor}) {
    if (name == name_of(layout)) return layout;
  }
  throw std::invalid_argument("unknown layout '" + std::string(name) +
                              "', expected row-major or column-major");
}

std::string_view name_of(MatrixLayout layout) {
  return layout == MatrixLayout::kRowMajor ? "row-major" : "column-major";
}

}  // namespace binade::cuda

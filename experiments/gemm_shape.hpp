// How experiments name the shape of a product. Private to this folder.
#pragma once

#include <cstddef>
#include <string>

namespace binade::experiments {

struct GemmShape {
  std::size_t m = 0, n = 0, k = 0;
  /// "4096x2112x7168".
  std::string text() const {
    return std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
  }
};

/// "4096x2112x7168": M, N, K. Errors: std::invalid_argument.
GemmShape parse_gemm_shape(const std::string& text);

}  // namespace binade::experiments

// How experiments with the tensor cores' GEMM name shapes and ways to scale. Private to this
// folder.
#pragma once

#include <cstddef>
#include <string>

#include "binade/cuda/gemm.hpp"

namespace binade::experiments {

struct GemmShape {
  std::size_t m = 0, n = 0, k = 0;
  std::string text() const {
    return std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
  }
};

/// "4096x2112x7168": M, N, K. Errors: std::invalid_argument.
GemmShape parse_gemm_shape(const std::string& text);

/// Scaling and promotion interval.
struct GemmPath {
  std::string name;          ///< as it was written
  std::string scaling_name;  ///< tensor, row or block
  cuda::GemmScaling scaling{};
  int interval = 0;

  /// What cuBLASLt has: fast accumulation on or off, or blocks.
  bool has_peer() const {
    return scaling == cuda::GemmScaling::kBlock ? interval == 128
                                                : interval == 0 || interval == 128;
  }
};

/// "row-128". Errors: std::invalid_argument.
GemmPath parse_gemm_path(const std::string& text);

}  // namespace binade::experiments

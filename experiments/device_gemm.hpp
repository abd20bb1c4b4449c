// How experiments with the tensor cores' GEMM name ways to scale. Private to this folder.
#pragma once

#include <string>

#include "binade/cuda/gemm.hpp"
#include "gemm_shape.hpp"

namespace binade::experiments {

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

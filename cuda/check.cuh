// CUDA's error codes as exceptions. Private to this folder.
#pragma once

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

namespace binade::cuda {

inline void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  throw std::runtime_error(std::string("CUDA: ") + what + ": " + cudaGetErrorString(error));
}

/// After a launch: what the launch itself found wrong.
inline void check_launch(const char* kernel) { check(cudaGetLastError(), kernel); }

}  // namespace binade::cuda

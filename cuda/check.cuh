// CUDA's error codes as exceptions. Private to this folder.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <stdexcept>
#include <string>

namespace binade::cuda {

inline void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // reported here, and not by whoever looks next
  throw std::runtime_error(std::string("CUDA: ") + what + ": " + cudaGetErrorString(error));
}

/// After an allocation of so many bytes. Errors: std::runtime_error where there are not so many
/// free, with both; NoDevice.
void check_allocation(cudaError_t error, std::size_t bytes);

/// After a launch: what the launch itself found wrong.
inline void check_launch(const char* kernel) { check(cudaGetLastError(), kernel); }

}  // namespace binade::cuda

// How many multiprocessors the current device has. Private to this folder.
#pragma once

#include "check.cuh"

namespace binade::cuda {

inline int multiprocessors() {
  int device = 0, count = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device),
        "the number of multiprocessors");
  return count;
}

}  // namespace binade::cuda

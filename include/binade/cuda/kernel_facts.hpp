// What the compiler made of a kernel.
#pragma once

#include <cstddef>

namespace binade::cuda {

/// What a thread of a kernel takes; of several kernels, the most.
struct KernelFacts {
  int registers = 0;
  std::size_t local_bytes = 0;  ///< the stack of what it calls, and registers spilled to memory
};

}  // namespace binade::cuda

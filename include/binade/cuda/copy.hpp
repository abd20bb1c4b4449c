// Copies within device memory: what kernels that read once and write once are measured against.
#pragma once

#include <cstddef>

namespace binade::cuda {

enum class CopyBy {
  kKernel,  ///< 16 bytes at a time, four in flight a thread
  kDriver,  ///< cudaMemcpyAsync
};

/// Copies `bytes` from one array to another that does not overlap it. Returns at once: the work is
/// queued on the default stream. For the kernel both arrays start at a multiple of 16 bytes, and
/// bytes is one. Errors: NoDevice; std::runtime_error with CUDA's message.
void copy_on_device(const void* source, void* target, std::size_t bytes, CopyBy by);

}  // namespace binade::cuda

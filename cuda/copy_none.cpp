// The build without CUDA: the same symbols, and one line that says so.
#include "binade/cuda/copy.hpp"
#include "binade/cuda/device.hpp"
#include "binade/cuda/memory.hpp"

namespace binade::cuda {

void copy_on_device(const void*, void*, std::size_t, CopyBy) { throw NoDevice(describe_devices()); }

}  // namespace binade::cuda

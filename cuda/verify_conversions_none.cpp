// The build without CUDA: the same symbols, and one line that says so.
#include "binade/cuda/device.hpp"
#include "binade/cuda/memory.hpp"
#include "binade/cuda/verify_conversions.hpp"

namespace binade::cuda {

std::vector<ConversionRow> verify_conversions() { throw NoDevice(describe_devices()); }

}  // namespace binade::cuda

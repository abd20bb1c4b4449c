// The build without CUDA: the same symbols, and one line that says so.
#include "binade/cuda/arithmetic_rate.hpp"
#include "binade/cuda/device.hpp"
#include "binade/cuda/memory.hpp"

namespace binade::cuda {

std::vector<double> multiply_add_rates(CoreArithmetic, std::size_t) {
  throw NoDevice(describe_devices());
}

}  // namespace binade::cuda

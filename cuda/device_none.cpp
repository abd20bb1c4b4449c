// The build without CUDA: the same symbols, and one line that says so.
#include "binade/cuda/device.hpp"

namespace binade::cuda {

std::vector<Device> devices() { return {}; }

std::string describe_devices() { return "no CUDA device: this build has no CUDA"; }

std::string runtime_version() { return "none"; }

}  // namespace binade::cuda

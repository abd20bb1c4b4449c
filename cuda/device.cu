#include <cuda_runtime.h>

#include "binade/cuda/device.hpp"

namespace binade::cuda {

std::vector<Device> devices() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) return {};
  std::vector<Device> list;
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, ordinal) != cudaSuccess) continue;
    int kilohertz = 0;
    if (cudaDeviceGetAttribute(&kilohertz, cudaDevAttrClockRate, ordinal) != cudaSuccess) continue;
    list.push_back({ordinal, properties.name, properties.major * 10 + properties.minor,
                    properties.totalGlobalMem, properties.multiProcessorCount, kilohertz * 1e3});
  }
  return list;
}

std::string describe_devices() {
  int count = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess) {
    int driver = 0;  // CUDA calls a driver that is not there too old
    if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
      return "no CUDA device: no NVIDIA driver is installed";
    }
    return std::string("no CUDA device: ") + cudaGetErrorString(error);
  }
  std::string text;
  for (const Device& device : devices()) {
    text += (text.empty() ? "" : ", ") + device.name + " (sm_" +
            std::to_string(device.compute_capability) + ")";
  }
  return text.empty() ? "no CUDA device: the driver reports none" : text;
}

std::string runtime_version() {
  int version = 0;
  if (cudaRuntimeGetVersion(&version) != cudaSuccess) return "unknown";
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace binade::cuda

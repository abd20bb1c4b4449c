// The build without CUDA: the same symbols, and one line that says so.
#include "binade/cuda/device.hpp"
#include "binade/cuda/gemm.hpp"
#include "binade/cuda/memory.hpp"

namespace binade::cuda {

void gemm_hw(const DeviceGemm&) { throw NoDevice(describe_devices()); }

std::vector<GemmTileInfo> gemm_tiles(const DeviceGemm&) { throw NoDevice(describe_devices()); }

int gemm_tile(const DeviceGemm&) { throw NoDevice(describe_devices()); }

}  // namespace binade::cuda

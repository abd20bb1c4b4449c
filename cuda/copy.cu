#include "binade/cuda/copy.hpp"
#include "binade/cuda/memory.hpp"
#include "check.cuh"

namespace binade::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kInFlight = 4;

__global__ void __launch_bounds__(kThreads)
    copy_vectors(const uint4* source, uint4* target, std::size_t vectors) {
  const std::size_t base = blockIdx.x * std::size_t{kThreads * kInFlight} + threadIdx.x;
  uint4 in[kInFlight];
#pragma unroll
  for (int u = 0; u < kInFlight; ++u) {
    if (base + u * kThreads < vectors) in[u] = __ldg(source + base + u * kThreads);
  }
#pragma unroll
  for (int u = 0; u < kInFlight; ++u) {
    if (base + u * kThreads < vectors) target[base + u * kThreads] = in[u];
  }
}

}  // namespace

void copy_on_device(const void* source, void* target, std::size_t bytes, CopyBy by) {
  require_device(0, "a copy");
  if (bytes == 0) return;
  if (by == CopyBy::kDriver) {
    check(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDeviceToDevice), "cudaMemcpyAsync");
    return;
  }
  const std::size_t vectors = bytes / 16, each = kThreads * kInFlight;
  copy_vectors<<<static_cast<unsigned>((vectors + each - 1) / each), kThreads>>>(
      static_cast<const uint4*>(source), static_cast<uint4*>(target), vectors);
  check_launch("copy");
}

}  // namespace binade::cuda

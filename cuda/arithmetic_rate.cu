#include "binade/cuda/arithmetic_rate.hpp"
#include "binade/cuda/device.hpp"
#include "binade/cuda/memory.hpp"
#include "check.cuh"
#include "multiprocessors.cuh"

namespace binade::cuda {
namespace {

constexpr int kThreads = 512, kChains = 8, kUnrolled = 8, kRounds = 2048;

__device__ __forceinline__ float multiply_add(float a, float b, float c) {
  return __fmaf_rz(a, b, c);
}
__device__ __forceinline__ double multiply_add(double a, double b, double c) {
  return __fma_rz(a, b, c);
}

template <class Real>
__global__ __launch_bounds__(kThreads) void multiply_add_kernel(Real* out, Real a, Real b) {
  Real x[kChains];
#pragma unroll
  for (int i = 0; i < kChains; ++i) x[i] = static_cast<Real>(threadIdx.x + i);
#pragma unroll 1
  for (int round = 0; round < kRounds; ++round) {
#pragma unroll
    for (int i = 0; i < kUnrolled * kChains; ++i) {
      x[i % kChains] = multiply_add(a, b, x[i % kChains]);
    }
  }
  Real sum = 0;  // read by somebody, so that nothing is left out
#pragma unroll
  for (int i = 0; i < kChains; ++i) sum += x[i];
  out[blockIdx.x * std::size_t{kThreads} + threadIdx.x] = sum;
}

template <class Real>
std::vector<double> rates(std::size_t repeats) {
  const auto blocks = static_cast<unsigned>(4 * multiprocessors());
  DeviceArray out(std::size_t{blocks} * kThreads * sizeof(Real));
  std::vector<double> rates = time_launches(
      [&](std::size_t) {
        multiply_add_kernel<<<blocks, kThreads>>>(out.as<Real>(), Real{1.25}, Real{3});
        check_launch("multiply-add kernel");
      },
      repeats);
  const double operations = 1.0 * blocks * kThreads * kRounds * kUnrolled * kChains;
  for (double& rate : rates) rate = operations / rate * 1e-3;
  return rates;
}

}  // namespace

std::vector<double> multiply_add_rates(CoreArithmetic kind, std::size_t repeats) {
  require_device(90, "the rate of multiply-adds");
  return kind == CoreArithmetic::kFp32 ? rates<float>(repeats) : rates<double>(repeats);
}

}  // namespace binade::cuda

// What bounds arithmetic on CUDA cores: fused multiply-adds that wait for nothing.
#pragma once

#include <cstddef>
#include <vector>

namespace binade::cuda {

enum class CoreArithmetic {
  kFp32,  ///< fma.rz.f32
  kFp64,  ///< fma.rz.f64
};

/// Runs registers full of independent fused multiply-adds on every multiprocessor, `repeats` times.
/// Units: 1e9 operations a second, each of one lane (two floating-point operations), one figure a
/// run. Errors: cuda::NoDevice. Tests: tests/twins/emulated_gemm_test.cpp.
std::vector<double> multiply_add_rates(CoreArithmetic kind, std::size_t repeats);

}  // namespace binade::cuda

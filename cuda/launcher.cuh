// One way to launch a kernel and to ask what it takes, so that the answer is about the kernel that
// runs. Private to this folder.
#pragma once

#include <algorithm>

#include "binade/cuda/kernel_facts.hpp"
#include "check.cuh"

namespace binade::cuda {

/// Of a kernel that may begin before the launch ahead of it has ended, and awaits that itself
/// (ptx/grid.cuh).
inline cudaLaunchAttribute overlap_attribute() {
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  return attribute;
}

/// Launches kernels on the default stream or, given somewhere to put them, gathers their facts.
class Launcher {
 public:
  explicit Launcher(KernelFacts* facts = nullptr) : facts_(facts) {}

  template <class... Parameters, class... Arguments>
  void operator()(const char* name, void (*kernel)(Parameters...), unsigned blocks,
                  unsigned threads, const Arguments&... arguments) const {
    if (facts_ != nullptr) return note(name, kernel);
    kernel<<<blocks, threads>>>(arguments...);
    check_launch(name);
  }

  /// The same with overlap_attribute.
  template <class... Parameters, class... Arguments>
  void overlapping(const char* name, void (*kernel)(Parameters...), unsigned blocks,
                   unsigned threads, const Arguments&... arguments) const {
    if (facts_ != nullptr) return note(name, kernel);
    cudaLaunchAttribute attribute = overlap_attribute();
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(blocks);
    config.blockDim = dim3(threads);
    config.attrs = &attribute;
    config.numAttrs = 1;
    check(cudaLaunchKernelEx(&config, kernel, Parameters(arguments)...), name);
  }

  void zero(void* data, std::size_t bytes) const {
    if (facts_ == nullptr) check(cudaMemsetAsync(data, 0, bytes), "cudaMemsetAsync");
  }

 private:
  template <class... Parameters>
  void note(const char* name, void (*kernel)(Parameters...)) const {
    cudaFuncAttributes found{};
    check(cudaFuncGetAttributes(&found, kernel), name);
    facts_->registers = std::max(facts_->registers, found.numRegs);
    facts_->local_bytes = std::max(facts_->local_bytes, found.localSizeBytes);
  }

  KernelFacts* facts_;
};

}  // namespace binade::cuda

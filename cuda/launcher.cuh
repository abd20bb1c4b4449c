// One way to launch a kernel and to ask what it takes, so that the answer is about the kernel that
// runs. Private to this folder.
#pragma once

#include <algorithm>

#include "binade/cuda/kernel_facts.hpp"
#include "check.cuh"

namespace binade::cuda {

/// Launches kernels on the default stream or, given somewhere to put them, gathers their facts.
class Launcher {
 public:
  explicit Launcher(KernelFacts* facts = nullptr) : facts_(facts) {}

  template <class... Parameters, class... Arguments>
  void operator()(const char* name, void (*kernel)(Parameters...), unsigned blocks,
                  unsigned threads, const Arguments&... arguments) const {
    if (facts_ == nullptr) {
      kernel<<<blocks, threads>>>(arguments...);
      check_launch(name);
      return;
    }
    cudaFuncAttributes found{};
    check(cudaFuncGetAttributes(&found, kernel), name);
    facts_->registers = std::max(facts_->registers, found.numRegs);
    facts_->local_bytes = std::max(facts_->local_bytes, found.localSizeBytes);
  }

  void zero(void* data, std::size_t bytes) const {
    if (facts_ == nullptr) check(cudaMemsetAsync(data, 0, bytes), "cudaMemsetAsync");
  }

 private:
  KernelFacts* facts_;
};

}  // namespace binade::cuda

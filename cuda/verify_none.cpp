// The build without CUDA: the same symbols, and one line that says so.
#include "binade/cuda/memory.hpp"
#include "binade/cuda/verify.hpp"

namespace binade::cuda {

std::vector<std::string> verifiable_instructions() { return {}; }

std::vector<VerifyRow> verify_instructions(const VerifyOptions&) {
  require_device(90, "verify");
  return {};
}

}  // namespace binade::cuda

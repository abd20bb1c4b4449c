// The build without CUDA: the same symbols, and one line that says so.
#include "binade/cuda/dot_model.hpp"
#include "binade/cuda/memory.hpp"

namespace binade::cuda {

void dot_hw(const Instruction& instruction, const void*, const void*, const void*, void*,
            std::size_t, std::size_t) {
  require_device(90, instruction.name);
}

void dot_portable(const Instruction&, const void*, const void*, const void*, void*, std::size_t,
                  std::size_t) {
  require_device(75, "the portable dot model");
}

}  // namespace binade::cuda

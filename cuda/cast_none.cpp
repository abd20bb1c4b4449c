// The build without CUDA: the same symbols, and one line that says so.
#include "binade/cuda/cast.hpp"
#include "binade/cuda/device.hpp"
#include "binade/cuda/memory.hpp"

namespace binade::cuda {
namespace {
[[noreturn]] void refuse() { throw NoDevice(describe_devices()); }
}  // namespace

bool has_hw_cast(FloatFormat, FloatFormat, CastRules) { return false; }
void cast_portable(FloatFormat, const void*, FloatFormat, void*, std::size_t, CastRules,
                   std::uint64_t) {
  refuse();
}
void cast_hw(FloatFormat, const void*, FloatFormat, void*, std::size_t, CastRules) { refuse(); }
void cast_on_device(FloatFormat, const void*, FloatFormat, void*, std::size_t, CastRules,
                    std::uint64_t) {
  refuse();
}
KernelFacts cast_facts(FloatFormat, FloatFormat, CastRules) { refuse(); }

}  // namespace binade::cuda

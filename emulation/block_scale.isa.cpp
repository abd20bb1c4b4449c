// The loops of block scaling, compiled once per instruction set and left to the vectoriser. Each
// element is one IEEE operation, so the bits cannot depend on the width.
#include "binade/formats/host_device.hpp"
#include "block_scale_kernels.hpp"

namespace binade::detail::BINADE_ISA {
namespace {

// Signed comparison, which every vector unit has; magnitudes are never negative.
std::uint32_t amax_bits(const float* x, std::size_t count, std::uint32_t start) {
  auto amax = static_cast<std::int32_t>(start);
  for (std::size_t i = 0; i < count; ++i) {
    amax = max_of(amax, bit_cast<std::int32_t>(x[i]) & 0x7fffffff);
  }
  return static_cast<std::uint32_t>(amax);
}

void amax_bits_each(const float* x, std::size_t count, std::uint32_t* amax) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto before = static_cast<std::int32_t>(amax[i]);
    amax[i] = static_cast<std::uint32_t>(max_of(before, bit_cast<std::int32_t>(x[i]) & 0x7fffffff));
  }
}

void multiply(const float* x, float factor, float* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) y[i] = x[i] * factor;
}
void divide(const float* x, float factor, float* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) y[i] = x[i] / factor;
}
void multiply_each(const float* x, const float* factor, float* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) y[i] = x[i] * factor[i];
}
void divide_each(const float* x, const float* factor, float* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) y[i] = x[i] / factor[i];
}

constexpr BlockKernels kKernels{amax_bits, amax_bits_each, multiply,
                                divide,    multiply_each,  divide_each};

}  // namespace

const BlockKernels& block_kernels() { return kKernels; }

}  // namespace binade::detail::BINADE_ISA

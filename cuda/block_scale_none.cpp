// The build without CUDA: the same symbols, and one line that says so.
#include "binade/cuda/block_scale.hpp"
#include "binade/cuda/device.hpp"
#include "binade/cuda/memory.hpp"

namespace binade::cuda {
namespace {
[[noreturn]] void refuse() { throw NoDevice(describe_devices()); }
}  // namespace

struct Quantizer::Work {};

Quantizer::Quantizer(FloatFormat, std::size_t, std::size_t, const ScaleRecipe&, Granularity,
                     ScaleType, FloatFormat, Text) {
  refuse();
}
Quantizer::Quantizer(Quantizer&&) noexcept = default;
Quantizer& Quantizer::operator=(Quantizer&&) noexcept = default;
Quantizer::~Quantizer() = default;
void Quantizer::run(const void*, const QuantizedArrays&, std::uint64_t) { refuse(); }
void Quantizer::run_with_transpose(const void*, const QuantizedArrays&, const QuantizedArrays&,
                                   std::uint64_t) {
  refuse();
}
const char* Quantizer::kernel() const { return "none"; }
const char* Quantizer::kernel_with_transpose() const { return "none"; }
KernelFacts Quantizer::facts() const { refuse(); }
KernelFacts Quantizer::facts_with_transpose(MatrixLayout) const { refuse(); }

Quantized quantize_portable(FloatFormat, const void*, std::size_t, std::size_t, const ScaleRecipe&,
                            Granularity, ScaleType, FloatFormat, std::uint64_t) {
  refuse();
}
Quantized quantize(FloatFormat, const void*, std::size_t, std::size_t, const ScaleRecipe&,
                   Granularity, ScaleType, FloatFormat, std::uint64_t) {
  refuse();
}
std::pair<Quantized, Quantized> quantize_with_transpose(FloatFormat, const void*, std::size_t,
                                                        std::size_t, const ScaleRecipe&,
                                                        Granularity, ScaleType, FloatFormat,
                                                        std::uint64_t) {
  refuse();
}

}  // namespace binade::cuda

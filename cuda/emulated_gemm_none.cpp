// The build without CUDA: the same symbols, and one line that says so.
#include "binade/cuda/device.hpp"
#include "binade/cuda/emulated_gemm.hpp"
#include "binade/cuda/memory.hpp"

namespace binade::cuda {
namespace {
[[noreturn]] void refuse() { throw NoDevice(describe_devices()); }
}  // namespace

struct EmulatedGemm::State {};

EmulatedGemm::EmulatedGemm(const GemmProfile&, const GemmOperand&, const GemmOperand&, std::size_t,
                           FloatFormat, const GemmOptions&, EmulationPath) {
  refuse();
}
EmulatedGemm::EmulatedGemm(EmulatedGemm&&) noexcept = default;
EmulatedGemm& EmulatedGemm::operator=(EmulatedGemm&&) noexcept = default;
EmulatedGemm::~EmulatedGemm() = default;
void EmulatedGemm::run(const GemmOperand&, const GemmOperand&, void*) { refuse(); }
EmulationPath EmulatedGemm::path() const { refuse(); }
std::size_t EmulatedGemm::leftovers() const { refuse(); }

std::string_view name_of(EmulationPath) { return "none"; }

void gemm_portable(const GemmProfile&, const GemmOperand&, const GemmOperand&, std::size_t,
                   FloatFormat, void*, const GemmOptions&) {
  refuse();
}

}  // namespace binade::cuda

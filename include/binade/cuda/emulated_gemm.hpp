// The emulated GEMM on the device's CUDA cores: D = A B^T bit for bit as a matrix instruction and a
// library would have it, or as hardware that does not exist.
//
// The twin of binade::gemm (emulation/gemm.hpp), whose contract holds here too: shapes, units,
// order of arithmetic, special values, errors. No tensor core is used, so every instruction and
// every model card runs on every device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "binade/emulation/gemm.hpp"

namespace binade::cuda {

/// binade::gemm on the device: host arrays in, host array out.
///
/// Every profile with an instruction chain: all but fp32-sequential and exact.
/// Determinism: the bits of binade::gemm. options.threads has no meaning here.
/// Errors: as binade::gemm; std::invalid_argument for a profile without an instruction;
/// cuda::NoDevice; std::runtime_error when device memory runs out, saying how much was needed.
/// Source: the profile's. Tests: tests/twins/emulated_gemm_test.cpp.
void gemm_portable(const GemmProfile& profile, const GemmOperand& a, const GemmOperand& b,
                   std::size_t k, FloatFormat output, void* d, const GemmOptions& options = {});

/// What carries the model's arithmetic.
enum class EmulationPath : std::uint8_t {
  kFastest,      ///< as the bounds of the model allow: one of those below
  kSingleLanes,  ///< fp32 units: F up to about 15, FP8 and FP16 operands
  kDoubleLanes,  ///< fp64 units: F up to about 45
  kScalar,       ///< 64-bit integers, the text of dot_step.hpp: every model, 30 to 75 times as slow
};
std::string_view name_of(EmulationPath path);

/// A GEMM made ready for one shape, with the device memory that it needs (6 bytes an operand's
/// element in fp32 lanes, 12 in fp64 lanes, and 1/2 byte an output), to be run as often as wanted,
/// on arrays that lie on the device.
class EmulatedGemm {
 public:
  /// Reads formats and shapes of a and b alone: their pointers need not be valid yet, only not
  /// null. `path` may ask for kScalar. Keeps a copy of the instruction.
  EmulatedGemm(const GemmProfile& profile, const GemmOperand& a, const GemmOperand& b,
               std::size_t k, FloatFormat output, const GemmOptions& options = {},
               EmulationPath path = EmulationPath::kFastest);
  EmulatedGemm(EmulatedGemm&&) noexcept;
  EmulatedGemm& operator=(EmulatedGemm&&) noexcept;
  ~EmulatedGemm();

  /// Codes, scales and d [m, n] on the device, of the shapes that the constructor saw; on the
  /// default stream, without waiting. Scales are not checked: negative ones are multiplied like
  /// any. Errors: std::invalid_argument for other shapes.
  void run(const GemmOperand& a, const GemmOperand& b, void* d);

  EmulationPath path() const;
  /// How many outputs of the last run met a NaN, an infinity or an overflow, and were computed by
  /// the scalar text. Waits.
  std::size_t leftovers() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace binade::cuda

// Scaling in blocks on the device: the twins of emulation/block_scale.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "binade/cuda/kernel_facts.hpp"
#include "binade/cuda/matrix_layout.hpp"
#include "binade/emulation/block_scale.hpp"

namespace binade::cuda {

/// The twins of binade::quantize, on host arrays. quantize_portable is the text of scale_recipe.hpp
/// and codec.hpp compiled for the device, a thread an element; quantize runs the kernels below,
/// which round by the device's instructions wherever those give the same bits.
///
/// Shapes, Units, Arithmetic, Special values: as binade::quantize, to the bit, for every recipe,
/// granularity, scale type and element; NaN as x86 makes them (the operand's, and a negative one of
/// infinity times zero), which the casts that keep a NaN's sign let see.
/// Determinism: the same bytes each time. Errors: as binade::quantize; NoDevice;
/// std::runtime_error when the arrays do not fit in device memory.
/// Tests: tests/twins/block_scale_test.cpp.
Quantized quantize_portable(FloatFormat source, const void* x, std::size_t rows, std::size_t cols,
                            const ScaleRecipe& recipe, Granularity granularity,
                            ScaleType scale_type, FloatFormat element, std::uint64_t seed = 0);
Quantized quantize(FloatFormat source, const void* x, std::size_t rows, std::size_t cols,
                   const ScaleRecipe& recipe, Granularity granularity, ScaleType scale_type,
                   FloatFormat element, std::uint64_t seed = 0);

/// A matrix and its transpose, each quantised by itself: .first is quantize(x) and .second is
/// quantize(x transposed), codes [cols, rows], with the same granularity counted in its own rows
/// and columns. For 1x128 the second has a scale for each 128 x 1 of x, as the product for the
/// weights' gradient needs. Stochastic draws belong to the place in each result.
std::pair<Quantized, Quantized> quantize_with_transpose(FloatFormat source, const void* x,
                                                        std::size_t rows, std::size_t cols,
                                                        const ScaleRecipe& recipe,
                                                        Granularity granularity,
                                                        ScaleType scale_type, FloatFormat element,
                                                        std::uint64_t seed = 0);

/// Where a quantised matrix lies in device memory: codes as in Quantized, scales so or by columns.
struct QuantizedArrays {
  void* codes = nullptr;                ///< [rows, cols] containers
  float* scales = nullptr;              ///< [scale_rows, scale_cols]
  std::uint8_t* scale_codes = nullptr;  ///< the same, for ue8m0 and e4m3 scales; may be null
  float* tensor_scale = nullptr;        ///< one number, for e4m3 scales; may be null
  MatrixLayout scale_layout = MatrixLayout::kRowMajor;  ///< of both
};

/// A quantiser of matrices of one shape in device memory, with its scratch.
///
/// Kernels: from fp32 and bf16 to e4m3 and e5m2, cast to nearest even, columns a multiple of 16
/// bytes (rows of 16, with a transpose) and arrays that start at one: 1x128, 128x128 and whole rows
/// (to 65536 bf16 or 32768 fp32) read x once, and keep it in registers between the measuring of a
/// block and its cast; a tensor is read twice, the second time backwards, so that what the L2 still
/// holds is not fetched again. With a transpose, 1x128 and 128x128 read x once for both; rows and
/// tensors twice; column-major 1x128 scales are written at once, row-major ones by a second small
/// kernel. Everything else goes element by element through the portable text.
/// Bytes moved for an element of b bytes: b + 1, with the transpose b + 2, and b more in two
/// passes.
class Quantizer {
 public:
  enum class Text : std::uint8_t { kFastest, kPortable };

  /// Errors: as binade::quantize; NoDevice.
  Quantizer(FloatFormat source, std::size_t rows, std::size_t cols, const ScaleRecipe& recipe,
            Granularity granularity, ScaleType scale_type, FloatFormat element,
            Text text = Text::kFastest);
  Quantizer(Quantizer&&) noexcept;
  Quantizer& operator=(Quantizer&&) noexcept;
  ~Quantizer();

  /// Quantises x [rows, cols] in device memory. Returns at once: the work is queued on the default
  /// stream, and the scratch belongs to it until it is done.
  void run(const void* x, const QuantizedArrays& out, std::uint64_t seed = 0);
  /// Also the transpose of x, as quantize_with_transpose.
  void run_with_transpose(const void* x, const QuantizedArrays& out,
                          const QuantizedArrays& transposed, std::uint64_t seed = 0);

  /// What run and run_with_transpose choose for arrays that start at a multiple of 16 bytes: "one
  /// pass", "two passes" or "portable"; and what those kernels take.
  const char* kernel() const;
  const char* kernel_with_transpose() const;
  KernelFacts facts() const;
  KernelFacts facts_with_transpose(MatrixLayout scales = MatrixLayout::kRowMajor) const;

 private:
  struct Work;
  std::unique_ptr<Work> work_;
};

}  // namespace binade::cuda

// D = A B^T on the tensor cores, bit for bit what binade::gemm says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "binade/cuda/matrix_layout.hpp"
#include "binade/emulation/gemm.hpp"

namespace binade::cuda {

/// Where the scales of a GEMM stand and when they are applied.
enum class GemmScaling : std::uint8_t {
  kTensor,  ///< one a matrix: D = acc * fl(sa * sb)
  kRow,     ///< one a row of A and of B: D = fl(acc * sb[n]) * sa[m]
  kBlock,   ///< 1x128 of A by 128x128 of B: s = fma(fl(sa * sb), chain, s) at each promotion
};

/// FP32 scales in device memory; no data: 1 everywhere. The scale of block (r, c) stands at
/// data[r * row_stride + c * block_stride], so that either order of a matrix will do.
struct DeviceScales {
  const float* data = nullptr;
  std::size_t row_stride = 0;    ///< kRow: between rows; kBlock: between blocks of rows
  std::size_t block_stride = 0;  ///< kBlock: between blocks along K

  /// Of [rows, cols] scales, dense.
  static constexpr DeviceScales of(const float* data, std::size_t rows, std::size_t cols,
                                   MatrixLayout layout) {
    if (layout == MatrixLayout::kRowMajor) return {data, cols, 1};
    return {data, 1, rows};
  }
};

/// A product of matrices in device memory.
struct DeviceGemm {
  std::size_t m = 0, n = 0, k = 0;
  FloatFormat a_format{}, b_format{};      ///< e4m3 or e5m2
  const void *a = nullptr, *b = nullptr;   ///< codes [m, k] and [n, k], row-major
  std::size_t a_stride = 0, b_stride = 0;  ///< elements between rows; 0: k
  void* d = nullptr;                       ///< [m, n], row-major
  std::size_t d_stride = 0;                ///< elements between rows; 0: n
  FloatFormat output{};                    ///< fp32 or bf16
  GemmScaling scaling = GemmScaling::kTensor;
  DeviceScales scale_a{}, scale_b{};
  int promotion_interval = 0;  ///< K elements: 32, 64 or a multiple of 128; 0: never
  int tile = -1;               ///< index into gemm_tiles; -1: the one that should be fastest
};

/// D = A B^T by wgmma and the copy engine, on the current device's default stream, not waited for.
///
/// Shapes: as DeviceGemm; every size, the tails of tiles are zeros and are not stored. Rows of A
/// and B whose stride or address is no multiple of 16 bytes are first copied to where they are, and
/// such rows of D are computed elsewhere and copied; what lies between rows of D is not touched.
/// Units: scales are dequantisation factors.
/// Arithmetic: that of binade::gemm with the chains of hopper.wgmma.f32: k ascending, each chain
/// from zero over promotion_interval products (all of K where it is 0), joined to an FP32 sum with
/// nearest even; scales as GemmScaling says; one rounding to `output`, nearest even. No order
/// depends on the tile.
/// Special values: as the instruction; a NaN result is 0x7fffffff, or 0x7fff in bf16.
/// Determinism: the same bits on every run, tile and device of compute capability 9.0.
/// Errors: std::invalid_argument for formats, strides, scales, intervals and tiles that there are
/// not, naming what was found; NoDevice below compute capability 9.0; std::runtime_error from CUDA,
/// or with what was needed where there is no memory for copies.
/// Source: this project; the model's measurements are those of the profiles. Tests:
/// tests/twins/gemm_test.cpp.
void gemm_hw(const DeviceGemm& call);

/// The call that a profile makes of matrices in device memory; their scales are not read, and lie
/// as scales_a and scales_b say. Errors: as the function below.
DeviceGemm device_gemm(const GemmProfile& profile, const GemmOperand& a, const GemmOperand& b,
                       std::size_t k, FloatFormat output, void* d, const GemmOptions& options = {},
                       MatrixLayout scales_a = MatrixLayout::kRowMajor,
                       MatrixLayout scales_b = MatrixLayout::kRowMajor);

/// The same for matrices of the host and a profile: uploads, runs, downloads.
///
/// Errors: as binade::gemm and the above; std::invalid_argument in one line for a profile, a model
/// card or an output that these kernels do not have.
void gemm_hw(const GemmProfile& profile, const GemmOperand& a, const GemmOperand& b, std::size_t k,
             FloatFormat output, void* d, const GemmOptions& options = {});

/// A compiled tile: what one block computes at a time, and what the compiler and the device make
/// of it.
struct GemmTileInfo {
  std::string name;  ///< "128x256 cluster 2x1, 4 stages"
  int rows = 0, cols = 0;
  int stages = 0;
  int registers = 0;            ///< a thread at the launch, before the warpgroups share them anew
  std::size_t spill_bytes = 0;  ///< local memory a thread
};

/// The tiles that take this call's formats, scales and interval; gemm_hw's `tile` is an index.
/// Errors: as gemm_hw.
std::vector<GemmTileInfo> gemm_tiles(const DeviceGemm& call);

/// The index of the tile that gemm_hw takes for this call. Errors: as gemm_hw.
int gemm_tile(const DeviceGemm& call);

}  // namespace binade::cuda

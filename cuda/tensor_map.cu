#include <string>

#include "check.cuh"
#include "tensor_map.hpp"

namespace binade::cuda {
namespace {

using Encode = decltype(&cuTensorMapEncodeTiled);

/// From the driver that is loaded already: nothing links with it.
Encode find_encode() {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found{};
  check(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000,
                                         cudaEnableDefault, &found),
        "cuTensorMapEncodeTiled");
  if (found != cudaDriverEntryPointSuccess || function == nullptr) {
    throw std::runtime_error("CUDA: this driver has no cuTensorMapEncodeTiled");
  }
  return reinterpret_cast<Encode>(function);
}

}  // namespace

CUtensorMap tensor_map(const MappedMatrix& m) {
  static const Encode encode = find_encode();
  CUtensorMap map{};
  const cuuint64_t sizes[] = {m.cols, m.rows};
  const cuuint64_t strides[] = {m.stride * static_cast<std::size_t>(m.element_bytes)};
  const cuuint32_t box[] = {static_cast<cuuint32_t>(m.box_cols),
                            static_cast<cuuint32_t>(m.box_rows)};
  const cuuint32_t steps[] = {1, 1};
  const auto swizzle =
      m.box_cols * m.element_bytes == 128 ? CU_TENSOR_MAP_SWIZZLE_128B : CU_TENSOR_MAP_SWIZZLE_NONE;
  // Lines of 128 bytes, as a tile's rows are: with 256 a GEMM read 2 to 8 % more from the L2.
  const CUresult result =
      encode(&map, m.type, 2, const_cast<void*>(m.data), sizes, strides, box, steps,
             CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle, CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
             CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result != CUDA_SUCCESS) {
    throw std::runtime_error("CUDA: no tensor map for " + std::to_string(m.rows) + " x " +
                             std::to_string(m.cols) + " at a stride of " +
                             std::to_string(m.stride) + ": error " + std::to_string(result));
  }
  return map;
}

}  // namespace binade::cuda

// Tensor maps: how the copy engine sees a matrix. Private to this folder.
#pragma once

#include <cuda.h>

#include <cstddef>

namespace binade::cuda {

/// A row-major matrix that is read or written in boxes. Rows of 128 bytes lie in shared memory
/// swizzled over 128 bytes, shorter ones densely.
struct MappedMatrix {
  CUtensorMapDataType type;
  int element_bytes;
  const void* data;  ///< a multiple of 16
  std::size_t rows, cols;
  std::size_t stride;  ///< elements between rows; its bytes a multiple of 16
  int box_rows, box_cols;
};

/// Errors: std::runtime_error when the driver has no tensor maps or refuses this one.
CUtensorMap tensor_map(const MappedMatrix& matrix);

}  // namespace binade::cuda

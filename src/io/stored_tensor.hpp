// A tensor that lies in a file and is read in pieces, whatever the file's format.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "io/file.hpp"
#include "io/tensor.hpp"

namespace binade::io {

struct StoredTensor {
  std::string name;   ///< within its file; empty for .npy
  std::string where;  ///< for messages: FILE.npy or FILE.safetensors:NAME
  DType dtype = DType::kF32;
  Shape shape;
  std::shared_ptr<const InputFile> file;
  std::uint64_t offset = 0;
  bool swapped = false;        ///< big-endian elements
  bool fortran_order = false;  ///< first index fastest

  std::size_t count() const;
  /// Elements first .. first + count - 1 in C order, in the host's byte order.
  /// A Fortran-order tensor is read in one piece only (DataError otherwise).
  void read(std::size_t first, std::size_t count, void* into) const;
  Tensor read_all() const;
};

}  // namespace binade::io

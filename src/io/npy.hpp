// NumPy's .npy files, versions 1 to 3. Pickles are never read.
#pragma once

#include <string>

#include "io/stored_tensor.hpp"

namespace binade::io {

/// Opens an array; its header is checked against the file's size.
/// Accepts float16/32/64, (u)int8..64 and bool, either byte order, C and Fortran order.
/// Errors: DataError for anything else: objects, structures, a header that lies about its length or
/// the data's, unknown versions. Source: numpy.lib.format, NEP 1.
StoredTensor open_npy(const std::string& path);

inline Tensor read_npy(const std::string& path) { return open_npy(path).read_all(); }

/// Writes version 1.0 (2.0 for a header that needs it), C order, little-endian. bfloat16 and the
/// FP8 types, for which .npy has no name, are written as the unsigned integers of their bits.
void write_npy(OutputFile& file, const Tensor& tensor);
/// The same with its own file, committed.
void write_npy(const std::string& path, const Tensor& tensor);

}  // namespace binade::io

// One address for every tensor: FILE.npy, FILE.safetensors:TENSOR.
#pragma once

#include <string>

#include "io/stored_tensor.hpp"

namespace binade::io {

/// Opens the tensor at an address. The name may be left out where a .safetensors file holds a
/// single tensor. Errors: DataError.
StoredTensor open_tensor(const std::string& address);

/// Every tensor of a file (one for .npy). Errors: DataError.
std::vector<StoredTensor> open_all(const std::string& path);

}  // namespace binade::io

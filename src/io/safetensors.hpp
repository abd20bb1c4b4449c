// The safetensors file format: a JSON header and the tensors' bytes, without holes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "io/stored_tensor.hpp"

namespace binade::io {

struct SafetensorsFile {
  std::map<std::string, std::string> metadata;
  std::vector<StoredTensor> tensors;  ///< in the order of their bytes

  /// Errors: DataError naming the nearest tensors.
  const StoredTensor& find(const std::string& name) const;
};

/// Opens a file and checks its header strictly.
/// Errors: DataError for a header that is longer than the file or than 100 MB, is no JSON object of
/// objects with dtype, shape and data_offsets, names a tensor twice, whose offsets overlap, leave
/// holes or lie outside the data, or do not fit shape and dtype.
/// Source: github.com/huggingface/safetensors, README "Format".
SafetensorsFile open_safetensors(const std::string& path);

struct NamedTensor {
  std::string name;
  const Tensor* tensor;
};

/// Writes the tensors widest element first, then by name, as the reference implementation does.
/// Errors: as OutputFile; std::invalid_argument for a name that occurs twice or is __metadata__.
void write_safetensors(const std::string& path, std::vector<NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace binade::io

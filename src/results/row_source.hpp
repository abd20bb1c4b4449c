// Tensors of files as matrices that are read piece by piece.
#pragma once

#include "binade/emulation/panels.hpp"
#include "io/stored_tensor.hpp"

namespace binade::results {

/// The tensor as a matrix (leading dimensions folded into the rows) whose elements are of `format`.
RowSource row_source(const io::StoredTensor& tensor, FloatFormat format);

}  // namespace binade::results

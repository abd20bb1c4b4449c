#include "results/row_source.hpp"

#include <algorithm>

namespace binade::results {

RowSource row_source(const io::StoredTensor& tensor, FloatFormat format) {
  const io::Extent extent = io::matrix_extent(tensor.shape);
  RowSource source;
  source.rows = extent.rows;
  source.cols = extent.cols;
  source.whole_only = tensor.fortran_order;
  source.read = [tensor, format, cols = extent.cols](std::size_t first, std::span<float> into) {
    std::vector<std::byte> raw(into.size() * io::info(tensor.dtype).size);
    tensor.read(first * cols, into.size(), raw.data());
    std::ranges::copy(io::to_fp32(format, raw.data(), into.size()), into.begin());
  };
  return source;
}

}  // namespace binade::results

#include "io/stored_tensor.hpp"

#include <algorithm>
#include <cstring>

#include "io/error.hpp"

namespace binade::io {
namespace {

void swap_bytes(std::span<std::byte> bytes, std::size_t size) {
  for (std::size_t at = 0; at + size <= bytes.size(); at += size) {
    std::reverse(bytes.data() + at, bytes.data() + at + size);
  }
}

/// From first-index-fastest to last-index-fastest.
std::vector<std::byte> to_c_order(std::span<const std::byte> source, const Shape& shape,
                                  std::size_t size) {
  std::vector<std::byte> target(source.size());
  std::vector<std::size_t> index(shape.size(), 0), stride(shape.size());
  std::size_t step = size;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    stride[d] = step;
    step *= shape[d];
  }
  std::size_t from = 0;
  for (std::size_t to = 0; to < target.size(); to += size) {
    std::memcpy(target.data() + to, source.data() + from, size);
    for (std::size_t d = shape.size(); d-- > 0;) {
      from += stride[d];
      if (++index[d] < shape[d]) break;
      from -= stride[d] * shape[d];
      index[d] = 0;
    }
  }
  return target;
}

}  // namespace

std::size_t StoredTensor::count() const {
  return checked_bytes(shape, dtype, where) / info(dtype).size;
}

void StoredTensor::read(std::size_t first, std::size_t n, void* into) const {
  if (first > count() || n > count() - first) {
    throw DataError(where + " has " + std::to_string(count()) + " elements, expected " +
                    std::to_string(n) + " from element " + std::to_string(first));
  }
  const std::size_t size = info(dtype).size;
  const bool whole = first == 0 && n == count();
  if (fortran_order && !whole) {
    throw DataError(where + " is in Fortran order and can be read in one piece only");
  }
  std::span<std::byte> bytes(static_cast<std::byte*>(into), n * size);
  file->read(offset + first * size, bytes);
  if (swapped) swap_bytes(bytes, size);
  if (fortran_order && shape.size() > 1) {
    const std::vector<std::byte> ordered = to_c_order(bytes, shape, size);
    std::copy(ordered.begin(), ordered.end(), bytes.begin());
  }
}

Tensor StoredTensor::read_all() const {
  Tensor tensor(dtype, shape);
  read(0, tensor.count(), tensor.data());
  return tensor;
}

}  // namespace binade::io

// The transpose of a matrix as its elements lie: what is column-major of the one is row-major of
// the other.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

/// An element is as many T as x has for each place: several where they are bytes.
template <class T>
std::vector<T> transposed(const std::vector<T>& x, std::size_t rows, std::size_t cols) {
  const auto each = static_cast<std::ptrdiff_t>(x.size() / (rows * cols));
  std::vector<T> t(x.size());
  for (std::size_t i = 0; i < rows * cols; ++i) {
    const std::size_t to = i % cols * rows + i / cols;
    std::copy_n(x.begin() + static_cast<std::ptrdiff_t>(i) * each, each,
                t.begin() + static_cast<std::ptrdiff_t>(to) * each);
  }
  return t;
}

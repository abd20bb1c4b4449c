// The page for a class: one HTML file that needs nothing beside itself.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace binade::page {

/// One tensor to draw as a histogram of log2 |x|.
struct PageTensor {
  std::string name;
  std::string dtype;
  std::vector<std::size_t> shape;
  std::vector<float> values;
};

/// The whole page as HTML.
///
/// Shapes: any number of tensors, none included; a name `<gemm>.weight`, `.input` or `.output_grad`
/// puts the tensor beside its siblings. `source` names their file on the page.
/// Arithmetic: every table is filled by the library's own encode, decode and trace_dot; the script
/// in the page looks values up and compares, and rounds nothing.
/// Special values: NaN and infinite elements are counted apart and drawn nowhere.
/// Determinism: the same input gives the same bytes. Errors: std::invalid_argument for a tensor
/// whose element count does not match its shape. Tests: tests/page/.
std::string make_page(const std::vector<PageTensor>& tensors, std::string_view source);

}  // namespace binade::page

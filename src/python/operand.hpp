// One operand of a GEMM as Python passes it.
#pragma once

#include "binade/emulation/gemm.hpp"
#include "bindings.hpp"

namespace binade::python {

/// A GemmOperand that holds the arrays it points into.
class Operand {
 public:
  Operand(const FloatFormat& format, const Array& codes, std::size_t rows, std::size_t k,
          const std::optional<Array>& scales, std::size_t scale_rows, std::size_t scale_cols)
      : k_(k), codes_(codes) {
    codes_.expect("codes", rows * k, format.container_bits());
    view_.format = format;
    view_.codes = codes_.data();
    view_.rows = rows;
    if (!scales) return;
    scales_.emplace(*scales);
    scales_->expect("scales", scale_rows * scale_cols, 32);
    view_.scales = {scales_->as<const float>(), scale_rows * scale_cols};
    view_.scale_rows = scale_rows;
    view_.scale_cols = scale_cols;
  }
  const GemmOperand& view() const { return view_; }
  std::size_t k() const { return k_; }

 private:
  std::size_t k_;
  Bytes codes_;
  std::optional<Bytes> scales_;
  GemmOperand view_;
};

/// Errors: std::invalid_argument when the operands differ in k.
inline std::size_t shared_k(const Operand& a, const Operand& b) {
  if (a.k() != b.k()) {
    throw std::invalid_argument("a has k = " + std::to_string(a.k()) + " and b " +
                                std::to_string(b.k()) + ": expected the same");
  }
  return a.k();
}

}  // namespace binade::python

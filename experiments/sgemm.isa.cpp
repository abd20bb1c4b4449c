// Eigen is templates throughout, whose copies for different instruction sets must not share
// symbols: its namespace lies within one that is named after the instruction set.
#define Eigen BINADE_ISA::Eigen

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // in gcc's own AVX-512 header, bug 105593
#endif
#include "sgemm.hpp"

#include <Eigen/Core>

namespace binade::experiments::BINADE_ISA {
namespace {

void product(const float* a, const float* b, float* d, std::size_t rows, std::size_t n,
             std::size_t k) {
  using Matrix = ::Eigen::Matrix<float, ::Eigen::Dynamic, ::Eigen::Dynamic, ::Eigen::RowMajor>;
  const auto index = [](std::size_t i) { return static_cast<::Eigen::Index>(i); };
  const ::Eigen::Map<const Matrix> x(a, index(rows), index(k)), y(b, index(n), index(k));
  ::Eigen::Map<Matrix>(d, index(rows), index(n)).noalias() = x * y.transpose();
}

}  // namespace

Sgemm sgemm() { return product; }

}  // namespace binade::experiments::BINADE_ISA

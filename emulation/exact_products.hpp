// Exact dot products of coded operands. Private to this folder.
//
// Three widths of arithmetic, chosen by how far apart the bits of the operands lie: sums in fp64
// lanes while every partial sum fits 53 bits (E4M3 up to K = 2^17), in 128-bit integers while it
// fits 126 (E5M2, FP16, and BF16 or FP32 data of ordinary spread), else in an ExactSum.
#pragma once

#include <cstddef>
#include <functional>

#include "binade/emulation/exact.hpp"
#include "binade/emulation/gemm.hpp"
#include "gemm_scales.hpp"

namespace binade::detail {

/// An exact number: sum * scale, both exact in fp64, or `wide`.
struct ExactProduct {
  double sum = 0, scale = 1;
  const ExactSum* wide = nullptr;

  /// Rounded once.
  double to_double() const;
  std::uint64_t round(FloatFormat f, CastRules rules) const;
};

/// Calls sink(row of A, row of B, value) for every output of A B^T, from several threads at once.
void exact_products(const GemmOperand& a, const ScaleGrid& scale_a, const GemmOperand& b,
                    const ScaleGrid& scale_b, std::size_t k, int threads,
                    const std::function<void(std::size_t, std::size_t, ExactProduct)>& sink);

/// Writes one code as the container at `index`.
void store_output(FloatFormat output, void* d, std::size_t index, std::uint64_t code);

}  // namespace binade::detail

// The Walsh-Hadamard rotation that spreads outliers over a row before it is quantised.
#pragma once

#include <cstddef>
#include <span>

namespace binade {

/// Multiplies each row by the Hadamard matrix of Sylvester's order and by `scale`, in place.
///
/// Shapes: x holds rows of `width` elements, a power of two. Units: scale = width^-0.5 makes the
/// transform orthogonal, and its own inverse.
/// Arithmetic: for the strides 1, 2, 4, ... width / 2, each pair (a, b) that far apart becomes
/// (fl(a + b), fl(a - b)) in FP32; then every element is multiplied by fl(scale). Rows of BF16
/// values whose exponents lie within 9 of each other pass the butterflies without rounding.
/// Special values: as IEEE 754 has them.
/// Determinism: the same bits on any number of threads (0: as many as OpenMP gives).
/// Errors: std::invalid_argument for a width that is no power of two, a size that is no multiple of
/// it, or threads < 0.
/// Source: Dao-AILab/fast-hadamard-transform, which DeepSeek-V3.2-Exp calls on query and key of its
/// indexer. Tests: tests/emulation/hadamard_test.cpp.
void hadamard_transform(std::span<float> x, std::size_t width, float scale, int threads = 0);

}  // namespace binade

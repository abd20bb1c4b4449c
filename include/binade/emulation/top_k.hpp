// The k largest of a row of scores, with ties decided.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace binade {

/// The indices of the k largest scores, largest first.
///
/// Shapes: scores [n]; returns min(k, n) indices. Arithmetic: comparisons only; of equal scores the
/// lower index comes first, so that the choice is one and the same everywhere.
/// Special values: -0 equals +0; NaN ranks above +infinity, as in torch.topk, and NaNs are equal.
/// Determinism: a pure function. Errors: std::invalid_argument for more than 2^31 - 1 scores.
/// Source: deepseek-ai/TileKernels moe, stable_topk. Tests: tests/emulation/top_k_test.cpp.
std::vector<std::int32_t> stable_top_k(std::span<const float> scores, std::size_t k);
std::vector<std::int32_t> stable_top_k(std::span<const double> scores, std::size_t k);

/// The share of `reference` that `found` holds too, whatever the order: the recall of a selection.
/// Errors: std::invalid_argument for an empty reference.
double recall(std::span<const std::int32_t> found, std::span<const std::int32_t> reference);

}  // namespace binade

// COAT's dynamic range expansion: magnitudes to a power, so that a group's range fills a format's.
#pragma once

#include <cstddef>
#include <span>

#include "binade/formats/float_format.hpp"

namespace binade::experiments {

/// k = log R / log R_group with R the largest number of `element` over its smallest above zero
/// (448 / 2^-9 = 229376 for E4M3) and R_group the group's; 1 for a group of one magnitude.
double expansion_exponent(std::span<const float> group, FloatFormat element);

/// Rounds groups of `group` numbers through `element` under expansion, and back.
///
/// Shapes: x and y [n], the last group ragged. Arithmetic: with most the group's largest magnitude,
/// u = (|x| / most)^k in fp64, rounded to fp32; u quantised under one FP32 scale, amax / max, and
/// read back; y = most * u^(1/k), rounded to fp32. Special values: none are looked for.
/// Determinism: one thread; pow is the C library's. Errors: as quantize; std::invalid_argument when
/// the sizes differ. Source: COAT, arXiv 2410.19313, section 4. Tests: optimizer_states_test.cpp.
void round_expanded(std::span<const float> x, std::size_t group, FloatFormat element,
                    std::span<float> y);

}  // namespace binade::experiments

// Quantisers whose blocks are whole lines of codes, by the fused loops of formats. Private to this
// folder.
#pragma once

#include "block_scale_derive.hpp"

namespace binade::detail {

/// Does all of a quantize call whose result has been made room for, or returns false with nothing
/// done, where the loops do not serve. tallest: rows of a block at most.
bool quantize_fused(const QuantizeSource& source, const BlockGrid& grid, const ScaleRecipe& recipe,
                    ScaleType type, Quantized& q, std::size_t tallest, int threads);

}  // namespace binade::detail

// Key-value cache entries in FP8, byte for byte as the kernels that read them lay them out.
//
// A layout is a record: so many elements in E4M3 under one scale a tile, so many behind them that
// stay BF16, how a scale is stored and whether the scales stand in their entry or behind all
// entries of a block. Copy a record and change its fields for a layout of your own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "binade/emulation/block_scale.hpp"

namespace binade {

struct KvLayout {
  std::string name;
  std::string source;
  std::size_t latent = 0;          ///< elements in E4M3: the latent without position ("NoPE")
  std::size_t rope = 0;            ///< elements kept in BF16: the rotary part
  std::size_t tile = 0;            ///< elements of the latent that share a scale
  std::size_t scale_bytes = 4;     ///< 4: FP32; 1: E8M0
  std::size_t pad_bytes = 0;       ///< behind an entry's scales
  bool scales_behind = false;      ///< a block holds all its entries, then all their scales
  std::size_t block_multiple = 1;  ///< a block is padded to a multiple of so many bytes
  std::string recipe;              ///< the quantiser of this layout's kernels (scale_recipe.hpp)
  ScaleType scale_type = ScaleType::kPow2;

  std::size_t width() const { return latent + rope; }
  std::size_t tiles() const { return latent / tile; }
  /// Bytes of one token: codes, rotary part, scales and their padding.
  std::size_t entry_bytes() const { return latent + 2 * rope + tiles() * scale_bytes + pad_bytes; }
  /// Bytes of a block of `tokens` entries, its padding included.
  std::size_t block_bytes(std::size_t tokens) const;
};

/// flashmla (V32_FP8Sparse: 656 bytes), flashmla-v4 (MODEL1_FP8Sparse: 584 bytes), indexer (the key
/// cache of the sparse indexer: 132 bytes).
const std::vector<KvLayout>& kv_layouts();
/// Errors: std::invalid_argument naming the choices.
const KvLayout& find_kv_layout(std::string_view name);

/// Quantises a block of tokens and writes it as the layout lays it out.
///
/// Shapes: x [tokens, layout.width()] codes of BF16, the latent before the rotary part; block
/// [layout.block_bytes(tokens)]. All words are little-endian.
///   entry  latent E4M3 codes, rope BF16 codes; FP32 scales of an entry that keeps its own stand
///          between the two, byte `latent` on
///   block  tokens entries; where scales_behind, then for each token its scales and pad_bytes
///   zeros fill all padding (the original leaves there what was in memory)
/// Units: the scales are dequantisation factors. Arithmetic: the latent as `quantize` does it under
/// layout.recipe, layout.scale_type and tiles of 1 x layout.tile; the rotary part is copied.
/// Special values: as the recipe has them. Determinism: the same bytes on every ISA and number of
/// threads. Errors: std::invalid_argument for sizes that do not fit, no tokens, a latent that is no
/// multiple of the tile, scales of other than 1 or 4 bytes, or 1-byte scales of a type other than
/// ue8m0.
/// Source: deepseek-ai/FlashMLA 9241ae3 tests/quant.py and deepseek-ai/DeepGEMM
/// tests/test_attention.py kv_cache_cast_to_fp8. Tests: tests/emulation/kv_cache_test.cpp.
void pack_kv_block(const KvLayout& layout, std::span<const std::uint16_t> x,
                   std::span<std::uint8_t> block, int threads = 0);

/// Reads a block back as BF16, whoever wrote it.
///
/// Shapes: as pack_kv_block. Arithmetic: FP32 scales: BF16(fl(code * scale)), two roundings; E8M0
/// scales: one rounding to BF16 of code * scale. Under the power-of-two scales that pack_kv_block
/// writes both are exact, down to 2^-133. The rotary part is copied, NaN payloads and all.
/// Special values: a NaN code or scale gives the canonical NaN of BF16.
/// Determinism: the same bytes everywhere. Errors, Source, Tests: as pack_kv_block.
void unpack_kv_block(const KvLayout& layout, std::span<const std::uint8_t> block,
                     std::span<std::uint16_t> x, int threads = 0);

}  // namespace binade

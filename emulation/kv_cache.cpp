#include "binade/emulation/kv_cache.hpp"

#include <bit>
#include <cstring>
#include <stdexcept>

#include "binade/formats/catalog.hpp"

namespace binade {
namespace {

static_assert(std::endian::native == std::endian::little, "words are copied as they lie in memory");

[[noreturn]] void refuse(const KvLayout& layout, const std::string& what) {
  throw std::invalid_argument("KV layout " + layout.name + ": " + what);
}

/// Checks the record and the sizes; returns the number of tokens.
std::size_t checked_tokens(const KvLayout& layout, std::size_t elements, std::size_t bytes) {
  if (layout.latent == 0 || layout.tile == 0 || layout.latent % layout.tile != 0) {
    refuse(layout, "a latent of " + std::to_string(layout.latent) + " in tiles of " +
                       std::to_string(layout.tile) + ", expected whole tiles");
  }
  const bool e8m0 = layout.scale_bytes == 1 && layout.scale_type == ScaleType::kUe8m0;
  const bool fp32 = layout.scale_bytes == 4 && (layout.scale_type == ScaleType::kPow2 ||
                                                layout.scale_type == ScaleType::kFp32);
  if (!e8m0 && !fp32) {
    refuse(layout, "scales of type " + std::string(name_of(layout.scale_type)) + " in " +
                       std::to_string(layout.scale_bytes) +
                       " bytes, expected ue8m0 in 1 or fp32 or pow2 in 4");
  }
  if (layout.block_multiple == 0) refuse(layout, "block_multiple is 0");
  const std::size_t tokens = elements / layout.width();
  if (tokens == 0 || elements % layout.width() != 0) {
    refuse(layout, std::to_string(elements) + " elements, expected one or more tokens of " +
                       std::to_string(layout.width()));
  }
  if (bytes != layout.block_bytes(tokens)) {
    refuse(layout, std::to_string(bytes) + " bytes for " + std::to_string(tokens) +
                       " tokens, expected " + std::to_string(layout.block_bytes(tokens)));
  }
  return tokens;
}

/// Where the parts of a token's entry lie in its block.
struct EntryPlace {
  std::size_t codes, scales, rope;
};

EntryPlace place_of(const KvLayout& layout, std::size_t token, std::size_t tokens) {
  const std::size_t scales = layout.tiles() * layout.scale_bytes + layout.pad_bytes;
  const std::size_t apart = layout.latent + 2 * layout.rope;
  if (layout.scales_behind) {
    const std::size_t start = token * apart;
    return {start, tokens * apart + token * scales, start + layout.latent};
  }
  const std::size_t start = token * (apart + scales);
  return {start, start + layout.latent, start + layout.latent + scales};
}

/// The rounding of a product to BF16; whatever NaN it was, it leaves as the canonical one.
constexpr CastRules kToBf16{Rounding::kNearestEven, Overflow::kSpecial, InfinityRule::kPropagate,
                            NanRule::kCanonical};

void read_scales(const KvLayout& layout, const std::uint8_t* bytes, std::span<float> scales) {
  if (layout.scale_bytes == 1) {
    decode(E8M0::format, bytes, scales);
  } else {
    std::memcpy(scales.data(), bytes, 4 * scales.size());
  }
}

}  // namespace

std::size_t KvLayout::block_bytes(std::size_t tokens) const {
  return (tokens * entry_bytes() + block_multiple - 1) / block_multiple * block_multiple;
}

const std::vector<KvLayout>& kv_layouts() {
  static const std::vector<KvLayout> all = {
      {"flashmla", "deepseek-ai/FlashMLA 9241ae3 tests/quant.py, V32_FP8Sparse", 512, 64, 128, 4, 0,
       false, 1, "flashmla", ScaleType::kPow2},
      {"flashmla-v4", "deepseek-ai/FlashMLA 9241ae3 tests/quant.py, MODEL1_FP8Sparse", 448, 64, 64,
       1, 1, true, 576, "flashmla", ScaleType::kUe8m0},
      {"indexer",
       "deepseek-ai/DeepGEMM tests/test_attention.py kv_cache_cast_to_fp8, its scales as "
       "DeepSeek-V3.2-Exp inference/model.py Indexer makes them",
       128, 0, 128, 4, 0, true, 1, "deepseek-v3.2", ScaleType::kPow2},
  };
  return all;
}

const KvLayout& find_kv_layout(std::string_view name) {
  std::string names;
  for (const KvLayout& layout : kv_layouts()) {
    if (layout.name == name) return layout;
    names += (names.empty() ? "" : ", ") + layout.name;
  }
  throw std::invalid_argument("unknown KV layout '" + std::string(name) + "': expected one of " +
                              names);
}

void pack_kv_block(const KvLayout& layout, std::span<const std::uint16_t> x,
                   std::span<std::uint8_t> block, int threads) {
  const std::size_t tokens = checked_tokens(layout, x.size(), block.size());
  std::vector<std::uint16_t> latent(tokens * layout.latent);
  for (std::size_t t = 0; t < tokens; ++t) {
    std::memcpy(latent.data() + t * layout.latent, x.data() + t * layout.width(),
                2 * layout.latent);
  }
  const Quantized q =
      quantize(Bf16::format, latent.data(), tokens, layout.latent, find_scale_recipe(layout.recipe),
               {1, layout.tile}, layout.scale_type, E4M3::format, threads);
  std::memset(block.data(), 0, block.size());
  for (std::size_t t = 0; t < tokens; ++t) {
    const EntryPlace at = place_of(layout, t, tokens);
    std::memcpy(block.data() + at.codes, q.codes.data() + t * layout.latent, layout.latent);
    std::memcpy(block.data() + at.rope, x.data() + t * layout.width() + layout.latent,
                2 * layout.rope);
    const std::size_t first = t * layout.tiles(), bytes = layout.tiles() * layout.scale_bytes;
    if (layout.scale_bytes == 1) {
      std::memcpy(block.data() + at.scales, q.scale_codes.data() + first, bytes);
    } else {
      std::memcpy(block.data() + at.scales, q.scales.data() + first, bytes);
    }
  }
}

void unpack_kv_block(const KvLayout& layout, std::span<const std::uint8_t> block,
                     std::span<std::uint16_t> x, int threads) {
  const std::size_t tokens = checked_tokens(layout, x.size(), block.size());
  const std::size_t latent = layout.latent, tiles = layout.tiles();
  Quantized q;
  q.element = E4M3::format;
  q.rows = q.scale_rows = tokens;
  q.cols = latent;
  q.scale_cols = tiles;
  q.granularity = {1, layout.tile};
  q.codes.resize(tokens * latent);
  q.scales.resize(tokens * tiles);
  for (std::size_t t = 0; t < tokens; ++t) {
    const EntryPlace at = place_of(layout, t, tokens);
    std::memcpy(q.codes.data() + t * latent, block.data() + at.codes, latent);
    read_scales(layout, block.data() + at.scales, std::span(q.scales).subspan(t * tiles, tiles));
  }
  std::vector<float> values(tokens * latent);
  dequantize(q, values, threads);
  std::vector<std::uint16_t> rounded(values.size());
  cast(kFp32Format, values.data(), Bf16::format, rounded.data(), values.size(), kToBf16);
  for (std::size_t t = 0; t < tokens; ++t) {
    std::uint16_t* entry = x.data() + t * layout.width();
    std::memcpy(entry, rounded.data() + t * latent, 2 * latent);
    std::memcpy(entry + latent, block.data() + place_of(layout, t, tokens).rope, 2 * layout.rope);
  }
}

}  // namespace binade

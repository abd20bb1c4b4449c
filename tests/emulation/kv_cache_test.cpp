// X17: cache entries byte for byte. The reference below builds them one byte at a time from tables
// of values; of the library it uses the records alone.
#include "binade/emulation/kv_cache.hpp"

#include <bit>
#include <random>

#include "binade/formats/catalog.hpp"
#include "catch.hpp"
#include "scale_reference.hpp"

using namespace binade;

namespace {

using Bytes = std::vector<std::uint8_t>;
using Codes = std::vector<std::uint16_t>;

float bf16_value(std::uint16_t code) { return std::bit_cast<float>(std::uint32_t{code} << 16); }

/// BF16, nearest even, finite.
std::uint16_t bf16_code(double x) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(x));
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);
}

/// Tokens whose latents have the given size, and rotary parts of any bit pattern.
Codes random_tokens(const KvLayout& layout, std::size_t tokens, unsigned seed, bool wide) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Codes x(tokens * layout.width());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const int shift = wide ? static_cast<int>(random() % 41) - 30 : 0;
    x[i] = i % layout.width() < layout.latent ? bf16_code(std::ldexp(normal(random), shift))
                                              : static_cast<std::uint16_t>(random());
  }
  return x;
}

std::uint8_t e4m3_code(double y) {
  static const std::vector<double> values = reference::values_of(E4M3::format);
  const double rounded = reference::nearest(values, y);
  const auto code = std::ranges::find(values, std::fabs(rounded)) - values.begin();
  return static_cast<std::uint8_t>(code | (std::signbit(y) ? 0x80 : 0));
}

/// The exponent of a tile's scale, from the publication's words: 2^ceil(log2(max(amax/448, 1e-4))).
int scale_exponent(const std::uint16_t* tile, std::size_t count, bool clamps_amax) {
  float amax = 0;
  for (std::size_t i = 0; i < count; ++i) amax = std::max(amax, std::fabs(bf16_value(tile[i])));
  if (clamps_amax) return reference::ceil_log2(std::max(amax, 1e-4f) * (1.0f / 448.0f));
  return reference::ceil_log2(std::max(amax / 448.0f, 1e-4f));
}

void append(Bytes& bytes, std::uint32_t word, int count) {
  for (int i = 0; i < count; ++i) bytes.push_back(static_cast<std::uint8_t>(word >> (8 * i)));
}

Bytes reference_block(const KvLayout& layout, const Codes& x) {
  Bytes block, behind;
  for (std::size_t first = 0; first < x.size(); first += layout.width()) {
    Bytes codes, scales, rope;
    for (std::size_t i = 0; i < layout.latent; i += layout.tile) {
      const std::uint16_t* tile = x.data() + first + i;
      const int e = scale_exponent(tile, layout.tile, layout.name == "indexer");
      for (std::size_t j = 0; j < layout.tile; ++j) {
        codes.push_back(e4m3_code(std::ldexp(bf16_value(tile[j]), -e)));
      }
      append(scales,
             layout.scale_bytes == 1 ? static_cast<std::uint32_t>(e + 127)
                                     : static_cast<std::uint32_t>(e + 127) << 23,
             static_cast<int>(layout.scale_bytes));
    }
    append(scales, 0, static_cast<int>(layout.pad_bytes));
    for (std::size_t i = layout.latent; i < layout.width(); ++i) append(rope, x[first + i], 2);
    block.insert(block.end(), codes.begin(), codes.end());
    Bytes& where = layout.scales_behind ? behind : block;
    where.insert(where.end(), scales.begin(), scales.end());
    block.insert(block.end(), rope.begin(), rope.end());
  }
  block.insert(block.end(), behind.begin(), behind.end());
  while (block.size() % layout.block_multiple != 0) block.push_back(0);
  return block;
}

Bytes packed(const KvLayout& layout, const Codes& x) {
  Bytes block(layout.block_bytes(x.size() / layout.width()), 0xee);
  pack_kv_block(layout, x, block);
  return block;
}

Codes unpacked(const KvLayout& layout, const Bytes& block, std::size_t tokens) {
  Codes x(tokens * layout.width());
  unpack_kv_block(layout, block, x);
  return x;
}

}  // namespace

TEST_CASE("X17: entries of 656, 584 and 132 bytes") {
  CHECK(find_kv_layout("flashmla").entry_bytes() == 656);
  CHECK(find_kv_layout("flashmla-v4").entry_bytes() == 584);
  CHECK(find_kv_layout("indexer").entry_bytes() == 132);
  CHECK(find_kv_layout("flashmla").block_bytes(64) == 64 * 656);
  CHECK(find_kv_layout("flashmla-v4").block_bytes(64) == 65 * 576);  // 37376, padded
  CHECK(find_kv_layout("flashmla-v4").block_bytes(72) == 73 * 576);  // fits as it is
  CHECK(find_kv_layout("indexer").block_bytes(64) == 64 * 132);
  CHECK_THROWS_WITH(find_kv_layout("flash"), ContainsSubstring("flashmla, flashmla-v4, indexer"));
}

TEST_CASE("X17: one token by hand") {
  // 1.0 in the first tile, 448 * 2^-3 in the second, nothing in the others, rope 1, 2, 3, ...
  const KvLayout& layout = find_kv_layout("flashmla");
  Codes x(576);
  x[0] = bf16_code(1.0);
  x[128] = bf16_code(-56.0);
  for (std::size_t i = 0; i < 64; ++i) x[512 + i] = static_cast<std::uint16_t>(i + 1);
  const Bytes b = packed(layout, x);
  CHECK(b[0] == 0x78);  // 1.0 is 256 * 2^-8: amax / 448 lies between 2^-9 and 2^-8
  CHECK(b[1] == 0x00);
  CHECK(b[128] == 0xfe);  // -448
  const Bytes scales(b.begin() + 512, b.begin() + 528);
  CHECK(scales == Bytes{0, 0, 0x80, 0x3b,  // 2^-8
                        0, 0, 0x00, 0x3e,  // 2^-3
                        0, 0, 0x00, 0x39,  // 2^-13: the clamp acts on the scale
                        0, 0, 0x00, 0x39});
  CHECK(Bytes(b.begin() + 528, b.begin() + 534) == Bytes{1, 0, 2, 0, 3, 0});

  // The other layout: E8M0 codes behind both entries, a pad byte for each, zeros to 3 * 576.
  const KvLayout& v4 = find_kv_layout("flashmla-v4");
  Codes y(2 * 512);
  y[0] = bf16_code(1.0);
  y[512 + 447] = bf16_code(-56.0);
  y[512 + 511] = 0xbeef;
  const Bytes c = packed(v4, y);
  REQUIRE(c.size() == 3 * 576);
  CHECK(c[0] == 0x78);
  CHECK(c[576 + 447] == 0xfe);
  CHECK(Bytes(c.begin() + 2 * 576 - 2, c.begin() + 2 * 576) == Bytes{0xef, 0xbe});
  CHECK(Bytes(c.begin() + 1152, c.begin() + 1168) ==
        Bytes{119, 114, 114, 114, 114, 114, 114, 0, 114, 114, 114, 114, 114, 114, 124, 0});
  CHECK(Bytes(c.begin() + 1168, c.end()) == Bytes(560, 0));
}

TEST_CASE("X17: every byte equals the reference, and reads back to what the codes are worth") {
  for (const KvLayout& layout : kv_layouts()) {
    for (const std::size_t tokens : {1u, 3u, 64u}) {
      for (const bool wide : {false, true}) {
        INFO(layout.name << " " << tokens << " " << wide);
        const Codes x = random_tokens(layout, tokens, static_cast<unsigned>(tokens) + wide, wide);
        const Bytes block = packed(layout, x);
        REQUIRE((block == reference_block(layout, x)));
        const Codes y = unpacked(layout, block, tokens);
        for (std::size_t i = 0; i < x.size(); ++i) {
          const std::size_t at = i % layout.width();
          if (at >= layout.latent) {
            REQUIRE(y[i] == x[i]);  // whatever bits the rotary part has
            continue;
          }
          const std::uint16_t* tile = x.data() + i - at % layout.tile;
          const int e = scale_exponent(tile, layout.tile, layout.name == "indexer");
          static const std::vector<double> values = reference::values_of(E4M3::format);
          const double want =
              std::ldexp(reference::nearest(values, std::ldexp(bf16_value(x[i]), -e)), e);
          REQUIRE(static_cast<double>(bf16_value(y[i])) == want);
        }
        // Written once more it keeps its values, if under a smaller scale (448.5 / 2 becomes 224).
        CHECK((unpacked(layout, packed(layout, y), tokens) == y));
      }
    }
  }
}

TEST_CASE("blocks by other writers: any FP32 scale, a NaN scale, a NaN code") {
  const KvLayout& layout = find_kv_layout("flashmla");
  Bytes block(656, 0);
  for (std::size_t i = 0; i < 512; ++i) block[i] = static_cast<std::uint8_t>(i % 127);
  const float scale = 1.0f / 3.0f;
  for (std::size_t tile = 0; tile < 4; ++tile) {
    const auto bits = std::bit_cast<std::uint32_t>(tile == 2 ? std::nanf("") : scale);
    for (int i = 0; i < 4; ++i) {
      block[512 + 4 * tile + static_cast<std::size_t>(i)] =
          static_cast<std::uint8_t>(bits >> 8 * i);
    }
  }
  block[1] = 0xff;
  const Codes x = unpacked(layout, block, 1);
  static const std::vector<double> values = reference::values_of(E4M3::format);
  for (std::size_t i = 0; i < 512; ++i) {
    INFO(i);
    const bool nan = i == 1 || i / 128 == 2;
    const float product = static_cast<float>(values[i % 127]) * scale;
    CHECK(x[i] == (nan ? 0x7fff : bf16_code(product)));
  }
  const KvLayout& v4 = find_kv_layout("flashmla-v4");
  Bytes other(v4.block_bytes(1), 0x38);  // every code 1.0
  other[576] = 255;
  other[577] = 0;
  const Codes y = unpacked(v4, other, 1);
  CHECK(y[0] == 0x7fff);
  CHECK(y[64] == 0x0040);  // 2^-127, a subnormal number of BF16
}

TEST_CASE("sizes that do not fit are refused with what was found") {
  const KvLayout& layout = find_kv_layout("flashmla");
  Codes x(576);
  Bytes block(656);
  CHECK_THROWS_WITH(pack_kv_block(layout, std::span(x).first(500), block),
                    ContainsSubstring("500 elements, expected one or more tokens of 576"));
  CHECK_THROWS_WITH(pack_kv_block(layout, std::span(x).first(0), block),
                    ContainsSubstring("0 elements"));
  CHECK_THROWS_WITH(unpack_kv_block(layout, std::span(block).first(655), x),
                    ContainsSubstring("655 bytes for 1 tokens, expected 656"));
  KvLayout odd = layout;
  odd.tile = 100;
  CHECK_THROWS_WITH(pack_kv_block(odd, x, block), ContainsSubstring("tiles of 100"));
  odd = layout;
  odd.scale_bytes = 2;
  CHECK_THROWS_WITH(pack_kv_block(odd, x, block), ContainsSubstring("pow2 in 2 bytes"));
}

// The fused loops of quantisers against the loops of the other instruction sets and, where scales
// are derived in lanes, against the scalar rule, on blocks that are whole lines of codes.
#include <cstring>
#include <random>

#include "binade/emulation/block_scale.hpp"
#include "catch.hpp"
#include "scale_reference.hpp"

using namespace binade;

namespace {

constexpr const char* kGranularities[] = {"1x64", "1x128", "128x128", "7x64", "row", "1x192"};

/// Numbers of every size, and among them what is not finite, tiny and huge blocks, zeros of both
/// signs and exact powers of two.
std::vector<float> wild_matrix(std::size_t rows, std::size_t cols, unsigned seed) {
  std::vector<float> x = reference::test_matrix(rows, cols, seed);
  std::mt19937_64 random(seed);
  for (std::size_t at = 0; at + 64 <= x.size(); at += 64) {
    const auto kind = random() % 16;
    const int e = kind == 0 ? -140 : kind == 1 ? 115 : kind == 2 ? -100 : kind == 3 ? 70 : 0;
    for (std::size_t i = at; i < at + 64; ++i) {
      x[i] = kind == 4 ? 0.0f : kind == 5 ? std::ldexp(1.0f, int(i % 9)) : std::ldexp(x[i], e);
    }
    const std::uint32_t odd[] = {0x7f800000, 0xff800000, 0x7f800001, 0xffc12345, 0x7fffffff, 1};
    if (kind >= 6 && kind < 9) x[at + random() % 64] = bit_cast<float>(odd[random() % 6]);
  }
  return x;
}

std::string first_difference(const Quantized& got, const Quantized& want) {
  for (std::size_t i = 0; i < want.scales.size(); ++i) {
    if (reference::bits(got.scales[i]) != reference::bits(want.scales[i])) {
      return "scale " + std::to_string(i);
    }
  }
  if (got.scale_codes != want.scale_codes) return "scale codes";
  for (std::size_t i = 0; i < want.codes.size(); ++i) {
    if (got.codes[i] != want.codes[i]) {
      return "code " + std::to_string(i) + ": " + std::to_string(got.codes[i]) + " and not " +
             std::to_string(want.codes[i]);
    }
  }
  return got.codes.size() == want.codes.size() ? "none" : "sizes";
}

}  // namespace

TEST_CASE("whole lines quantise alike on every instruction set, whatever is in them") {
  const Isa before = isa();
  struct Shape {
    std::size_t rows, cols;
  };
  for (const Shape& shape : {Shape{131, 384}, {3, 1152}}) {
    const std::size_t rows = shape.rows, cols = shape.cols;
    const auto x = wild_matrix(rows, cols, 31);
    std::vector<std::uint16_t> bf16(x.size());
    cast(kFp32Format, x.data(), Bf16::format, bf16.data(), x.size(), kIeeeRules);
    for (const ScaleRecipe& recipe : scale_recipes()) {
      for (const ScaleType type : recipe.scale_types) {
        for (const char* g : kGranularities) {
          if (cols % std::max<std::size_t>(1, parse_granularity(g).cols) != 0) continue;
          for (const FloatFormat element :
               {E4M3::format, E5M2::format, E4M3Fnuz::format, E2M1::format, E3M4::format, kInt8}) {
            for (const bool wide : {true, false}) {
              const auto run = [&](Isa choice, int threads) {
                set_isa(choice);
                return quantize(wide ? kFp32Format : Bf16::format,
                                wide ? static_cast<const void*>(x.data()) : bf16.data(), rows, cols,
                                recipe, parse_granularity(g), type, element, threads);
              };
              const Quantized want = run(Isa::kBaseline, 1);
              for (const Isa choice : supported_isas()) {
                CAPTURE(recipe.name, name_of(type), g, element_name(element), wide,
                        isa_name(choice));
                REQUIRE(first_difference(run(choice, 1 + (rows > 100)), want) == "none");
              }
            }
          }
        }
      }
    }
  }
  set_isa(before);
}

TEST_CASE("scales in lanes are those of the scalar rule, for every amax of interest") {
  std::vector<float> amax;
  for (int e = -149; e <= 127; ++e) {
    for (const float m : {1.0f, 1.0f + 0x1p-23f, 1.25f, 1.75f, 1.75f + 0x1p-22f, 2.0f - 0x1p-23f}) {
      amax.push_back(std::ldexp(m, e));
    }
  }
  std::mt19937_64 random(3);
  for (int i = 0; i < 3000; ++i) {
    amax.push_back(bit_cast<float>(static_cast<std::uint32_t>(random() % 0x7f800000)));
  }
  amax.push_back(0.0f);
  std::vector<float> x(amax.size() * 64, 0.0f);
  for (std::size_t i = 0; i < amax.size(); ++i)
    x[i * 64 + i % 64] = i % 2 == 0 ? amax[i] : -amax[i];
  const Isa before = isa();
  for (ScaleRecipe recipe : scale_recipes()) {
    for (const ScaleType type : recipe.scale_types) {
      if (type == ScaleType::kE4M3) continue;
      for (const int change : {0, 1, 2, 3}) {
        ScaleRecipe changed = recipe;
        if (change == 1) changed.min_exponent = -5;
        if (change == 2) changed.max_exponent = 3;
        if (change == 3) changed.floor = AmaxFloor::kOnScale, changed.floor_value = 0x1p61f;
        for (const FloatFormat element : {E4M3::format, E2M1::format, E5M2::format}) {
          for (const Isa choice : supported_isas()) {
            set_isa(choice);
            const Quantized q = quantize(x, amax.size(), 64, changed, {1, 64}, type, element, 1);
            std::size_t wrong = 0;
            for (std::size_t i = 0; i < amax.size(); ++i) {
              const BlockScale b =
                  scale_of_block(changed, type, element, {amax[i], false, false}, {}, kMaxFloat);
              wrong += reference::bits(q.scales[i]) != reference::bits(b.scale);
              if (type == ScaleType::kUe8m0) wrong += q.scale_codes[i] != b.code;
              const float e = x[i * 64 + i % 64];
              const float y = changed.apply == ApplyScale::kDivide ? e / b.factor : e * b.factor;
              wrong += q.codes[i * 64 + i % 64] != encode(element, y, changed.cast_rules);
            }
            CAPTURE(changed.name, name_of(type), change, element_name(element), isa_name(choice));
            REQUIRE(wrong == 0);
          }
        }
      }
    }
  }
  set_isa(before);
}

TEST_CASE("codes of a large matrix, which go past the caches, are those of its parts") {
  struct Shape {
    std::size_t rows, cols;
  };
  constexpr std::size_t kPart = 128;
  for (const Shape shape : {Shape{1400, 4096}, Shape{350, 16512}}) {  // the second in two panels
    const auto x = wild_matrix(shape.rows, shape.cols, 7);
    std::vector<std::uint16_t> bf16(x.size());
    cast(kFp32Format, x.data(), Bf16::format, bf16.data(), x.size(), kIeeeRules);
    const ScaleRecipe& recipe = find_scale_recipe("deepseek-v3");
    for (const bool wide : {true, false}) {
      const FloatFormat from = wide ? kFp32Format : Bf16::format;
      const void* data = wide ? static_cast<const void*>(x.data()) : bf16.data();
      for (const Granularity granularity : {Granularity{1, 128}, Granularity{128, 128}}) {
        for (const int threads : {1, 3}) {
          const Quantized all = quantize(from, data, shape.rows, shape.cols, recipe, granularity,
                                         ScaleType::kFp32, E4M3::format, threads);
          for (std::size_t r = 0; r < shape.rows; r += kPart) {
            const std::size_t rows = std::min(kPart, shape.rows - r), at = r * shape.cols;
            const Quantized part =
                quantize(from, static_cast<const std::byte*>(data) + at * (wide ? 4 : 2), rows,
                         shape.cols, recipe, granularity, ScaleType::kFp32, E4M3::format, 1);
            CAPTURE(shape.cols, wide, granularity.rows, threads, r);
            REQUIRE(std::memcmp(all.codes.data() + at, part.codes.data(), rows * shape.cols) == 0);
          }
        }
      }
    }
  }
}

// What must hold for any quantiser: threads, ISA, idempotence, two-level scales, layouts, refusals.
#include "binade/emulation/block_scale.hpp"
#include "catch.hpp"
#include "scale_reference.hpp"

using namespace binade;

namespace {

bool same(const Quantized& a, const Quantized& b) {
  const auto same_bits = [](const std::vector<float>& p, const std::vector<float>& q) {
    return p.size() == q.size() && std::memcmp(p.data(), q.data(), p.size() * sizeof(float)) == 0;
  };
  return a.codes == b.codes && same_bits(a.scales, b.scales) && a.scale_codes == b.scale_codes &&
         reference::bits(a.tensor_scale) == reference::bits(b.tensor_scale);
}

std::vector<float> read_back(const Quantized& q, int threads = 0) {
  std::vector<float> x(q.rows * q.cols);
  dequantize(q, x, threads);
  return x;
}

constexpr std::size_t kRows = 261, kCols = 301;

}  // namespace

TEST_CASE("the bits do not depend on threads or ISA") {
  auto x = reference::test_matrix(kRows, kCols, 21);
  x[7 * kCols + 5] = std::numeric_limits<float>::quiet_NaN();
  x[200 * kCols + 300] = -std::numeric_limits<float>::infinity();
  const Isa before = isa();
  for (const ScaleRecipe& recipe : scale_recipes()) {
    for (const ScaleType type : recipe.scale_types) {
      for (const char* g : {"tensor", "row", "column", "1x128", "128x128", "128x1", "1x16"}) {
        const auto run = [&](Isa choice, int threads) {
          set_isa(choice);
          return quantize(x, kRows, kCols, recipe, parse_granularity(g), type, E4M3::format,
                          threads);
        };
        const Quantized expected = run(Isa::kBaseline, 1);
        const auto value = read_back(expected, 1);
        for (const Isa choice : supported_isas()) {
          for (const int threads : {1, 2, 3}) {
            CAPTURE(recipe.name, name_of(type), g, isa_name(choice), threads);
            CHECK(same(run(choice, threads), expected));
            const auto back = read_back(expected, threads);
            CHECK(std::memcmp(back.data(), value.data(), back.size() * sizeof(float)) == 0);
          }
        }
      }
    }
  }
  set_isa(before);
}

TEST_CASE("stochastic rounding draws by place, not by thread") {
  const auto x = reference::test_matrix(kRows, kCols, 22);
  for (const char* element : {"e4m3", "bf16"}) {
    ScaleRecipe r = find_scale_recipe("deepgemm");
    r.cast_rules.rounding = Rounding::kStochasticA;
    const FloatFormat f = parse_element_format(element);
    const auto run = [&](int threads, std::uint64_t seed, const char* g) {
      return quantize(x, kRows, kCols, r, parse_granularity(g), ScaleType::kFp32, f, threads, seed);
    };
    CHECK(same(run(1, 5, "1x128"), run(3, 5, "1x128")));
    CHECK_FALSE(same(run(1, 5, "1x128"), run(1, 6, "1x128")));
    // Each draw is that of the element's place.
    const Quantized q = run(2, 5, "row");
    for (std::size_t i = 0; i < x.size(); i += 97) {
      const float inv = 1.0f / q.scales[i / kCols];
      const std::uint64_t want = encode(f, x[i] * inv, r.cast_rules, random_at(5, i) & 0xff);
      std::uint64_t got = q.codes[i];
      if (f.container_bits() == 16) got = q.codes[2 * i] | (q.codes[2 * i + 1] << 8);
      if (got != want) {
        CAPTURE(element, i, got, want);
        REQUIRE(false);
      }
    }
    r.cast_rules.random_bits = 0;
    CHECK_THROWS_AS(run(1, 5, "row"), std::invalid_argument);
  }
}

TEST_CASE("quantising twice changes nothing where scales are powers of two") {
  const auto x = reference::test_matrix(kRows, kCols, 23);
  for (const char* name : {"deepseek-v3", "deepseek-v3.2", "deepgemm", "tilekernels",
                           "transformer-engine", "ocp-mx", "nvidia-mx"}) {
    for (const char* g : {"1x128", "128x128", "1x32", "tensor"}) {
      for (const char* element : {"e4m3", "e2m1", "int8"}) {
        const auto run = [&](const std::vector<float>& data) {
          return read_back(quantize(data, kRows, kCols, find_scale_recipe(name),
                                    parse_granularity(g), ScaleType::kPow2,
                                    parse_element_format(element)));
        };
        const auto once = run(x);
        const auto twice = run(once);
        CAPTURE(name, g, element);
        CHECK(std::memcmp(once.data(), twice.data(), once.size() * sizeof(float)) == 0);
      }
    }
  }
}

TEST_CASE("sources of 16 bits quantise as their fp32 values do") {
  const auto wide = reference::test_matrix(kRows, kCols, 24);
  for (const char* name : {"bf16", "fp16"}) {
    const FloatFormat f = parse_format(name).format;
    std::vector<std::uint16_t> codes(wide.size());
    std::vector<float> x(wide.size());
    for (std::size_t i = 0; i < wide.size(); ++i) {
      codes[i] = static_cast<std::uint16_t>(encode(f, wide[i]));
      x[i] = static_cast<float>(decode(f, codes[i]));
    }
    for (const char* g : {"1x128", "128x128", "tensor", "column", "row"}) {
      CAPTURE(name, g);
      const ScaleRecipe& r = find_scale_recipe("tilekernels");
      const Granularity granularity = parse_granularity(g);
      CHECK(same(
          quantize(f, codes.data(), kRows, kCols, r, granularity, ScaleType::kFp32, E4M3::format),
          quantize(x, kRows, kCols, r, granularity, ScaleType::kFp32, E4M3::format)));
    }
  }
  // TransformerEngine's bound on the inverse is the largest number of the input type.
  const std::uint16_t tiny = 1;  // 2^-133 in BF16: 448 / amax overflows
  const auto q = quantize(Bf16::format, &tiny, 1, 1, find_scale_recipe("transformer-engine"),
                          kPerTensor, ScaleType::kFp32, E4M3::format);
  CHECK(q.scales[0] == 1.0f / std::ldexp(255.0f, 120));
  CHECK(q.codes[0] == encode(E4M3::format, 0x1p-133f * std::ldexp(255.0f, 120)));
}

TEST_CASE("NVFP4 follows its published order, block by block") {
  const auto x = reference::test_matrix(kRows, kCols, 25);
  const auto q = quantize(x, kRows, kCols, find_scale_recipe("nvfp4"), {1, 16}, ScaleType::kE4M3,
                          E2M1::format);
  const auto e4m3 = reference::values_of(E4M3::format), e2m1 = reference::values_of(E2M1::format);
  float tensor_amax = 0;
  for (const float v : x) tensor_amax = std::max(tensor_amax, std::fabs(v));
  const float up = 448.0f * 6.0f / tensor_amax;
  const float down = 1.0f / up;
  CHECK(q.tensor_scale == down);
  const auto back = read_back(q);
  std::size_t wrong = 0;
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t c = 0; c < kCols; c += 16) {
      const std::size_t width = std::min<std::size_t>(16, kCols - c);
      float amax = 0;
      for (std::size_t i = 0; i < width; ++i)
        amax = std::max(amax, std::fabs(x[r * kCols + c + i]));
      const float sixth = up * (1.0f / 6.0f);
      const auto s =
          static_cast<float>(reference::nearest(e4m3, static_cast<double>(amax * sixth)));
      const float factor = std::min(1.0f / (s * down), std::numeric_limits<float>::max());
      wrong += q.scales[r * q.scale_cols + c / 16] != s;
      for (std::size_t i = 0; i < width; ++i) {
        const std::size_t at = r * kCols + c + i;
        const double value = reference::nearest(e2m1, static_cast<double>(x[at] * factor));
        wrong += reference::bits(decode(E2M1::format, q.codes[at])) != reference::bits(value);
        const float whole = static_cast<float>(value) * s;
        wrong += reference::bits(back[at]) != reference::bits(whole * down);
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("formats without -0 take the unsigned zero") {
  const std::vector<float> x{-0.0f, 1.0f, -1e-9f, -1.0f};
  const auto q = quantize(x, 1, 4, find_scale_recipe("transformer-engine"), kPerTensor,
                          ScaleType::kFp32, E4M3Fnuz::format);
  CHECK(q.codes == std::vector<std::uint8_t>{0x00, 0x7f, 0x00, 0xff});
  CHECK(read_back(q) == std::vector<float>{0, 1, 0, -1});
}

TEST_CASE("B15 scale tiles of 128x4: a place for every scale, padding in the others") {
  for (const auto& [rows, cols] :
       {std::pair<std::size_t, std::size_t>{1, 1}, {128, 4}, {300, 11}}) {
    std::vector<std::uint8_t> codes(rows * cols);
    for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::uint8_t>(i % 251);
    auto tiled = tile_scales(codes, rows, cols, 0xff);
    const std::size_t tile_columns = (cols + 3) / 4;
    REQUIRE(tiled.size() == (rows + 127) / 128 * tile_columns * 512);
    CHECK(static_cast<std::size_t>(std::count(tiled.begin(), tiled.end(), 0xff)) ==
          tiled.size() - codes.size());
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < cols; ++c) {
        const std::size_t tile = r / 128 * tile_columns + c / 4;
        const std::size_t place = r % 32 * 16 + r % 128 / 32 * 4 + c % 4;
        if (tiled[tile * 512 + place] != codes[r * cols + c]) {
          CAPTURE(rows, cols, r, c);
          REQUIRE(false);
        }
      }
    }
    CHECK(untile_scales(tiled, rows, cols) == codes);
    // What stands in the padding does not matter.
    const auto other = tile_scales(codes, rows, cols, 0x11);
    CHECK(untile_scales(other, rows, cols) == codes);
    CHECK_THROWS_AS(untile_scales(codes, rows, cols + 4), std::invalid_argument);
  }
}

TEST_CASE("granularities by name") {
  for (const char* name : {"tensor", "row", "column", "1x128", "128x128", "3x7", "*x16", "4x*"}) {
    CHECK(granularity_name(parse_granularity(name)) == name);
  }
  CHECK(parse_granularity("1x128") == Granularity{1, 128});
  CHECK(parse_granularity("1x*") == kPerRow);
  for (const char* name : {"", "x", "1x", "x1", "0x1", "1x0", "-1x2", "1x2x3", "1x 2", "rows"}) {
    CHECK_THROWS_AS(parse_granularity(name), std::invalid_argument);
  }
  const BlockGrid g = block_grid(130, 7, {128, 0});
  CHECK((g.grid_rows == 2 && g.grid_cols == 1 && g.block_rows == 128 && g.block_cols == 7));
}

TEST_CASE("what cannot be quantised is refused with the values") {
  const ScaleRecipe& r = find_scale_recipe("deepgemm");
  const std::vector<float> x(6, 1.0f);
  const auto run = [&](std::size_t rows, std::size_t cols, ScaleType type, FloatFormat element,
                       int threads = 0) {
    return quantize(x, rows, cols, r, kPerRow, type, element, threads);
  };
  CHECK_THROWS_WITH(run(2, 4, ScaleType::kFp32, E4M3::format),
                    ContainsSubstring("6 elements for the shape [2, 4]"));
  CHECK_THROWS_WITH(run(0, 6, ScaleType::kFp32, E4M3::format), ContainsSubstring("[0, 6]"));
  CHECK_THROWS_AS(run(std::size_t{1} << 63, 2, ScaleType::kFp32, E4M3::format),
                  std::invalid_argument);
  CHECK_THROWS_WITH(run(2, 3, ScaleType::kE4M3, E4M3::format),
                    ContainsSubstring("it offers fp32, pow2, ue8m0"));
  CHECK_THROWS_WITH(run(2, 3, ScaleType::kFp32, E8M0::format), ContainsSubstring("e8m0"));
  CHECK_THROWS_AS(run(2, 3, ScaleType::kFp32, kFp32Format), std::invalid_argument);
  CHECK_THROWS_WITH(run(2, 3, ScaleType::kFp32, E4M3::format, -1), ContainsSubstring("-1"));
  const double wide[1] = {1.0};
  CHECK_THROWS_WITH(quantize(kFp64Format, wide, 1, 1, r, kPerRow, ScaleType::kFp32, E4M3::format),
                    ContainsSubstring("fp64"));
  Quantized q = run(2, 3, ScaleType::kFp32, E4M3::format);
  std::vector<float> y(5);
  CHECK_THROWS_AS(dequantize(q, y), std::invalid_argument);
  y.resize(6);
  q.scales.pop_back();
  CHECK_THROWS_WITH(dequantize(q, y), ContainsSubstring("1 scales for the shape [2, 3]"));
}

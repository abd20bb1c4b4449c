// Quantisers on the device against the CPU's, bit for bit: recipes, granularities, scales, shapes.
#include "binade/cuda/block_scale.hpp"

#include "binade/cuda/memory.hpp"
#include "block_scale_cases.hpp"
#include "catch.hpp"

using namespace binade;
using namespace block_scale_cases;

namespace {

struct Case {
  FloatFormat source;
  const ScaleRecipe& recipe;
  std::string granularity;
  ScaleType type;
  FloatFormat element;
};

/// The portable twin, the fast one, and both results of the one with the transpose.
void check_twins(const Matrix& m, const Case& c, std::uint64_t seed = 3) {
  const auto data = as_format(m, c.source);
  const Granularity g = parse_granularity(c.granularity);
  const Quantized want =
      quantize(c.source, data.data(), m.rows, m.cols, c.recipe, g, c.type, c.element, 1, seed);
  const auto flipped = transposed(data, m.rows, m.cols);
  const Quantized want_flipped =
      quantize(c.source, flipped.data(), m.cols, m.rows, c.recipe, g, c.type, c.element, 1, seed);
  const Quantized portable = cuda::quantize_portable(c.source, data.data(), m.rows, m.cols,
                                                     c.recipe, g, c.type, c.element, seed);
  const Quantized fast =
      cuda::quantize(c.source, data.data(), m.rows, m.cols, c.recipe, g, c.type, c.element, seed);
  const auto both = cuda::quantize_with_transpose(c.source, data.data(), m.rows, m.cols, c.recipe,
                                                  g, c.type, c.element, seed);
  const std::string found[] = {differences(portable, want), differences(fast, want),
                               differences(both.first, want),
                               differences(both.second, want_flipped)};
  const char* names[] = {"portable", "fast", "straight", "transposed"};
  for (int i = 0; i < 4; ++i) {
    CAPTURE(names[i], format_name(c.source), c.recipe.name, c.granularity, name_of(c.type),
            element_name(c.element), m.rows, m.cols);
    CHECK(found[i] == "");
  }
}

constexpr const char* kGranularities[] = {"tensor", "row",   "column", "1x128", "128x128",
                                          "1x32",   "128x1", "1x16",   "5x7"};

}  // namespace

TEST_CASE("every recipe, scale type and granularity", "[block_scale]") {
  const Matrix shapes[] = {sample(130, 264, 21, true), sample(3, 133, 22, true),
                           sample(256, 512, 23, true)};
  for (const ScaleRecipe& recipe : scale_recipes()) {
    for (const ScaleType type : recipe.scale_types) {
      for (const char* g : kGranularities) {
        for (const Matrix& m : shapes) {
          check_twins(m, {kFp32Format, recipe, g, type, E4M3::format});
          check_twins(m, {Bf16::format, recipe, g, type, E5M2::format});
        }
      }
    }
  }
}

TEST_CASE("ragged and extreme shapes", "[block_scale]") {
  const std::size_t shapes[][2] = {{1, 1},     {1, 8},     {2, 4},     {1, 136},   {127, 120},
                                   {129, 8},   {300, 392}, {5, 7168},  {2, 33000}, {2, 40000},
                                   {1, 65552}, {1000, 24}, {128, 128}, {255, 2056}};
  for (const auto& [rows, cols] : shapes) {
    for (const bool specials : {false, true}) {
      const Matrix m = sample(rows, cols, rows * 31 + cols, specials);
      for (const char* g : {"tensor", "row", "1x128", "128x128"}) {
        for (const FloatFormat source : {kFp32Format, Bf16::format}) {
          check_twins(m,
                      {source, find_scale_recipe("deepgemm"), g, ScaleType::kFp32, E4M3::format});
          check_twins(
              m, {source, find_scale_recipe("deepseek-v3"), g, ScaleType::kUe8m0, E5M2::format});
        }
      }
    }
  }
}

TEST_CASE("every kernel on small shapes", "[small]") {
  for (const auto& [rows, cols] : {std::pair{16, 136}, {144, 264}, {3, 5}}) {
    const auto r = static_cast<std::size_t>(rows), c = static_cast<std::size_t>(cols);
    for (const bool specials : {false, true}) {
      const Matrix m = sample(r, c, 77, specials);
      for (const char* g : {"tensor", "row", "1x128", "128x128", "1x32"}) {
        check_twins(
            m, {kFp32Format, find_scale_recipe("deepseek-v3"), g, ScaleType::kFp32, E4M3::format});
        check_twins(
            m, {Bf16::format, find_scale_recipe("deepgemm"), g, ScaleType::kUe8m0, E5M2::format});
      }
    }
  }
}

TEST_CASE("other elements and sources", "[block_scale]") {
  const Matrix m = sample(130, 264, 24, true);
  for (const char* element : {"e2m1", "e3m2", "int8", "fp16", "bf16", "e5m6", "binary8p4se"}) {
    for (const char* g : {"1x128", "tensor", "1x32"}) {
      check_twins(m, {kFp32Format, find_scale_recipe("tilekernels"), g, ScaleType::kFp32,
                      parse_element_format(element)});
    }
  }
  for (const FloatFormat source : {Fp16::format, E5M2::format, Tf32::format}) {
    check_twins(m, {source, find_scale_recipe("ocp-mx"), "1x32", ScaleType::kUe8m0, E4M3::format});
  }
}

TEST_CASE("every rounding and every policy", "[block_scale]") {
  const Matrix m = sample(140, 264, 25, true);
  for (const std::string& rounding : rounding_names()) {
    ScaleRecipe r = find_scale_recipe("deepgemm");
    r.cast_rules.rounding = parse_rounding(rounding);
    check_twins(m, {kFp32Format, r, "1x128", ScaleType::kFp32, E4M3::format});
    check_twins(m, {Bf16::format, r, "128x128", ScaleType::kPow2, E5M2::format});
  }
  for (const std::string& zero : block_policy_names()) {
    for (const std::string& nan : block_policy_names()) {
      for (const std::string& infinite : block_policy_names()) {
        for (const char* name : {"deepseek-v3", "transformer-engine", "ocp-mx", "flashmla"}) {
          ScaleRecipe r = find_scale_recipe(name);
          r.zero_block = parse_block_policy(zero);
          r.nan_block = parse_block_policy(nan);
          r.infinite_block = parse_block_policy(infinite);
          check_twins(m, {kFp32Format, r, "1x128", r.scale_types.back(), E4M3::format});
        }
      }
    }
  }
}

TEST_CASE("division by fp32 scales over many mantissas", "[block_scale]") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Matrix m = sample(512, 2048, 100 + seed, false);
    for (const char* g : {"1x128", "128x128", "tensor"}) {
      check_twins(
          m, {kFp32Format, find_scale_recipe("deepseek-v3.2"), g, ScaleType::kFp32, E4M3::format});
      check_twins(
          m, {kFp32Format, find_scale_recipe("deepgemm-cuda"), g, ScaleType::kFp32, E5M2::format});
    }
  }
}

TEST_CASE("division where the shared reciprocal does not serve", "[block_scale]") {
  // Scales whose significand is all ones, and scales below 2^-80.
  Matrix m = sample(128, 512, 27, false);
  for (std::size_t r = 0; r < m.rows; ++r) {
    for (std::size_t c = 0; c < m.cols; ++c) {
      float& x = m.x[r * m.cols + c];
      if (r % 2 == 0) x = c % 128 == 5 ? std::nextafter(896.0f, 0.0f) : std::fmod(x, 800.0f);
    }
  }
  ScaleRecipe r = find_scale_recipe("deepseek-v3");
  r.floor = AmaxFloor::kNone;
  for (const char* g : {"1x128", "128x128", "row", "tensor"}) {
    for (const FloatFormat source : {kFp32Format, Bf16::format}) {
      check_twins(m, {source, r, g, ScaleType::kFp32, E4M3::format});
    }
  }
  const Quantized q = quantize(m.x, m.rows, m.cols, r, {1, 128}, ScaleType::kFp32, E4M3::format, 1);
  CHECK(bit_cast<std::uint32_t>(q.scales[0]) == 0x3fffffffu);
}

namespace {

/// A result in device memory, poisoned, and its way back.
struct OnDevice {
  Quantized like;
  cuda::MatrixLayout layout;
  cuda::DeviceArray codes{like.codes.size()}, scales{like.scales.size() * sizeof(float)},
      scale_codes{std::max<std::size_t>(1, like.scale_codes.size())};

  OnDevice(const Quantized& q, cuda::MatrixLayout l) : like(q), layout(l) {
    for (cuda::DeviceArray* array : {&codes, &scales, &scale_codes}) array->fill(0xa5);
  }
  cuda::QuantizedArrays arrays() {
    auto* const of_scales = like.scale_codes.empty() ? nullptr : scale_codes.as<std::uint8_t>();
    return {codes.data(), scales.as<float>(), of_scales, nullptr, layout};
  }
  std::string differences_from_like() {
    Quantized got = like;
    codes.download(got.codes.data(), got.codes.size());
    scales.download(got.scales.data(), got.scales.size() * sizeof(float));
    if (!got.scale_codes.empty()) {
      scale_codes.download(got.scale_codes.data(), got.scale_codes.size());
    }
    return differences(got, laid_out(like, layout));
  }
};

}  // namespace

TEST_CASE("scales in either layout", "[small]") {
  using enum cuda::MatrixLayout;
  const auto check = [](const Matrix& m, const Case& c) {
    const auto data = as_format(m, c.source);
    const auto flipped = transposed(data, m.rows, m.cols);
    const Granularity g = parse_granularity(c.granularity);
    const Quantized want =
        quantize(c.source, data.data(), m.rows, m.cols, c.recipe, g, c.type, c.element, 1);
    const Quantized want_flipped =
        quantize(c.source, flipped.data(), m.cols, m.rows, c.recipe, g, c.type, c.element, 1);
    const cuda::DeviceArray x(data.data(), data.size());
    cuda::Quantizer quantizer(c.source, m.rows, m.cols, c.recipe, g, c.type, c.element);
    for (const auto& [first, second] : {std::pair{kColumnMajor, kRowMajor},
                                        {kRowMajor, kColumnMajor},
                                        {kColumnMajor, kColumnMajor}}) {
      CAPTURE(m.rows, m.cols, format_name(c.source), c.granularity, name_of(c.type), name_of(first),
              name_of(second));
      OnDevice alone(want, first), straight(want, first), turned(want_flipped, second);
      quantizer.run(x.data(), alone.arrays());
      quantizer.run_with_transpose(x.data(), straight.arrays(), turned.arrays());
      CHECK(alone.differences_from_like() == "");
      CHECK(straight.differences_from_like() == "");
      CHECK(turned.differences_from_like() == "");
    }
  };
  const std::size_t shapes[][2] = {{272, 392}, {144, 264}, {3, 133}};
  for (const auto& [rows, cols] : shapes) {
    const Matrix m = sample(rows, cols, 31, true);
    const ScaleRecipe& r = find_scale_recipe("deepgemm");
    for (const FloatFormat source : {kFp32Format, Bf16::format}) {
      for (const char* g : {"tensor", "row", "1x128", "128x128", "1x32"}) {
        for (const ScaleType type : {ScaleType::kFp32, ScaleType::kUe8m0}) {
          check(m, {source, r, g, type, E4M3::format});
        }
      }
    }
    check(m, {kFp32Format, find_scale_recipe("nvfp4"), "1x16", ScaleType::kE4M3,
              parse_element_format("e2m1")});
  }
}

TEST_CASE("arrays that do not start at a multiple of 16 bytes", "[small]") {
  const Matrix m = sample(64, 256, 26, false);
  const ScaleRecipe& r = find_scale_recipe("deepgemm");
  const Quantized want =
      quantize(m.x, m.rows, m.cols, r, {1, 128}, ScaleType::kFp32, E4M3::format, 1);
  std::vector<float> shifted(m.x.size() + 1);
  std::copy(m.x.begin(), m.x.end(), shifted.begin() + 1);
  const cuda::DeviceArray x(std::span<const float>{shifted});
  cuda::DeviceArray codes(m.x.size() + 1), scales(want.scales.size() * sizeof(float));
  cuda::Quantizer quantizer(kFp32Format, m.rows, m.cols, r, {1, 128}, ScaleType::kFp32,
                            E4M3::format);
  CHECK(std::string(quantizer.kernel()) == "one pass");
  quantizer.run(x.as<float>() + 1, {codes.as<std::uint8_t>() + 1, scales.as<float>()});
  std::vector<std::uint8_t> got(codes.size());
  codes.download(got.data(), got.size());
  got.erase(got.begin());
  CHECK(got == want.codes);
}

TEST_CASE("what the CPU refuses the device refuses", "[block_scale]") {
  const float x[4] = {1, 2, 3, 4};
  const auto run = [&](std::size_t rows, const char* recipe, ScaleType type, FloatFormat element) {
    cuda::quantize(kFp32Format, x, rows, 2, find_scale_recipe(recipe), {1, 128}, type, element);
  };
  CHECK_THROWS_WITH(run(0, "deepgemm", ScaleType::kFp32, E4M3::format),
                    ContainsSubstring("no elements"));
  CHECK_THROWS_WITH(run(2, "flashmla", ScaleType::kFp32, E4M3::format),
                    ContainsSubstring("has no fp32 scales"));
  CHECK_THROWS_WITH(run(2, "deepgemm", ScaleType::kFp32, E8M0::format),
                    ContainsSubstring("must have a zero"));
}

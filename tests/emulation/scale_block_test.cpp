// quantize and dequantize against plain loops, at every granularity and ragged shape.
#include <cstring>
#include <limits>

#include "binade/emulation/block_scale.hpp"
#include "catch.hpp"
#include "scale_reference.hpp"

using namespace binade;

namespace {

struct Shape {
  std::size_t rows, cols;
};

/// The values of the codes, in fp64, sign of zero included.
std::vector<double> values_of(const Quantized& q) {
  std::vector<double> values(q.rows * q.cols);
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint64_t code = q.codes[i];
    if (q.element.container_bits() == 16) code = q.codes[2 * i] | (q.codes[2 * i + 1] << 8);
    values[i] = decode(q.element, code);
  }
  return values;
}

template <class Number>
std::size_t first_difference(const std::vector<Number>& a, const std::vector<Number>& b) {
  if (a.size() != b.size()) return 0;
  std::size_t i = 0;
  while (i < a.size() && reference::bits(a[i]) == reference::bits(b[i])) ++i;
  return i;
}

void require_reference(const float* x, Shape shape, const std::string& recipe, Granularity g,
                       ScaleType type, FloatFormat element) {
  const Quantized q = quantize(std::span(x, shape.rows * shape.cols), shape.rows, shape.cols,
                               find_scale_recipe(recipe), g, type, element);
  const auto want =
      reference::quantize(x, shape.rows, shape.cols, recipe, g.rows == 0 ? shape.rows : g.rows,
                          g.cols == 0 ? shape.cols : g.cols, type != ScaleType::kFp32, element);
  CAPTURE(recipe, shape.rows, shape.cols, granularity_name(g), name_of(type),
          element_name(element));
  REQUIRE(q.scales.size() == want.scales.size());
  const std::size_t s = first_difference(q.scales, want.scales);
  if (s != q.scales.size()) {
    CAPTURE(s, q.scales[s], want.scales[s]);
    REQUIRE(false);
  }
  const auto got = values_of(q);
  const std::size_t v = first_difference(got, want.values);
  if (v != got.size()) {
    CAPTURE(v, x[v], got[v], want.values[v]);
    REQUIRE(false);
  }
}

constexpr Shape kShapes[] = {{1, 1}, {3, 5}, {7, 130}, {130, 7}, {129, 257}, {3, 2200}, {300, 150}};
constexpr const char* kGranularities[] = {"tensor", "row",  "column", "1x128", "128x128",
                                          "128x1",  "1x32", "1x16",   "3x7",   "16x16",
                                          "200x1",  "1x1",  "*x13",   "131x*"};

}  // namespace

TEST_CASE("B10 ragged shapes equal a per-element reference at every granularity") {
  for (const Shape shape : kShapes) {
    // Poison on both sides of the matrix: a read outside turns an amax into NaN.
    const auto inner = reference::test_matrix(shape.rows, shape.cols, 11);
    const float poison = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> padded(inner.size() + 8192, poison);
    std::copy(inner.begin(), inner.end(), padded.begin() + 4096);
    for (const char* g : kGranularities) {
      require_reference(padded.data() + 4096, shape, "deepgemm", parse_granularity(g),
                        ScaleType::kFp32, E4M3::format);
      require_reference(padded.data() + 4096, shape, "ocp-mx", parse_granularity(g),
                        ScaleType::kUe8m0, E2M1::format);
    }
  }
}

TEST_CASE("every recipe equals its published formula") {
  const Shape shape{70, 300};
  const auto x = reference::test_matrix(shape.rows, shape.cols, 5);
  for (const ScaleRecipe& recipe : scale_recipes()) {
    if (recipe.name == "nvfp4") continue;  // has a second level, and a test of its own
    for (const ScaleType type : recipe.scale_types) {
      for (const char* g : {"tensor", "1x128", "128x128", "1x32", "128x1"}) {
        require_reference(x.data(), shape, recipe.name, parse_granularity(g), type, E4M3::format);
      }
    }
  }
}

TEST_CASE("every element format equals the reference") {
  const Shape shape{40, 200};
  const auto x = reference::test_matrix(shape.rows, shape.cols, 6);
  for (const char* name : {"e4m3", "e5m2", "e3m4", "e5m6", "e3m2", "e2m3", "e2m1", "bf16", "fp16",
                           "int8", "mxint8", "e4m3ieee", "e4m3fnuz", "e5m2fnuz", "binary8p4se"}) {
    const FloatFormat element = parse_element_format(name);
    require_reference(x.data(), shape, "tilekernels", {1, 128}, ScaleType::kFp32, element);
    require_reference(x.data(), shape, "nvidia-mx", {1, 32}, ScaleType::kUe8m0, element);
    require_reference(x.data(), shape, "ocp-mx", {1, 32}, ScaleType::kUe8m0, element);
  }
}

TEST_CASE("a NaN under a NaN scale keeps its own sign on every instruction set") {
  // Two NaN meet in the product; which one a processor hands on is its own choice.
  std::vector<float> x(3 * 256, 1.0f);
  x[5] = std::numeric_limits<float>::infinity();
  x[300] = -std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < x.size(); i += 7) {
    x[i] = bit_cast<float>(i % 2 == 0 ? 0xffc00000u : 0x7fc00000u);
  }
  const Isa before = isa();
  for (const char* name : {"deepgemm", "deepgemm-cuda", "deepseek-v3"}) {
    for (const Granularity granularity : {Granularity{1, 128}, Granularity{128, 1}, kPerTensor}) {
      std::vector<std::uint8_t> first;
      for (const Isa choice : supported_isas()) {
        set_isa(choice);
        const Quantized q = quantize(x, 3, 256, find_scale_recipe(name), granularity,
                                     ScaleType::kFp32, E4M3::format, 1);
        INFO(name << " " << granularity_name(granularity) << " " << isa_name(choice));
        if (first.empty()) first = q.codes;
        CHECK(q.codes == first);
        if (find_scale_recipe(name).cast_rules.nan == NanRule::kKeepSign) {
          CHECK(q.codes[0] == 0xff);
          CHECK(q.codes[7] == 0x7f);
        }
      }
    }
  }
  set_isa(before);
}

// The split of an error by cause adds up, and each part measures what its name says.
#include <random>

#include "binade/emulation/metrics.hpp"
#include "binade/formats/catalog.hpp"
#include "catch.hpp"

using namespace binade;

namespace {

struct Inputs {
  std::size_t m, n, k;
  std::vector<float> a, b;
};

Inputs normal_inputs(std::size_t m, std::size_t n, std::size_t k, unsigned seed, float mean = 0) {
  std::mt19937 g(seed);
  std::normal_distribution<float> normal(mean, 1.0f);
  Inputs x{m, n, k, std::vector<float>(m * k), std::vector<float>(n * k)};
  for (float& v : x.a) v = normal(g);
  for (float& v : x.b) v = normal(g);
  return x;
}

ErrorSplit split(const Inputs& x, const GemmProfile& profile, FloatFormat element,
                 FloatFormat output, const GemmOptions& options = {},
                 const char* recipe = "deepgemm", ScaleType type = ScaleType::kFp32) {
  return split_error(x.a, x.b, x.m, x.n, x.k, find_scale_recipe(recipe), type, profile, element,
                     output, options);
}

double part(const ErrorSplit& s, const std::string& cause) {
  for (const auto& p : s.parts) {
    if (p.cause == cause) return p.fro_rel;
  }
  FAIL("no cause " << cause);
  return 0;
}

void check_sum(const ErrorSplit& s) {
  double bias = 0, bound = 0;
  for (const auto& p : s.parts) {
    bias += p.bias;
    bound += p.fro_rel;
  }
  CHECK(bias == Approx(s.total_bias).margin(1e-13));  // sums of differences telescope
  CHECK(s.total_fro_rel <= bound * (1 + 1e-12));      // the triangle
}

}  // namespace

TEST_CASE("the parts of an error add up for every profile") {
  const Inputs x = normal_inputs(9, 21, 300, 60, 0.5f);
  for (const GemmProfile& p : gemm_profiles()) {
    CAPTURE(p.name);
    const ErrorSplit s = split(x, p, E4M3::format, Bf16::format);
    REQUIRE(s.parts.size() == 6);
    check_sum(s);
    CHECK(part(s, "cast") > 0.005);
    CHECK(part(s, "cast") < 0.06);
    CHECK(part(s, "output") > 1e-4);
    CHECK(part(s, "output") < 4e-3);
    const bool instruction = p.chain == ChainKind::kInstruction;
    CHECK((part(s, "alignment") > 0) == instruction);
    CHECK((part(s, "accumulation") > 0) == (p.chain != ChainKind::kExact));
    CHECK(part(s, "promotion") > 0);  // "exact": one rounding to fp32
  }
}

TEST_CASE("powers of two as scales and inputs on the grid leave nothing to scaling and casting") {
  Inputs x = normal_inputs(7, 9, 256, 61);
  for (auto* v : {&x.a, &x.b}) {
    for (float& value : *v) value = static_cast<float>(static_cast<int>(value * 4));
  }
  const ErrorSplit s = split(x, find_gemm_profile("deepgemm"), E4M3::format, kFp32Format, {},
                             "deepgemm", ScaleType::kUe8m0);
  CHECK(part(s, "scale") == 0);
  CHECK(part(s, "cast") == 0);
  CHECK(part(s, "output") == 0);  // fp32 is what promotion gives already
  check_sum(s);
}

TEST_CASE("promotion interval and model move the parts that they should") {
  const Inputs x = normal_inputs(8, 24, 2048, 62, 0.25f);
  const GemmProfile& p = find_gemm_profile("cublaslt");
  const auto with_interval = [&](int interval) {
    GemmOptions options;
    options.promotion_interval = interval;
    return split(x, p, E4M3::format, kFp32Format, options);
  };
  const ErrorSplit none = with_interval(0), some = with_interval(128), most = with_interval(32);
  // The sum so far is a term too: the longer the chain, the more its alignment costs.
  CHECK(part(none, "alignment") > 5 * part(some, "alignment"));
  CHECK(part(some, "alignment") > 2 * part(most, "alignment"));
  CHECK(part(none, "promotion") < part(some, "promotion"));
  CHECK(part(none, "cast") == part(some, "cast"));
  for (const ErrorSplit* s : {&none, &some, &most}) check_sum(*s);

  // Wider alignment: that part falls by 2^-4 for four more bits, to about a tenth at least.
  Instruction wide = find_instruction("hopper.wgmma.f32.e4m3.e4m3");
  wide.model.alignment_fraction_bits += 4;
  GemmOptions options;
  options.instruction = &wide;
  const ErrorSplit wider = split(x, p, E4M3::format, kFp32Format, options);
  CHECK(part(wider, "alignment") < 0.12 * part(some, "alignment"));
  // And a result as wide as the sums leaves accumulation nothing.
  wide.model.result = kFp32Format;
  const ErrorSplit exact_result = split(x, p, E4M3::format, kFp32Format, options);
  CHECK(part(exact_result, "accumulation") < 1e-7);
}

TEST_CASE("what the split refuses") {
  const Inputs x = normal_inputs(4, 4, 64, 63);
  Inputs short_a = x;
  short_a.a.pop_back();
  const GemmProfile& p = find_gemm_profile("cublaslt");
  REQUIRE_THROWS_WITH(split(short_a, p, E4M3::format, kFp32Format), ContainsSubstring("255"));
  REQUIRE_THROWS_WITH(split(x, p, E2M1::format, kFp32Format, {}, "nvfp4", ScaleType::kE4M3),
                      ContainsSubstring("E4M3 block scales"));
  GemmOptions options;
  options.instruction = &find_instruction("reference.wide.e4m3.e4m3");
  REQUIRE_THROWS_WITH(split(x, p, E4M3::format, kFp32Format, options), ContainsSubstring("F = 48"));
}

// Whatever the model, the tiled GEMM gives the bits of the scalar core: random cards over all
// parameters, pairs of formats that fit no lane of floating point among them, every stratum, ragged
// shapes, every ISA and thread count.
#include <cstring>

#include "binade/emulation/gemm.hpp"
#include "binade/emulation/instructions.hpp"
#include "catch.hpp"
#include "random_card.hpp"

using namespace binade;
using namespace reference;

namespace {

void check(const Instruction& i, const Matrix& a, const Matrix& b) {
  const GemmProfile& p = find_gemm_profile("cublaslt-fast");
  const std::vector<float> want = reference::outputs(p, i, 0, a, b);
  std::vector<float> got(want.size());
  GemmOptions options;
  options.instruction = &i;
  const Isa before = isa();
  for (const Isa choice : supported_isas()) {
    set_isa(choice);
    for (const int threads : {1, 3}) {
      options.threads = threads;
      gemm(p, a.operand(), b.operand(), a.k, kFp32Format, got.data(), options);
      for (std::size_t at = 0; at < want.size(); ++at) {
        CAPTURE(describe(i), isa_name(choice), threads, a.rows, b.rows, a.k, at, want[at], got[at]);
        REQUIRE(output_code(kFp32Format, got[at]) == output_code(kFp32Format, want[at]));
      }
    }
  }
  set_isa(before);
}

const char* const kNames[] = {"e4m3", "e5m2",  "e4m3fnuz", "e3m2",   "e2m1", "e8m0",
                              "fp16", "bf16",  "tf32",     "fp32",   "e8m3", "e9m4",
                              "e6m9", "e11m4", "e10m20",   "e11m23", "e1m7"};

}  // namespace

TEST_CASE("a GEMM under random cards equals the scalar core") {
  std::mt19937_64 g(80);
  constexpr std::size_t kCount = std::size(kNames);
  for (int card = 0; card < 4000; ++card) {
    const FloatFormat fa = parse_format(kNames[g() % kCount]).format;
    const FloatFormat fb = g() % 2 == 0 ? fa : parse_format(kNames[g() % kCount]).format;
    const Instruction i = random_card(fa, fb, g);
    const std::size_t m = 1 + g() % 5, n = 1 + g() % (card % 8 == 0 ? 70 : 20);
    const std::size_t k = 1 + g() % (card % 16 == 0 ? 300 : 90);
    check(i, random_matrix(fa, m, k, kStrata[g() % 5], g),
          random_matrix(fb, n, k, kStrata[g() % 5], g));
  }
}

TEST_CASE("bits below fp64's of a wide sum still break ties") {
  // 30 * 3.0625 * 2^30 takes 55 bits of F = 48; 2^12 makes it a tie of fp32, 2^-18 breaks it.
  const Instruction& wide = find_instruction("reference.wide.e5m2.e5m2");
  std::mt19937_64 g(81);
  Matrix a = random_matrix(wide.a, 6, 32, Stratum::kNormal, g);
  Matrix b = random_matrix(wide.b, 1, 32, Stratum::kNormal, g);
  const auto code = [&](double x) { return static_cast<std::uint8_t>(encode(wide.a, x)); };
  for (std::size_t k = 0; k < 32; ++k) {
    const double x = k < 30 ? 57344 : k == 30 ? 64 : 0x1p-9;
    b.bytes[k] = code(x);
    for (std::size_t r = 0; r < 6; ++r) {
      const double sign = r < 3 ? 1 : -1, dust = static_cast<double>(r % 3) - 1;
      a.bytes[r * 32 + k] = code(k < 31 ? sign * x : dust * x);
    }
  }
  check(wide, a, b);
  const std::vector<float> d =
      reference::outputs(find_gemm_profile("cublaslt-fast"), wide, 0, a, b);
  const float even = 91.875f * 0x1p30f, odd = even + 0x1p13f;
  CHECK(d == std::vector<float>{even, even, odd, -odd, -even, -even});
}

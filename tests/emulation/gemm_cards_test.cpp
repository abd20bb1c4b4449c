// Whatever the model, the tiled GEMM gives the bits of the scalar core: random cards over all
// parameters, pairs of formats that fit no lane of floating point among them, every stratum, ragged
// shapes, every ISA and thread count.
#include <cstring>

#include "binade/emulation/gemm.hpp"
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

// What gemm refuses, what profiles there are, and the granularity of scales by their shape.
#include <limits>

#include "binade/emulation/gemm.hpp"
#include "catch.hpp"
#include "gemm_reference.hpp"

using namespace binade;
using namespace reference;

namespace {

const std::vector<std::uint8_t> kCodes(300 * 300, 0x38);

GemmOperand ones(std::size_t rows, std::span<const float> scales = {}, std::size_t scale_rows = 0,
                 std::size_t scale_cols = 0, FloatFormat format = E4M3::format) {
  return {format, kCodes.data(), rows, scales, scale_rows, scale_cols};
}

void refused(const char* profile, const GemmOperand& a, const GemmOperand& b, std::size_t k,
             const std::string& message, const GemmOptions& options = {}) {
  std::vector<float> d(300 * 300);
  CAPTURE(profile, message);
  REQUIRE_THROWS_WITH(gemm(find_gemm_profile(profile), a, b, k, kFp32Format, d.data(), options),
                      ContainsSubstring(message));
  REQUIRE_THROWS_AS(gemm(find_gemm_profile(profile), a, b, k, kFp32Format, d.data(), options),
                    std::invalid_argument);
}

GemmOptions interval(int n) {
  GemmOptions options;
  options.promotion_interval = n;
  return options;
}

}  // namespace

TEST_CASE("scales of the wrong shape, negative or NaN are refused") {
  const std::vector<float> one(1, 1.0f), three(3, 1.0f), six(6, 1.0f);
  const std::vector<float> nan(1, std::numeric_limits<float>::quiet_NaN()), minus(1, -0.5f);
  refused("cublaslt", ones(2, three, 1, 3), ones(2), 300, "[1, 3]");
  refused("cublaslt", ones(2, three, 1, 1), ones(2), 300, "3 scales for the stated shape [1, 1]");
  refused("cublaslt", ones(2, nan, 1, 1), ones(2), 300, "neither zero nor positive");
  refused("cublaslt", ones(2), ones(2, minus, 1, 1), 300, "-0.5");
  refused("torch-rowwise", ones(2, one, 1, 1), ones(2), 300, "row over [2, 300] has [2, 1]");
  refused("deepgemm", ones(2, three, 3, 1), ones(2), 300, "1x128 over [2, 300] has [2, 3]");
  refused("deepgemm", ones(2), ones(2, six, 2, 3), 300, "128x128 over [2, 300] has [1, 3]");
  refused("cutlass", ones(4, three, 3, 1), ones(2), 300, "none of tensor, row, column");
}

TEST_CASE("intervals that do not fit are refused") {
  const std::vector<float> six(6, 1.0f), three(3, 1.0f);
  refused("cublaslt", ones(2), ones(2), 300, "interval 48 is no multiple of the 32", interval(48));
  refused("cublaslt", ones(2), ones(2), 300, "interval -32", interval(-32));
  refused("deepgemm", ones(2, six, 2, 3), ones(2, three, 1, 3), 300, "interval 256", interval(256));
  refused("deepgemm", ones(2, six, 2, 3), ones(2, three, 1, 3), 300, "interval 0", interval(0));
  refused("deepgemm", ones(2, six, 2, 3), ones(2, three, 1, 3), 300, "interval 96", interval(96));
  GemmProfile epilogue = find_gemm_profile("cublaslt");
  epilogue.scale_a = {1, 128};
  std::vector<float> d(4);
  REQUIRE_THROWS_WITH(gemm(epilogue, ones(2, six, 2, 3), ones(2), 300, kFp32Format, d.data(), {}),
                      ContainsSubstring("vary along K"));
}

TEST_CASE("empty operands and types without an instruction are refused") {
  refused("cublaslt", ones(0), ones(2), 300, "operand A is empty");
  refused("cublaslt", ones(2), ones(2), 0, "operand A is empty");
  GemmOperand none = ones(2);
  none.codes = nullptr;
  refused("exact", ones(2), none, 300, "operand B is empty");
  refused("cublaslt", ones(2, {}, 0, 0, E2M1::format), ones(2), 300, "hopper.wgmma.f32");
  GemmOptions card;
  card.instruction = &find_instruction("hopper.wgmma.f32.e5m2.e5m2");
  refused("cublaslt", ones(2), ones(2), 300, "takes e5m2 and e5m2", card);
  refused("fp32-sequential", ones(1, {}, 0, 0, kFp64Format), ones(1), 8, "fit in fp32");
  GemmOptions threads;
  threads.threads = -1;
  refused("cublaslt", ones(2), ones(2), 300, "threads is -1", threads);
  std::vector<double> d(3);
  REQUIRE_THROWS_WITH(exact_gemm(ones(2), ones(2), 300, d), ContainsSubstring("3 outputs"));
}

TEST_CASE("profiles are found by name, and an unknown one names its neighbours") {
  REQUIRE(gemm_profiles().size() == 12);
  for (const GemmProfile& p : gemm_profiles()) CHECK(&find_gemm_profile(p.name) == &p);
  REQUIRE_THROWS_WITH(find_gemm_profile("cublast"), ContainsSubstring("cublaslt"));
}

TEST_CASE("the granularity of scales follows from their shape") {
  CHECK(infer_granularity(256, 512, 1, 1) == kPerTensor);
  CHECK(infer_granularity(256, 512, 256, 1) == kPerRow);
  CHECK(infer_granularity(256, 512, 1, 512) == kPerColumn);
  CHECK(infer_granularity(256, 512, 256, 4) == Granularity{1, 128});
  CHECK(infer_granularity(256, 500, 256, 4) == Granularity{1, 128});
  CHECK(infer_granularity(256, 512, 2, 4) == Granularity{128, 128});
  CHECK(infer_granularity(257, 512, 3, 512) == Granularity{128, 1});
  CHECK(infer_granularity(256, 512, 256, 16) == Granularity{1, 32});
  CHECK(infer_granularity(256, 512, 256, 32) == Granularity{1, 16});
  REQUIRE_THROWS_WITH(infer_granularity(256, 512, 256, 5), ContainsSubstring("[256, 5]"));
}

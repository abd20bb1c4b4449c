// X5: five published rules are one; rounding down is another; a logarithm in FP32 is not exact.
#include "catch.hpp"
#include "table.hpp"

using namespace binade::experiments;

namespace {

Result compared(const std::string& amax, const std::string& rules,
                const std::string& stride = "1") {
  return run_with("power_of_two_scales", {{"amax", amax}, {"rules", rules}, {"stride", stride}});
}

}  // namespace

TEST_CASE("X5: five rules give one scale for every BF16 and FP16 amax and over FP32 mantissas") {
  const Result r = compared("bf16,fp16,2^0,2^12",
                            "deepseek-v3,deepseek-v3.2,tilekernels,transformer-engine", "13");
  CHECK(r.table.rows.size() == 16);
  for (std::size_t row = 0; row < r.table.rows.size(); ++row) {
    INFO(r.text(row, "amax") << " " << r.text(row, "rule"));
    CHECK(r.number(row, "differing") == 0);
    CHECK(r.number(row, "compared") > 14000);
  }
}

TEST_CASE("X5: OCP's rule rounds the scale down where amax's mantissa exceeds that of 448") {
  const Result r = compared("bf16,2^0,2^12", "ocp-mx");
  CHECK(r.number(0, "compared") == 14456);
  CHECK(r.number(0, "smaller") == 3503);
  CHECK(r.number(0, "differing") == Approx(0.242).margin(0.0005));
  for (std::size_t row : {1, 2}) {
    CHECK(r.number(row, "compared") == 8388608);
    CHECK(r.number(row, "smaller") == 2097151);
    CHECK(r.number(row, "larger") == 0);
  }
}

TEST_CASE("X5: a logarithm in FP32 is wrong next to powers of two, and too small there") {
  const Result r = compared("2^0,2^12,2^20", "float-log2");
  for (std::size_t row = 0; row < 3; ++row) {
    CHECK(r.number(row, "smaller") <= 9);
    CHECK(r.number(row, "larger") == 0);
  }
}

TEST_CASE("X5: FlashMLA's clamp makes scales of small tokens larger, never smaller") {
  const Result r = compared("bf16", "flashmla");
  CHECK(r.number(0, "larger") > 0);
  CHECK(r.number(0, "smaller") == 0);
  CHECK_THROWS_WITH(compared("2^300", "ocp-mx"), ContainsSubstring("amax: found '2^300'"));
  CHECK_THROWS_WITH(compared("e4m3", "ocp-mx"), ContainsSubstring("amax: found 'e4m3'"));
}

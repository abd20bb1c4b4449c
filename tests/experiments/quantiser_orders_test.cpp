// X6: how often quantisers of one definition disagree.
#include "catch.hpp"
#include "table.hpp"

using namespace binade::experiments;

TEST_CASE("X6: codes differ as often as published under FP32 scales, never under powers of two") {
  const Result r = run_with("quantiser_orders", {{"rows", "60000"}});
  std::map<std::string, double> codes, scales;
  for (std::size_t row = 0; row < r.table.rows.size(); ++row) {
    const std::string pair = r.text(row, "first") + " " + r.text(row, "second");
    if (r.text(row, "scale_type") == "pow2") {
      INFO(pair);
      CHECK(r.number(row, "codes") == 0);
      CHECK(r.number(row, "scales_differing") == 0);
      continue;
    }
    codes[pair] = r.number(row, "codes_differing");
    scales[pair] = r.number(row, "scales_differing");
  }
  // 7.7 million elements: from 1400 to 12 600 codes differ, two standard deviations are 5 %.
  CHECK(codes.at("deepgemm deepseek-v3") == Approx(4.9e-4).epsilon(0.08));
  CHECK(codes.at("deepgemm tilekernels") == Approx(1.8e-4).epsilon(0.12));
  CHECK(codes.at("deepgemm transformer-engine") == codes.at("deepgemm tilekernels"));
  CHECK(codes.at("deepseek-v3 tilekernels") == Approx(3.1e-4).epsilon(0.08));
  CHECK(codes.at("deepseek-v3 deepseek-v3.2") == Approx(1.16e-3).epsilon(0.05));
  CHECK(codes.at("deepgemm deepgemm-cuda") == Approx(1.64e-3).epsilon(0.05));
  CHECK(scales.at("deepgemm deepgemm-cuda") == Approx(0.59).margin(0.01));
  CHECK(scales.at("deepgemm deepseek-v3") == 0);
}

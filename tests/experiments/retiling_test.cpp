// X15: the second quantisation costs as much as the first, or nothing.
#include <cmath>

#include "catch.hpp"
#include "table.hpp"

using namespace binade::experiments;

TEST_CASE("X15: FP32 scales add an error of the same size, powers of two add none") {
  const Result r = run_with("retiling", {{"row_spread", "0"}});
  CHECK(r.text(0, "scale_type") == "fp32");
  CHECK(r.number(0, "first") == Approx(0.02572).epsilon(0.002));
  CHECK(r.number(0, "both") == Approx(0.03634).epsilon(0.003));
  CHECK(r.number(0, "both") / r.number(0, "first") == Approx(std::sqrt(2.0)).epsilon(0.003));
  CHECK(r.number(0, "changed") == Approx(0.992).margin(0.001));
  CHECK(r.number(1, "first") == Approx(0.02654).epsilon(0.002));
  CHECK(r.number(1, "both") == Approx(r.number(1, "first")).epsilon(1e-6));
  CHECK(r.number(1, "second") < 1e-6);  // what falls below the other tile's subnormals
  CHECK(r.number(1, "changed") < 2e-5);
}

TEST_CASE("X15: with rows of very different size the changes are many and tiny") {
  const Result r = run_with("retiling", {{"row_spread", "2"}});
  CHECK(r.number(0, "first") == Approx(0.0257).epsilon(0.01));
  CHECK(r.number(0, "both") > 1.05 * r.number(0, "first"));
  CHECK(r.number(1, "both") == Approx(r.number(1, "first")).epsilon(1e-5));
  CHECK(r.number(1, "second") < 2e-5);
  CHECK(r.number(1, "changed") > 0.005);
  CHECK(r.number(1, "changed") < 0.06);
}

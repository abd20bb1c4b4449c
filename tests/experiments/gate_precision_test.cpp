// X19: how sensitive the choice of experts is.
//
// 2048 tokens, of which a share p changes: the share scatters by sqrt(p (1 - p) / 2048), 0.4 % at 3
// % and 1 % at 30 %. The expected figures come from another draw of the same size; the margins are
// three times the scatter of the difference of the two.
#include "catch.hpp"
#include "table.hpp"

using namespace binade::experiments;

TEST_CASE("X19: FP32 changes nothing, BF16 logits 2.3 %, FP8 tokens 22 %, FP8 weights too 33 %") {
  const Result r = run_with("gate_precision", {});
  REQUIRE(r.table.rows.size() == 4);
  CHECK(r.text(0, "precision") == "fp32");
  CHECK(r.number(0, "changed_tokens") == 0);
  CHECK(r.number(0, "logit_error") > 0);
  CHECK(r.number(1, "changed_tokens") == Approx(0.023).margin(0.015));
  CHECK(r.number(2, "changed_tokens") == Approx(0.22).margin(0.04));
  CHECK(r.number(3, "changed_tokens") == Approx(0.33).margin(0.045));
  CHECK(r.number(3, "changed_experts") == Approx(0.41).margin(0.06));
  // One rounding of E4M3, and two that are independent.
  CHECK(r.number(2, "logit_error") == Approx(0.0257).epsilon(0.02));
  CHECK(r.number(3, "logit_error") == Approx(0.0257 * 1.414).epsilon(0.03));
}

TEST_CASE("X19: a bias moves the choice, not its sensitivity") {
  const Result r =
      run_with("gate_precision", {{"bias_spread", "0.05"}, {"precisions", "fp32,fp8-both"}});
  CHECK(r.number(0, "changed_tokens") == 0);
  CHECK(r.number(1, "changed_tokens") > 0.2);
  CHECK(r.number(1, "changed_tokens") < 0.45);
}

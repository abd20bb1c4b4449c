// X23: updates that rounding to nearest loses and stochastic rounding keeps on average.
#include <cmath>

#include "catch.hpp"
#include "table.hpp"

using namespace binade::experiments;

namespace {

Result updates(const std::string& formats, const std::string& rounding) {
  return run_with("lost_updates", {{"formats", formats}, {"roundings", rounding}});
}

}  // namespace

TEST_CASE("X23: rounding to nearest leaves most weights where they were") {
  const Result r = updates("bf16,e4m3,e5m2,fp32", "nearest_even");
  const double published[] = {0, 0.745, 0.482, 0.982, 0.721, 0.991};
  for (std::size_t row = 0; row < 6; ++row) {
    INFO(r.text(row, "format") << " " << r.number(row, "learning_rate"));
    CHECK(r.number(row, "unchanged") == Approx(published[row]).margin(0.02));
  }
  CHECK(r.number(6, "unchanged") == 0);
  CHECK(r.number(7, "mean_step") == Approx(1).epsilon(1e-4));
  // What is lost is lost for good: the mean step shrinks with it.
  CHECK(r.number(3, "mean_step") < 0.03);
}

TEST_CASE("X23: stochastic rounding keeps the mean step, within four standard errors") {
  const Result r = updates("bf16,e4m3,e5m2", "stochastic_a");
  for (std::size_t row = 0; row < r.table.rows.size(); ++row) {
    INFO(r.text(row, "format") << " " << r.number(row, "learning_rate"));
    const double error = r.number(row, "rms_step") / std::sqrt(1e6);
    CHECK(r.number(row, "mean_step") == Approx(1).margin(4 * error + 1e-4));
  }
}

TEST_CASE("a learning rate must be positive") {
  CHECK_THROWS_WITH(run_with("lost_updates", {{"learning_rates", "0"}}),
                    ContainsSubstring("learning_rates"));
}

// X21: delayed scales under growth and after a shrink.
//
// The published shares come from one draw of unknown size: how many elements outgrow a scale
// depends on the largest of the step before. They are compared to a quarter or, where they are a
// few elements, by their order; what follows from the scale itself is compared sharply.
#include <cmath>

#include "catch.hpp"
#include "table.hpp"

using namespace binade::experiments;

namespace {

Result drift(const std::string& recipes, const std::string& growth, const std::string& shrink) {
  return run_with("scaling_drift", {{"recipes", recipes},
                                    {"growth", growth},
                                    {"shrink", shrink},
                                    {"steps", "8"},
                                    {"warm_up", "96"}});
}

}  // namespace

TEST_CASE("X21: a tensor that grows leaves a scale from its past behind") {
  const Result r = drift("delayed-1024", "1,1.01,1.1,1.5,2", "4");
  struct Row {
    double clipped, rel_rms;
  };
  const Row published[] = {
      {0, 0.0265}, {4.0e-6, 0.0265}, {7.6e-5, 0.0266}, {3.4e-3, 0.0348}, {2.6e-2, 0.080}};
  for (std::size_t row = 0; row < 5; ++row) {
    INFO(row);
    CHECK(r.number(row, "rel_rms") == Approx(published[row].rel_rms).epsilon(0.1));
    CHECK(r.number(row, "clipped") <= 2.5 * published[row].clipped + 1e-6);
    CHECK(r.number(row, "clipped") >= 0.3 * published[row].clipped);
  }
  CHECK(r.number(3, "clipped") == Approx(3.4e-3).epsilon(0.25));
  CHECK(r.number(4, "clipped") == Approx(2.6e-2).epsilon(0.25));
}

TEST_CASE("X21: after a shrink the stale scale flushes what falls below its subnormals") {
  const Result r = drift("delayed-1024", "1", "4,8,12,16");
  const double published[] = {0.00013, 0.0022, 0.034, 0.53};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t row = i + 1;
    // |z| * size / scale <= 2^-10 is zero.
    const double limit = r.number(row, "scale") * 0x1p-10 / r.number(row, "rate");
    const double share = std::erf(limit / std::sqrt(2.0));
    INFO(limit);
    CHECK(r.number(row, "underflow") == Approx(share).margin(4 * std::sqrt(share / 80000)));
    CHECK(r.number(row, "underflow") == Approx(published[i]).epsilon(0.3).margin(2e-4));
    CHECK(r.number(row, "clipped") == 0);
  }
  CHECK(r.number(1, "rel_rms") == Approx(0.0265).epsilon(0.01));
  CHECK(r.number(2, "rel_rms") == Approx(0.0265).epsilon(0.01));
  CHECK(r.number(3, "rel_rms") == Approx(0.0310).epsilon(0.1));
  CHECK(r.number(4, "rel_rms") == Approx(0.41).epsilon(0.15));
}

TEST_CASE("X21: current scaling follows; a margin and a short history change what they should") {
  const Result r = drift("current,delayed-16,delayed-1024-m1", "2", "12");
  CHECK(r.number(0, "clipped") == 0);
  CHECK(r.number(0, "rel_rms") == Approx(0.0265).epsilon(0.01));
  CHECK(r.number(1, "rel_rms") == Approx(0.0265).epsilon(0.01));
  CHECK(r.number(1, "underflow") < 2e-5);
  CHECK(r.number(2, "clipped") > 0.01);
  CHECK(r.number(4, "clipped") < 1e-3);  // half of the range was free
  const Result full = drift("delayed-1024", "1", "12");
  CHECK(r.number(5, "scale") == 2 * full.number(1, "scale"));
  CHECK_THROWS_WITH(drift("delayed", "1", "4"), ContainsSubstring("found 'delayed'"));
  CHECK_THROWS_WITH(drift("delayed-4-mx", "1", "4"), ContainsSubstring("found 'delayed-4-mx'"));
}

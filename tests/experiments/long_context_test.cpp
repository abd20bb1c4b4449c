// X11: P V over a long context, at the values of an independent draw.
//
// At 131072 tokens the sums of positive numbers lose a systematic part: sharp to a few per cent.
// With values of mean 0 the figures scatter by more.
#include <cmath>

#include "catch.hpp"
#include "table.hpp"

using namespace binade::experiments;

namespace {

Result context(const std::string& length, const std::string& mean, const std::string& intervals) {
  return run_with("long_context",
                  {{"length", length}, {"mean", mean}, {"intervals", intervals}, {"rows", "4"}});
}

void check(const Result& r, std::initializer_list<double> expected, double tolerance) {
  REQUIRE(r.table.rows.size() == expected.size());
  std::size_t row = 0;
  for (const double value : expected) {
    INFO(r.number(row, "spread") << " " << r.number(row, "interval"));
    CHECK(r.number(row, "fro_rel") == Approx(value).epsilon(tolerance));
    ++row;
  }
}

}  // namespace

TEST_CASE("X11: a mean of half a sigma in V loses half of the result at 128K tokens") {
  // Spread 0, 1, 2; in each: never promoted, then every 256, 16 and 4 wgmma.
  const Result r = context("131072", "0.5", "0,256,16,4");
  check(
      r,
      {0.576, 6.4e-2, 7.8e-4, 5.4e-5, 0.457, 5.5e-2, 1.5e-3, 1.4e-4, 0.262, 4.4e-2, 2.6e-3, 5.3e-4},
      0.2);
  for (const std::size_t row : {0, 4, 8}) {
    CHECK(r.number(row, "bias") == Approx(-r.number(row, "fro_rel")).epsilon(0.05));
  }
}

TEST_CASE("X11: with values of mean 0 the loss is small and promotion removes it") {
  check(context("131072", "0", "0,4"), {7.4e-3, 8.7e-5, 1.03e-2, 1.8e-4, 1.06e-2, 3.4e-4}, 0.35);
}

TEST_CASE("X11: at 4096 tokens a few per cent are lost") {
  check(context("4096", "0.5", "0"), {3.05e-2, 2.6e-2, 2.3e-2}, 0.15);
}

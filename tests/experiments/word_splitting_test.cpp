// X10: the curves of Khattak and Mikaitis, whose points are single draws.
#include <cmath>

#include "catch.hpp"
#include "table.hpp"

using namespace binade::experiments;

namespace {

Result split(const std::string& n, const std::string& words, const std::string& accumulators,
             const std::string& seeds) {
  return run_with("word_splitting",
                  {{"n", n}, {"words", words}, {"accumulators", accumulators}, {"seeds", seeds}});
}

}  // namespace

TEST_CASE("X10: one E5M2 word: the published curve within a factor of 3") {
  const Result r = split("1274,14384", "1", "hopper.wgmma.f32", "20");
  CHECK(std::fabs(std::log(r.number(0, "error") / 8.07e-3)) < std::log(3.0));
  CHECK(std::fabs(std::log(r.number(1, "error") / 2.89e-3)) < std::log(3.0));
}

TEST_CASE("X10: more words help a wide accumulator; Hopper's stagnates near 2^-15") {
  const Result r = split("100,1000", "1,4,6", "hopper.wgmma.f32,blackwell.tcgen05.f32,fp32", "3");
  for (std::size_t first = 0; first < r.table.rows.size(); first += 9) {
    INFO(r.number(first, "n"));
    const auto error = [&](std::size_t words, std::size_t accumulator) {
      return r.number(first + 3 * words + accumulator, "error");
    };
    // One word: the inputs' rounding is all that counts.
    CHECK(error(0, 1) == Approx(error(0, 2)).epsilon(1e-3));
    CHECK(error(0, 0) == Approx(error(0, 2)).epsilon(0.02));
    // Published for four words: 5e-5 to 2.8e-5; for six no better.
    CHECK(std::fabs(std::log2(error(1, 0)) + 15) < 1.5);
    CHECK(error(2, 0) == Approx(error(1, 0)).epsilon(0.1));
    CHECK(error(1, 1) < error(1, 0) / 5);
    CHECK(error(2, 1) < error(2, 0) / 20);
    // Published for six words and rounding to nearest: 4.9e-8 to 2.1e-8.
    CHECK(error(2, 2) < 1e-7);
    CHECK(error(2, 2) > 1e-8);
  }
  for (std::size_t row = 0; row < r.table.rows.size(); ++row) {
    CHECK(r.number(row, "error_least") <= r.number(row, "error"));
    CHECK(r.number(row, "error_most") <= r.number(row, "bound"));
  }
}

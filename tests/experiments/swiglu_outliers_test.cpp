// X24: aligned gate and up weights, and what a factor for each channel saves.
#include <cmath>
#include <map>

#include "catch.hpp"
#include "table.hpp"

using namespace binade::experiments;

namespace {

Result run_small(std::map<std::string, std::string> given) {
  given.insert({{"tokens", "256"}, {"width", "64"}, {"hidden", "256"}});
  return run_with("swiglu_outliers", given);
}

}  // namespace

TEST_CASE("X24: the channel's output grows with the square of its weights' length") {
  const Result r =
      run_small({{"alignments", "0.9,1"}, {"gains", "16,64,256"}, {"scalings", "tensor"}});
  for (const std::size_t first : {0, 3}) {
    for (const std::size_t row : {first, first + 1}) {
      // silu(g) is g where g is large: both factors then grow by 4.
      CHECK(r.number(row + 1, "channel_amax") / r.number(row, "channel_amax") ==
            Approx(16).epsilon(0.01));
    }
  }
  // Aligned, the product is a square: its largest exceeds that of less aligned rows.
  CHECK(r.number(3, "channel_amax") > r.number(0, "channel_amax"));
  CHECK(r.number(3, "kurtosis") > 1000);
}

TEST_CASE("X24: without a gain, alignment alone makes no outlier that FP8 minds") {
  const Result r = run_small({{"alignments", "0,1"}, {"gains", "1"}, {"scalings", "tensor"}});
  for (const std::size_t row : {0, 1}) CHECK(r.number(row, "others_rel_rms") < 0.028);
  CHECK(r.number(1, "channel_amax") > r.number(0, "channel_amax"));
}

TEST_CASE("X24: one scale a tensor loses the other channels, smoothing loses nothing at any gain") {
  const Result r = run_small(
      {{"alignments", "1"}, {"gains", "1,64,1024"}, {"scalings", "tensor,smooth,smooth-128x128"}});
  CHECK(r.number(0, "others_rel_rms") < 0.028);
  CHECK(r.number(6, "others_rel_rms") > 0.9);
  CHECK(r.number(6, "others_underflow") > 0.9);
  // Factors are powers of two and the channel's amax becomes the same binade: the same codes.
  CHECK(r.number(4, "others_rel_rms") == r.number(1, "others_rel_rms"));
  CHECK(r.number(7, "others_rel_rms") == r.number(1, "others_rel_rms"));
  // But the outlier is in the weights then, and must not share a scale there either.
  CHECK(r.number(7, "output_error") > 0.9);
  CHECK(r.number(8, "output_error") == Approx(std::sqrt(127 / 255.0)).epsilon(0.05));
}

TEST_CASE("X24: what is no cosine is refused") {
  CHECK_THROWS_WITH(run_small({{"alignments", "1.5"}}), ContainsSubstring("alignments"));
}

// The error of FP8 accumulation against the promotion interval, at published and derived numbers.
//
// The expected values are of the same model on another random draw (mt19937, seed 1234), so each
// metric has the width that draws give it. Seven seeds of ours at K = 4096 without promotion:
// fro_rel 1.315e-3 to 1.337e-3, so sums over the 16 384 outputs repeat to 1 % and are held to 3 %;
// max_over_mean 1.37e-2 to 1.96e-2, an extreme value, held to 30 %. Neighbouring intervals differ
// by 60 % in fro_rel.
#include <cmath>

#include "catch.hpp"
#include "table.hpp"

using namespace binade::experiments;

namespace {

constexpr double kSum = 0.03, kMaximum = 0.30;

Result promotion(const std::string& distribution, const std::string& k,
                 const std::string& intervals) {
  return run_with(
      "promotion_interval",
      {{"distributions", distribution}, {"k", k}, {"intervals", intervals}, {"contrast", "none"}});
}

}  // namespace

TEST_CASE("X8: N(0, 1), K = 4096, every interval") {
  const Result r = promotion("normal", "4096", "0,32,16,8,4,2,1");
  const double max_over_mean[] = {1.80e-2, 4.6e-3, 2.45e-3, 1.41e-3, 7.6e-4, 4.6e-4, 2.5e-4};
  const double fro_rel[] = {1.35e-3, 5.34e-4, 3.35e-4, 2.08e-4, 1.27e-4, 7.5e-5, 4.5e-5};
  for (std::size_t i = 0; i < 7; ++i) {
    INFO(r.number(i, "interval"));
    CHECK(r.number(i, "max_over_mean") == Approx(max_over_mean[i]).epsilon(kMaximum));
    CHECK(r.number(i, "fro_rel") == Approx(fro_rel[i]).epsilon(kSum));
    CHECK(r.number(i, "interval_elements") == 32 * r.number(i, "interval"));
  }
  // Published: a maximum relative error of nearly 2 % without promotion.
  CHECK(r.number(0, "max_over_mean") > 0.015);
  CHECK(r.number(0, "max_over_mean") < 0.025);
  CHECK(r.number(0, "max_over_max") == Approx(3.9e-3).epsilon(kMaximum));
  CHECK(r.number(0, "max_rel_large") == Approx(7.4e-3).epsilon(kMaximum));
  // What promotion after four instructions buys: 24 times.
  CHECK(r.number(0, "max_over_mean") / r.number(4, "max_over_mean") == Approx(24).epsilon(0.4));
}

TEST_CASE("X8: N(0, 1), K = 1024 and 16384") {
  const Result r = promotion("normal", "1024,16384", "0,4");
  CHECK(r.number(0, "max_over_mean") == Approx(5.6e-3).epsilon(kMaximum));
  CHECK(r.number(2, "max_over_mean") == Approx(3.98e-2).epsilon(kMaximum));
  CHECK(r.number(2, "fro_rel") == Approx(3.1e-3).epsilon(kSum));
  CHECK(r.number(3, "max_over_mean") == Approx(7.4e-4).epsilon(kMaximum));
}

TEST_CASE("X8: the published 2 % tells truncation from sign-fill shifting") {
  const Result r = run_with("promotion_interval",
                            {{"distributions", "normal"}, {"k", "4096"}, {"intervals", "0"}});
  REQUIRE(r.table.rows.size() == 2);
  CHECK(r.text(0, "instruction") == "hopper.wgmma.f32.e4m3.e4m3");
  CHECK(r.text(1, "instruction") == "reference.floor14.e4m3.e4m3");
  CHECK(r.number(1, "max_over_mean") == Approx(0.246).epsilon(kMaximum));
  CHECK(r.number(1, "fro_rel") == Approx(3.9e-2).epsilon(kSum));
}

TEST_CASE("X9: data of one sign lose a systematic part, all of it toward zero") {
  const Result r = promotion("uniform01", "1024,4096,16384", "0");
  const double lost[] = {1.51e-2, 7.45e-2, 2.51e-1};
  for (std::size_t i = 0; i < 3; ++i) {
    INFO(r.number(i, "k"));
    CHECK(r.number(i, "fro_rel") == Approx(lost[i]).epsilon(kSum));
    CHECK(r.number(i, "bias") == Approx(-lost[i]).epsilon(kSum));
  }
}

TEST_CASE("X9: promotion bounds the loss whatever K is") {
  const Result r = promotion("uniform01", "4096", "1,4,8,16,32");
  const double lost[] = {3.7e-5, 5.5e-4, 1.9e-3, 5.8e-3, 1.5e-2};
  for (std::size_t i = 0; i < 5; ++i) {
    INFO(r.number(i, "interval"));
    CHECK(r.number(i, "fro_rel") == Approx(lost[i]).epsilon(kSum));
    CHECK(r.number(i, "bias") < 0);
  }
  const Result other = promotion("uniform01", "1024", "4");
  CHECK(other.number(0, "fro_rel") == Approx(5.5e-4).epsilon(kSum));
}

TEST_CASE("X9: |N(0, 1)| and U[-1, 1)") {
  const Result folded = promotion("abs_normal", "4096", "0,4");
  CHECK(folded.number(0, "fro_rel") == Approx(7.09e-2).epsilon(kSum));
  CHECK(folded.number(1, "fro_rel") == Approx(6.5e-4).epsilon(kSum));
  const Result symmetric = promotion("uniform", "4096", "0,4");
  CHECK(symmetric.number(0, "max_over_mean") == Approx(1.71e-2).epsilon(kMaximum));
  CHECK(symmetric.number(1, "max_over_mean") == Approx(6.4e-4).epsilon(kMaximum));
}

TEST_CASE("the norm of the error is over the infinity norms of both factors") {
  // A is a row, B two columns, of k = 449 elements that quantise to 448: |A| = 448 k, |B| = 2 *
  // 448, and each output k 448^2, whose sum 14 bits cannot follow. So norm_inf is the relative
  // error.
  const Experiment& experiment = find_experiment("promotion_interval");
  Arguments arguments = make_arguments(experiment, {{"intervals", "0"}, {"contrast", "none"}});
  arguments.tensor = InputTensor{"x", std::vector<float>(449, 1.0f), 1, 449};
  arguments.second_tensor = InputTensor{"w", std::vector<float>(2 * 449, 1.0f), 2, 449};
  const Result r{experiment, experiment.run(arguments)};
  const double relative = r.number(0, "max_over_max");  // both outputs lose the same
  CHECK(relative > 0);
  CHECK(r.number(0, "norm_inf") == Approx(relative).epsilon(1e-12));
}

TEST_CASE("tensors of different lengths are refused") {
  const Experiment& experiment = find_experiment("promotion_interval");
  Arguments arguments = make_arguments(experiment, {}, true);
  arguments.tensor = InputTensor{"x", std::vector<float>(8, 1.0f), 2, 4};
  arguments.second_tensor = InputTensor{"w", std::vector<float>(6, 1.0f), 2, 3};
  CHECK_THROWS_WITH(experiment.run(arguments),
                    ContainsSubstring("x and w") && ContainsSubstring("4 and 3"));
  arguments.second_tensor = InputTensor{"w", std::vector<float>(4, 1.0f), 1, 4};
  CHECK(experiment.run(arguments).notes.at(0).find("B is w [1, 4]") != std::string::npos);
}

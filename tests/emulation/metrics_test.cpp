// The metrics against values worked out by hand, and against Eigen on random arrays.
#include "binade/emulation/metrics.hpp"

#include <Eigen/Dense>
#include <limits>
#include <random>

#include "catch.hpp"

using namespace binade;

TEST_CASE("metrics of a small array, by hand") {
  const std::vector<double> reference = {3, -4, 0, 1};
  const std::vector<float> computed = {3.5f, -4, 1, 0};
  // e = 0.5, 0, 1, -1; sum e^2 = 2.25, sum ref^2 = 26, sum |ref| = 8, sum x^2 = 29.25,
  // sum x ref = 26.5
  const ErrorMetrics m = error_metrics(computed, reference);
  CHECK(m.fro_rel == Approx(std::sqrt(2.25 / 26)).epsilon(1e-15));
  CHECK(m.max_over_mean == Approx(0.5).epsilon(1e-15));
  CHECK(m.max_over_max == Approx(0.25).epsilon(1e-15));
  CHECK(m.max_rel_large == Approx(0.5 / 3).epsilon(1e-15));  // 3 and -4 exceed the mean, 2
  CHECK(m.sqnr_db == Approx(10 * std::log10(26 / 2.25)).epsilon(1e-15));
  CHECK(m.calc_diff == Approx(1 - 53.0 / 55.25).epsilon(1e-15));
  CHECK(m.cosine == Approx(26.5 / std::sqrt(26 * 29.25)).epsilon(1e-15));
  CHECK(m.bias == Approx((0.5 - 1) / 8).epsilon(1e-15));  // the error at 0 has no sign to share
  CHECK(m.mismatch_rate == 0.75);
}

TEST_CASE("metrics of equal, zero and special arrays") {
  const std::vector<double> x = {1, 2}, zero = {0, 0};
  const ErrorMetrics same = error_metrics(x, x);
  CHECK(same.fro_rel == 0);
  CHECK(same.sqnr_db == std::numeric_limits<double>::infinity());
  CHECK(same.cosine == Approx(1).epsilon(1e-15));
  CHECK(same.mismatch_rate == 0);
  CHECK(error_metrics(zero, zero).calc_diff == 0);
  CHECK(error_metrics(x, zero).calc_diff == 1);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const auto& [c, r] : {std::pair{std::vector{nan, 2.0}, x}, {x, std::vector{1.0, nan}}}) {
    const ErrorMetrics m = error_metrics(c, r);
    CHECK(std::isnan(m.fro_rel));
    CHECK(std::isnan(m.max_over_mean));
    CHECK(std::isnan(m.max_rel_large));
    CHECK(std::isnan(m.bias));
    CHECK(m.mismatch_rate == 0.5);
  }
  const std::vector<double> three(3);
  REQUIRE_THROWS_WITH(error_metrics(x, three), ContainsSubstring("reference of 3"));
  REQUIRE_THROWS_AS(error_metrics(std::vector<double>{}, std::vector<double>{}),
                    std::invalid_argument);
}

TEST_CASE("metrics and norms agree with Eigen") {
  std::mt19937_64 g(50);
  std::normal_distribution<double> normal;
  const int rows = 37, cols = 53;
  Eigen::Matrix<double, -1, -1, Eigen::RowMajor> r(rows, cols), x(rows, cols);
  for (int i = 0; i < r.size(); ++i) {
    r.data()[i] = normal(g);
    x.data()[i] = r.data()[i] * (1 + 1e-3 * normal(g)) + 1e-4;
  }
  const auto e = (x - r).eval();
  const std::span<const double> xs(x.data(), static_cast<std::size_t>(x.size()));
  const std::span<const double> rs(r.data(), xs.size());
  const ErrorMetrics m = error_metrics(xs, rs);
  const double mean = r.cwiseAbs().mean();
  CHECK(m.fro_rel == Approx(e.norm() / r.norm()).epsilon(1e-12));
  CHECK(m.max_over_mean == Approx(e.cwiseAbs().maxCoeff() / mean).epsilon(1e-12));
  CHECK(m.max_over_max == Approx(e.cwiseAbs().maxCoeff() / r.cwiseAbs().maxCoeff()).epsilon(1e-12));
  CHECK(
      m.calc_diff ==
      Approx(1 - 2 * x.cwiseProduct(r).sum() / (x.squaredNorm() + r.squaredNorm())).margin(1e-12));
  CHECK(m.cosine == Approx(x.cwiseProduct(r).sum() / (x.norm() * r.norm())).epsilon(1e-12));
  CHECK(m.bias == Approx((e.array() * r.array().sign()).mean() / mean).epsilon(1e-12));
  CHECK(m.sqnr_db == Approx(20 * std::log10(r.norm() / e.norm())).epsilon(1e-12));
  CHECK(infinity_norm(xs, 37, 53) ==
        Approx(x.cwiseAbs().rowwise().sum().maxCoeff()).epsilon(1e-14));
  CHECK(norm_inf_error(xs, rs, 37, 53, 3, 7) ==
        Approx(e.cwiseAbs().rowwise().sum().maxCoeff() / 21).epsilon(1e-13));
  REQUIRE_THROWS_AS(infinity_norm(xs, 37, 52), std::invalid_argument);
}

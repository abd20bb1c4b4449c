// The damage of one outlier, at the values that the formats' grids imply for N(0, 1) data.
//
// The expected values come from an independent computation with another random draw. The errors of
// a million elements and more are sharp to 0.1 %, but where the scale follows the largest of the
// others (1x128) or the outlier sits in a quantisation interval at random they move by up to 1 %.
#include <cmath>

#include "catch.hpp"
#include "table.hpp"

using namespace binade::experiments;

namespace {

Result damage(const std::string& size, const std::string& format, const std::string& scaling,
              const std::string& ratios) {
  return run_with("outlier_damage", {{"rows", size},
                                     {"cols", size},
                                     {"formats", format},
                                     {"scalings", scaling},
                                     {"ratios", ratios}});
}

}  // namespace

TEST_CASE("X4: E4M3 with one scale a tensor keeps 2.65 % up to 1000 sigma, then underflows") {
  const Result r = damage("2048", "e4m3", "tensor", "10,100,1000,1e4,1e5,1e6");
  for (std::size_t row = 0; row < 3; ++row) {
    INFO(row);
    CHECK(r.number(row, "rel_rms") == Approx(0.0265).epsilon(0.01));
    CHECK(r.number(row, "underflow") < 0.002);
  }
  CHECK(r.number(3, "rel_rms") == Approx(0.0271).epsilon(0.01));
  CHECK(r.number(3, "underflow") == Approx(0.017).epsilon(0.03));
  CHECK(r.number(4, "rel_rms") == Approx(0.126).epsilon(0.01));
  CHECK(r.number(4, "underflow") == Approx(0.17).epsilon(0.03));
  CHECK(r.number(5, "rel_rms") == Approx(0.954).epsilon(0.005));
  CHECK(r.number(5, "underflow") == Approx(0.97).epsilon(0.005));
}

TEST_CASE("X4: the share that underflows is that of N(0, 1) below half the least subnormal") {
  const Result r = damage("1024", "e4m3", "tensor", "1e4,3e4,1e5,3e5,1e6");
  for (std::size_t row = 0; row < r.table.rows.size(); ++row) {
    // |x| / scale <= 2^-10 becomes zero, and the scale is R / 448.
    const double limit = r.number(row, "outlier_ratio") / 448 * 0x1p-10;
    const double share = std::erf(limit / std::sqrt(2.0));
    INFO(limit);
    CHECK(r.number(row, "underflow") == Approx(share).margin(4 * std::sqrt(share / 1e6)));
    CHECK(r.number(row, "scale") == Approx(r.number(row, "outlier_ratio") / 448));
  }
}

TEST_CASE("X4: E4M3 with one scale per 1x128 stays within 2.57 and 2.59 % throughout") {
  const Result r = damage("4096", "e4m3", "1x128", "10,1e4,1e6");
  for (std::size_t row = 0; row < r.table.rows.size(); ++row) {
    CHECK(r.number(row, "rel_rms") > 0.0257);
    CHECK(r.number(row, "rel_rms") < 0.0259);
  }
}

TEST_CASE("X4: INT8 with one scale a tensor loses everything by 1000 sigma") {
  const Result r = damage("2048", "int8", "tensor", "10,20,100,1000");
  CHECK(r.number(0, "rel_rms") == Approx(0.0227).epsilon(0.005));
  CHECK(r.number(1, "rel_rms") == Approx(0.0455).epsilon(0.005));
  CHECK(r.number(2, "rel_rms") == Approx(0.227).epsilon(0.005));
  CHECK(r.number(3, "rel_rms") == Approx(1.0).epsilon(0.001));
  // Uniform grid: the error is spacing / sqrt(12), and the spacing is R / 127.
  CHECK(r.number(0, "rel_rms") == Approx(10 / 127.0 / std::sqrt(12.0)).epsilon(0.002));
}

TEST_CASE("E5M2's wider range moves the knee beyond a million sigma") {
  const Result r = damage("1024", "e5m2", "tensor", "10,1e6");
  CHECK(r.number(1, "rel_rms") == Approx(r.number(0, "rel_rms")).epsilon(0.01));
  CHECK(r.number(1, "underflow") < 2e-4);
}

TEST_CASE("a tensor's own largest element is the outlier") {
  const Experiment& experiment = find_experiment("outlier_damage");
  Arguments arguments = make_arguments(
      experiment, {{"formats", "e4m3"}, {"scalings", "tensor"}, {"ratios", "1,1e7"}});
  InputTensor tensor{"w", {0.5f, -3.0f, 1.0f, 0.0f}, 2, 2};
  arguments.tensor = tensor;
  const Result r{experiment, experiment.run(arguments)};
  CHECK(r.number(0, "outlier") == -3.0);
  CHECK(r.number(0, "underflow") == 0);
  CHECK(r.number(1, "outlier") == -3e7);
  CHECK(r.number(1, "underflow") == 1);  // of the two others that are not zero
  CHECK(r.number(1, "rel_rms") == 1);

  for (const float bad : {NAN, INFINITY}) {
    arguments.tensor->values[2] = bad;
    CHECK_THROWS_WITH(experiment.run(arguments), ContainsSubstring("tensor w"));
  }
}

// X3: signal to noise of formats, scales and distributions.
//
// Where the scale follows the one largest element of a tensor, a uniform grid's noise does too:
// those figures hold for the draw that gave them, and are compared loosely.
#include <algorithm>
#include <cmath>

#include "catch.hpp"
#include "sampling.hpp"
#include "table.hpp"

using namespace binade::experiments;

namespace {

Result sqnr(const std::string& distribution, const std::string& format, const std::string& scalings,
            const std::string& rows = "4096") {
  return run_with("format_sqnr", {{"distributions", distribution},
                                  {"formats", format},
                                  {"scalings", scalings},
                                  {"rows", rows}});
}

}  // namespace

TEST_CASE("X3: N(0, 1)") {
  struct Row {
    const char* format;
    double floor, ceil, tile, tensor, tensor_margin;
  };
  for (const Row& row : {Row{"e4m3", 30.64, 31.52, 31.80, 31.54, 0.05},
                         {"e5m2", 25.36, 25.54, 25.80, 25.56, 0.05},
                         {"e2m3", 30.94, 30.96, 31.55, 30.00, 0.5},
                         {"e3m2", 25.36, 25.54, 25.80, 25.56, 0.05},
                         {"e2m1", 18.79, 18.76, 19.26, 17.01, 0.6}}) {
    INFO(row.format);
    const Result r = sqnr("normal", row.format, "mx-floor,mx-ceil,1x128,tensor");
    CHECK(r.number(0, "sqnr_db") == Approx(row.floor).margin(0.05));
    CHECK(r.number(1, "sqnr_db") == Approx(row.ceil).margin(0.05));
    CHECK(r.number(2, "sqnr_db") == Approx(row.tile).margin(0.05));
    CHECK(r.number(3, "sqnr_db") == Approx(row.tensor).margin(row.tensor_margin));
  }
  const Result int8 = sqnr("normal", "int8", "1x128,tensor");
  CHECK(int8.number(0, "sqnr_db") == Approx(43.79).margin(0.05));
  CHECK(int8.number(1, "sqnr_db") == Approx(38.30).margin(1.0));
  CHECK(sqnr("normal", "e2m1", "nvfp4").number(0, "sqnr_db") == Approx(20.44).margin(0.05));
}

TEST_CASE("X3: U(-1, 1): rounding MX scales down saturates an eighth of the elements") {
  const Result r = sqnr("uniform", "e4m3", "mx-floor,mx-ceil,tensor");
  CHECK(r.number(0, "sqnr_db") == Approx(26.22).margin(0.05));
  CHECK(r.number(0, "saturated") == Approx(0.125).margin(0.002));
  CHECK(r.number(1, "sqnr_db") == Approx(32.53).margin(0.05));
  CHECK(r.number(1, "saturated") == 0);
  CHECK(r.number(2, "sqnr_db") == Approx(31.87).margin(0.05));
  CHECK(sqnr("uniform", "int8", "tensor").number(0, "sqnr_db") == Approx(48.10).margin(0.05));
}

TEST_CASE("X3: heavy tails leave E4M3 as it is and ruin INT8") {
  CHECK(sqnr("student_t3", "e4m3", "tensor").number(0, "sqnr_db") == Approx(31.56).margin(0.5));
  const double int8 = sqnr("student_t3", "int8", "tensor", "8192").number(0, "sqnr_db");
  CHECK(int8 < 16);  // 6.71 dB for the draw that is published
  // The largest of the published draw was 19.7, of ours 14.8: 20 log10 of their ratio is 2.5 dB.
  CHECK(sqnr("laplace", "int8", "tensor").number(0, "sqnr_db") == Approx(30.05).margin(3));
}

TEST_CASE("INT8's noise is that of plain division and rounding of the same numbers") {
  for (const std::string name : {"student_t3", "laplace", "normal"}) {
    const auto x = sample(name, 1024 * 1024, 1234);
    const float amax =
        std::fabs(*std::ranges::max_element(x, {}, [](float v) { return std::fabs(v); }));
    const double step = static_cast<double>(amax) / 127;
    double error = 0, signal = 0;
    std::size_t zeros = 0;
    for (const double v : x) {
      const double read = std::nearbyint(v / step) * step;
      error += (read - v) * (read - v);
      signal += v * v;
      zeros += read == 0;
    }
    const Result r = sqnr(name, "int8", "tensor", "1024");
    INFO(name);
    CHECK(r.number(0, "rel_rms") == Approx(std::sqrt(error / signal)).epsilon(1e-5));
    CHECK(r.number(0, "underflow") ==
          Approx(static_cast<double>(zeros) / static_cast<double>(x.size())).margin(1e-5));
    CHECK(r.number(0, "sqnr_db") == Approx(-20 * std::log10(r.number(0, "rel_rms"))));
  }
}
